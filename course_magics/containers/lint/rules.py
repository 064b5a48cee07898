"""Our own few rules, for teaching: what costs a beginner an hour, or everybody 50 MB.

The names are BuildKit's where it has the rule (https://docs.docker.com/reference/build-checks/),
and of the same style otherwise; why, in https://docs.docker.com/build/building/best-practices/.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator, Sequence

from course_magics.containers.build.instructions import KEYWORDS, Instruction, stages
from course_magics.containers.lint.finding import Finding, Level
from course_magics.errors import closest

Found = Iterator[Finding]
_SECRET = re.compile(
    r"(?i)(?:^|_)(api_?key|auth|credentials?|key|passw(or)?d|pword|secret|token)(?:_|$)"
)
_PLATFORM = {f"{s}{p}" for s in ("BUILD", "TARGET") for p in ("PLATFORM", "OS", "ARCH", "VARIANT")}
_SEPARATORS = {"&&", "||", ";", "|", "&", "(", ")", "{", "}", ";;", "\n"}
_INSTALL = re.compile(
    r"pip3? install|npm (ci|install|i)\b|yarn install|apt-get install|bundle install"
)


def _one(at: Instruction, rule: str, level: Level, reason: str, fix: str) -> Finding:
    return Finding(at.line, rule, level, reason, fix)


def arguments(at: Instruction) -> list[str]:
    """The words after the keyword and its flags."""
    words = at.text.split()[1:]
    while words and words[0].startswith("--"):
        words.pop(0)
    return words


def commands(at: Instruction) -> list[list[str]]:
    """The commands of a RUN, each as its words."""
    text = " ".join(arguments(at))
    if text.startswith("["):
        try:
            return [[str(word) for word in json.loads(text)]]
        except ValueError:
            pass
    if at.body:
        text = at.body.replace("\\\n", " ").replace("\n", " ; ")
    lexer = shlex.shlex(text, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    found: list[list[str]] = [[]]
    try:
        for word in lexer:
            if word in _SEPARATORS:
                found.append([])
            elif found[-1] or not re.match(r"\w+=|(then|do|if|else|!)$", word):
                found[-1].append(word)
    except ValueError:  # a quote is not closed: the shell will say so
        pass
    return [words for words in found if words]


def _structure(steps: Sequence[Instruction]) -> Found:
    begun = False
    for at in steps:
        if at.keyword not in KEYWORDS:
            near = closest(at.keyword, KEYWORDS)
            fix = f"did you mean {near}?" if near else f"allowed: {', '.join(KEYWORDS)}"
            yield _one(at, "UnknownInstruction", "error", f"no instruction {at.keyword}", fix)
        elif at.keyword == "FROM":
            begun = True
        elif not begun and at.keyword != "ARG":
            begun = True
            told = "it stands before any FROM, so there is no image to work on"
            yield _one(
                at, "MissingFrom", "error", told, "begin with FROM, such as FROM course/debian"
            )


def _bases(steps: Sequence[Instruction]) -> Found:
    declared: dict[str, str] = {}
    named: list[str] = []
    for at in steps:
        words = arguments(at)
        if at.keyword == "ARG" and not any(s.keyword == "FROM" and s.line < at.line for s in steps):
            declared.update(dict(w.partition("=")[::2] for w in words))
        if at.keyword != "FROM" or not words:
            continue
        image = words[0]
        for name in re.findall(r"\$\{?(\w+)", at.text):
            if name not in declared and name not in _PLATFORM and f"${{{name}:-" not in at.text:
                near = closest(name, declared)
                fix = f"did you mean ${near}?" if near else f"ARG {name}=… above the first FROM"
                told = f"${name} is not declared before the first FROM, so it is empty here"
                yield _one(at, "UndefinedArgInFrom", "error", told, fix)
        for name, value in declared.items():
            if value:  # else only --build-arg gives one, and nothing is known of the image
                image = re.sub(rf"\$(\{{{name}\}}|{name}\b)", value, image)
        last = image.rpartition("/")[2]
        ours = image.startswith("course/")  # the course's bases have one version
        if not ("$" in image or "@" in image or ours or image in ("scratch", *named)):
            tag = last.partition(":")[2]
            if tag in ("", "latest"):
                told = f"{'latest' if tag else 'no tag, so latest'}: another image tomorrow"
                yield _one(
                    at,
                    "UntaggedBase",
                    "warning",
                    told,
                    f"name a version: {image.removesuffix(':latest')}:VERSION",
                )
        if at.stage_name:
            if at.stage_name.lower() in named:
                told = f"a stage is called {at.stage_name} already"
                yield _one(at, "DuplicateStageName", "error", told, "give it another name")
            named.append(at.stage_name.lower())


def _stages(steps: Sequence[Instruction], target: str | None) -> Found:
    used: set[str] = {(target or "").lower()}
    names = [n.lower() for n in stages(list(steps))]
    for at in steps:
        if at.keyword == "FROM":
            used |= {w.lower() for w in arguments(at)[:1]}
        for source in re.findall(r"(?:--from=|,from=)([^\s,]+)", at.text):
            used.add(source.lower())
            before = {s.stage_name.lower() for s in steps if s.stage < at.stage and s.stage_name}
            near = closest(source.lower(), before)
            if source.isdigit() and int(source) >= at.stage:
                told = f"there is no earlier stage {source}"
                yield _one(at, "UndefinedStage", "error", told, "stages count from 0")
            elif source.lower() in names and source.lower() not in before:
                told = f"the stage {source} comes later"
                yield _one(at, "UndefinedStage", "error", told, "move it up")
            elif near and source.lower() not in before and not source.isdigit():
                told = f"no stage is called {source}, so it is taken for an image"
                yield _one(at, "UndefinedStage", "warning", told, f"did you mean {near}?")
    last = max((s.stage for s in steps), default=0)
    for at in steps:
        if at.keyword == "FROM" and at.stage != last and target is None:
            name = at.stage_name or str(at.stage)
            if not {name.lower(), str(at.stage)} & used:
                told = f"nothing uses the stage {name}: it is built for nothing, or not at all"
                yield _one(at, "UnusedStage", "warning", told, "COPY --from it, or remove it")


def _shells(steps: Sequence[Instruction]) -> Found:
    for at in steps:
        if at.keyword != "RUN":
            continue
        found = commands(at)
        plain = [words[1:] if words[0] == "sudo" else words for words in found]
        if any(words[0] == "sudo" for words in found):
            told = "RUN is root already, and base images have no sudo"
            yield _one(at, "SudoInRun", "warning", told, "leave sudo out; USER changes the user")
        if any(words[0] == "cd" for words in found):
            told = "cd lasts for this RUN only"
            yield _one(at, "CdInRun", "warning", told, "WORKDIR lasts, and makes the folder")
        yield from _apt(at, [w for w in plain if w and w[0] in ("apt-get", "apt")])


def _apt(at: Instruction, found: list[list[str]]) -> Found:
    installs = [w for w in found if "install" in w]
    updates = [w for w in found if "update" in w]
    if any(
        not any(re.fullmatch(r"-\w*y\w*|--yes|--assume-yes|-qq+", x) for x in w) for w in installs
    ):
        told = "apt-get asks before it installs, and nobody can answer"
        yield _one(at, "AptGetWithoutYes", "warning", told, "apt-get install -y …")
    if bool(installs) != bool(updates):
        told = "update and install in one RUN: else the cache serves an old package list"
        fix = "RUN apt-get update && apt-get install -y … && rm -rf /var/lib/apt/lists/*"
        yield _one(at, "AptGetUpdateAlone", "warning", told, fix)
    whole = at.text + at.body
    cleaned = "/var/lib/apt" in whole
    if installs and updates and not cleaned:
        told = "the package lists stay in the layer, some 20 MB that nobody needs"
        yield _one(
            at, "AptListsKept", "warning", told, "… && rm -rf /var/lib/apt/lists/* in this RUN"
        )


def _files(steps: Sequence[Instruction]) -> Found:
    whole: dict[int, Instruction] = {}
    placed: set[int] = set()
    for at in steps:
        words = arguments(at)
        if (
            at.keyword == "ADD"
            and words
            and not words[0].startswith("[")
            and not any(
                re.search(r"://|^git@|\.(tar|tgz|t?xz|t?bz2|gz|zst)\b|^<<|\$", w)
                for w in words[:-1]
            )
        ):
            told = "ADD also unpacks archives and fetches addresses; here nothing of it is needed"
            yield _one(at, "AddInsteadOfCopy", "warning", told, f"COPY {' '.join(words)}")
        if (
            at.keyword == "COPY"
            and "--from" not in at.text
            and words[:1]
            and words[0] in (".", "./")
        ):
            whole.setdefault(at.stage, at)
        if at.keyword == "RUN" and at.stage in whole and _INSTALL.search(at.text + at.body):
            told = f"each change of any file makes line {at.line} install everything again"
            fix = "COPY the list of packages first, install, then COPY the rest"
            yield _one(whole.pop(at.stage), "CopyBeforeInstall", "warning", told, fix)
        if at.keyword == "WORKDIR" and words:
            if words[0].startswith(("/", "$", '"/')) or re.match(r"[A-Za-z]:", words[0]):
                placed.add(at.stage)
            elif at.stage not in placed:
                told = "relative to whatever folder the base image has left"
                yield _one(at, "WorkdirRelativePath", "warning", told, f"WORKDIR /{words[0]}")


def _settings(steps: Sequence[Instruction]) -> Found:
    shells = {at.stage for at in steps if at.keyword == "SHELL"}
    previous: dict[tuple[int, str], Instruction] = {}
    for at in steps:
        words = arguments(at)
        if at.keyword in ("CMD", "ENTRYPOINT"):
            text = " ".join(words)
            if not text.startswith("[") and at.stage not in shells and words:
                told = "run by a shell, which does not pass docker stop's signal on"
                fix = f"{at.keyword} {json.dumps(_split(text))}"
                yield _one(at, "JSONArgsRecommended", "warning", told, fix)
        if at.keyword in ("CMD", "ENTRYPOINT", "HEALTHCHECK"):
            if before := previous.get((at.stage, at.keyword)):
                told = f"only the last {at.keyword} of a stage counts: line {at.line} replaces it"
                yield _one(before, "MultipleInstructionsDisallowed", "warning", told, "remove it")
            previous[at.stage, at.keyword] = at
        if at.keyword in ("ENV", "ARG"):
            names = [w.partition("=")[0] for w in words if "=" in w] or words[:1]
            for name in names:
                if _SECRET.search(name) and "public" not in name.lower():
                    told = f"{name} can be read in the image by everybody: docker history"
                    fix = "give it when the container runs: -e, or RUN --mount=type=secret"
                    yield _one(at, "SecretsUsedInArgOrEnv", "warning", told, fix)
        if at.keyword == "MAINTAINER":
            told = "MAINTAINER is deprecated"
            yield _one(
                at, "MaintainerDeprecated", "info", told, "LABEL org.opencontainers.image.authors=…"
            )


def _user(steps: Sequence[Instruction]) -> Found:
    last = max((s.stage for s in steps), default=0)
    users = [s for s in steps if s.stage == last and s.keyword == "USER" and arguments(s)]
    if users and arguments(users[-1])[0].split(":")[0] in ("root", "0"):
        told = "the container's program runs as root"
        yield _one(users[-1], "RootAtEnd", "warning", told, "end with a USER that is not root")


def _split(text: str) -> list[str]:
    if re.search(r"[|&;<>$`]", text):
        return ["sh", "-c", f"exec {text}"]
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


_RULES: tuple[Callable[[Sequence[Instruction]], Found], ...] = (
    *(_structure, _bases, _shells, _files, _settings, _user),
)


def check(steps: Sequence[Instruction], target: str | None = None) -> list[Finding]:
    """What our rules find. target: the stage that is built (None: the last)."""
    found = [finding for rule in _RULES for finding in rule(steps)]
    return [*found, *_stages(steps, target)]

"""Completion in the body of `%%dockerfile`: instructions, their flags, stages, images, arguments.

What each instruction is: https://docs.docker.com/reference/dockerfile/.
"""

from __future__ import annotations

import re
import shlex
from typing import NamedTuple

from course_magics.containers.build import instructions
from course_magics.magics.complete import values
from course_magics.magics.complete.sources import Asked, begun, files, images, spec, stages
from course_magics.magics.complete.spot import Found, Offer, Spot, plain
from course_magics.magics.grammar import Word


class About(NamedTuple):
    """One instruction: what it does, how it is written, its flags and what those are."""

    what: str
    form: str
    flags: tuple[tuple[str, str], ...] = ()


_CHANGE = (
    ("--chown=", "owner of the copies, USER:GROUP"),
    ("--chmod=", "permissions of the copies, such as 755"),
    ("--link", "a layer that does not depend on those below it"),
    ("--exclude=", "leave out what matches"),
)
INSTRUCTIONS: dict[str, About] = {
    "FROM": About(
        "begin a stage with a base image",
        "FROM [--platform=OS/ARCH] IMAGE [AS STAGE]",
        (("--platform=", "platform of the image"),),
    ),
    "RUN": About(
        "run a command, keep what it changes as a layer",
        'RUN COMMAND, or RUN ["PROGRAM", "ARG"]',
        (
            ("--mount=", "a cache, secret or folder for this step only"),
            ("--network=", "network of this step: default, none or host"),
            ("--security=", "sandbox or insecure"),
        ),
    ),
    "COPY": About(
        "copy files of the context or of another stage",
        "COPY [--from=STAGE] SOURCE... TARGET",
        (("--from=", "stage or image to copy from"), *_CHANGE, ("--parents", "keep the folders")),
    ),
    "ADD": About(
        "copy files, fetch URLs, unpack archives",
        "ADD SOURCE... TARGET",
        (
            ("--checksum=", "what the fetched file must be, sha256:…"),
            ("--keep-git-dir=", "keep .git of a repository"),
            *_CHANGE,
        ),
    ),
    "CMD": About("the command of a container, unless another is given", 'CMD ["PROGRAM", "ARG"]'),
    "ENTRYPOINT": About(
        "the program of a container; CMD gives its arguments", 'ENTRYPOINT ["PROGRAM"]'
    ),
    "ENV": About("an environment variable, in the build and in containers", "ENV NAME=VALUE"),
    "ARG": About("a variable of the build, set by --build-arg", "ARG NAME[=VALUE]"),
    "WORKDIR": About("the folder for what follows, and of the program", "WORKDIR /PATH"),
    "USER": About("the user for what follows, and of the program", "USER NAME[:GROUP]"),
    "EXPOSE": About("a port on which the program listens (publishes nothing)", "EXPOSE PORT[/udp]"),
    "VOLUME": About("a folder whose contents live outside of the container", "VOLUME /PATH"),
    "LABEL": About("data about the image", "LABEL NAME=VALUE"),
    "HEALTHCHECK": About(
        "a command that tells whether the container works",
        "HEALTHCHECK [FLAGS] CMD COMMAND, or HEALTHCHECK NONE",
        (
            ("--interval=", "time between checks (30s)"),
            ("--timeout=", "how long a check may take (30s)"),
            ("--start-period=", "time to get ready (0s)"),
            ("--start-interval=", "time between checks until it is ready (5s)"),
            ("--retries=", "failures until it counts as unhealthy (3)"),
        ),
    ),
    "SHELL": About("the shell that RUN uses", 'SHELL ["PROGRAM", "ARG"]'),
    "STOPSIGNAL": About("the signal that asks the program to end", "STOPSIGNAL SIGNAL"),
    "ONBUILD": About("an instruction for images made from this one", "ONBUILD INSTRUCTION"),
    "MAINTAINER": About("who made it (old: use LABEL)", "MAINTAINER NAME"),
}
_DIRECTIVES = (
    ("syntax=", "the version of the Dockerfile language"),
    ("escape=", "the character that continues a line"),
    ("check=", "which checks to skip, or to take as errors"),
)
_GIVEN = ("TARGETPLATFORM", "TARGETOS", "TARGETARCH", "BUILDPLATFORM", "BUILDOS", "BUILDARCH")
_VALUES: dict[str, tuple[tuple[str, str], ...]] = {
    "--platform": (
        *values.PLATFORMS,
        ("$BUILDPLATFORM", "the builder's own"),
        ("$TARGETPLATFORM", "the one that is asked for"),
    ),
    "--network": (
        ("default", "as other steps"),
        ("none", "no network"),
        ("host", "the computer's"),
    ),
    "--security": (("sandbox", "as usual"), ("insecure", "with all privileges")),
    "--keep-git-dir": (("true", "keep it"), ("false", "leave it out")),
}
_VARIABLE = re.compile(r"(?<!\\)\$(\{?)(\w*)$")
_HEREDOC = re.compile(r"<<-?(['\"]?)([A-Za-z_]\w*)\1")


def complete(spot: Spot, wait: float) -> Found | None:
    """What may stand at the cursor in the Dockerfile below `%%dockerfile`."""
    text = instruction(spot)
    if text is None:
        return None
    asked = Asked("", Word("", ""), wait, body=spot.above)
    if (match := _VARIABLE.search(text)) and not text.lstrip().startswith("#"):
        return _variables(match, spot)
    head = re.match(r"\s*(\w*)$", text)
    if head:
        return Found(head[1], _keywords(head[1]))
    if match := re.match(r"\s*#\s*(\w*)$", text):
        top = all(line.lstrip().startswith("#") for line in spot.above)
        return Found(match[1], begun(_DIRECTIVES, match[1]) if top else [])
    return _after_keyword(text, spot, asked)


def _after_keyword(text: str, spot: Spot, asked: Asked) -> Found:
    keyword, rest = _split(text)
    if keyword == "ONBUILD":
        if re.match(r"\s*\w*$", rest):
            return Found(rest.strip(), _keywords(rest.strip()))
        keyword, rest = _split(rest)
    if keyword not in INSTRUCTIONS:
        return Found("", [])
    return _words(keyword, rest, spot, asked)


def _split(text: str) -> tuple[str, str]:
    """The keyword and what follows it, the space before it too."""
    keyword = text.split(maxsplit=1)[0]
    return keyword.upper(), text.lstrip()[len(keyword) :]


def instruction(spot: Spot) -> str | None:
    """The instruction at the cursor, its lines joined, up to the cursor; None inside a heredoc."""
    ends: list[str] = []  # of the heredocs that are open
    text = ""
    for line in spot.above:
        if ends:
            if line.strip() == ends[0]:
                ends.pop(0)
            continue
        if text and (not line.strip() or line.lstrip().startswith("#")):
            continue  # inside an instruction, comments and empty lines are left out
        text += line
        if re.match(r"\s*(RUN|COPY|ADD)\b", text, re.I):
            ends = [match[2] for match in _HEREDOC.finditer(line)]
        text = f"{text[:-1]} " if line.endswith("\\") and not ends else ""
    return None if ends else text + spot.typed


def _keywords(typed: str) -> list[Offer]:
    """In the case in which one has begun to type: Docker takes both."""
    lower = bool(typed) and typed.islower()
    known = ((k.lower() if lower else k, about.what) for k, about in INSTRUCTIONS.items())
    return begun(known, typed)


def _words(keyword: str, rest: str, spot: Spot, asked: Asked) -> Found:
    """The flags, arguments and values after a keyword."""
    *before, last = re.split(r"\s+", rest)
    before = [word for word in before if word]
    plain = [word for word in before if not word.startswith("--")]
    asked.text = last
    about = INSTRUCTIONS[keyword]
    if not plain and last.startswith("--"):
        name, equals, value = last.partition("=")
        if not equals:
            return Found(last, begun(about.flags, last))
        asked.text = value
        return Found(value, _value(keyword, name, asked))
    flags = list(begun(about.flags, "")) if not plain and not last else []
    if keyword == "FROM" and len(plain) == 1:
        return Found(last, begun([("AS", "a name for this stage")], last.upper()))
    found: list[Offer] = []
    if keyword == "FROM" and not plain:
        found = [*stages(asked), *images(asked), Offer("scratch", "nothing at all")]
    elif keyword in ("COPY", "ADD") and "--from=" not in rest:
        found = _context(spot, asked)
    elif keyword == "HEALTHCHECK" and not plain:
        found = [Offer("CMD", "the command that checks"), Offer("NONE", "no check at all")]
    elif keyword == "STOPSIGNAL" and not plain:
        found = [Offer(*pair) for pair in values.SIGNALS]
    return Found(last, [*(o for o in found if o.text.startswith(last)), *flags])


def _value(keyword: str, name: str, asked: Asked) -> list[Offer]:
    text = asked.text
    if keyword == "RUN" and name == "--mount":
        found = spec(text, values.BUILD_MOUNT, values.BUILD_MOUNT_TYPES, asked)
        return [o for o in found if o.text.startswith(text)]
    if name == "--from":
        return [o for o in (*stages(asked), *images(asked)) if o.text.startswith(text)]
    return begun(_VALUES.get(name, ()), text)


def _context(spot: Spot, asked: Asked) -> list[Offer]:
    """The files of `--context DIR`; without one the context is empty."""
    try:
        words = shlex.split(spot.line)
    except ValueError:
        return []
    folder = ""
    for word, following in zip(words, [*words[1:], ""], strict=False):
        if word == "--context":
            folder = following
        elif word.startswith("--context="):
            folder = word.partition("=")[2]
    if not folder:
        return []
    begin = f"{folder.rstrip('/')}/"
    found = files(Asked(begin + asked.text, asked.word))
    return plain(Offer(o.text.removeprefix(begin), o.what) for o in found)


def _variables(match: re.Match[str], spot: Spot) -> Found:
    """`$NAME` and `${NAME}` of the ARGs and ENVs above, in this stage or before the first FROM."""
    found: dict[str, str] = {}
    known = instructions.read("\n".join(spot.above))
    stage = known[-1].stage if known else 0
    for one in known:
        after_from = any(o.keyword == "FROM" and o.line <= one.line for o in known)
        if one.keyword in ("ARG", "ENV") and (one.stage == stage or not after_from):
            words = one.text.split()[1:]
            pairs = [w for w in words if "=" in w] or words[:1]
            for pair in pairs:
                name, equals, value = pair.partition("=")
                found[name] = f"{one.keyword} of line {one.line}" + (f", {value}" if equals else "")
    for name in _GIVEN:
        found.setdefault(name, "ARG that BuildKit knows; name it in an ARG first")
    end = "}" if match[1] else ""
    return Found(match[2], [Offer(n + end, w) for n, w in found.items() if n.startswith(match[2])])

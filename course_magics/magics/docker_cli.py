"""docs/reference/docker-cli.md: docker's words and flags beside ours.

Made by `python -m course_magics.magics.docker_cli > docs/reference/docker-cli.md`, from the
grammar, the reasons in `container/unsupported.py`, and what docker's client of Debian 13
(`.ci/newer-docker`) says with --help. A test compares.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from course_magics.guest.model import cache_dir
from course_magics.magics.container import MAGIC, unsupported
from course_magics.magics.grammar import Word

_HEAD = """\
# docker's words and flags, and ours

Made by `python -m course_magics.magics.docker_cli > docs/reference/docker-cli.md` from the grammar
and from what docker's client says with `--help` (Debian 13: docker 26.1, buildx 0.13).

What stands after `docker` in a terminal stands after `%container` in a cell. A flag marked ○ is
accepted and has no effect in a cell. `docs/magics.md` says what each flag does.
"""
#: The words whose flags are counted in a summary.
COUNTED = ("run", "build", "ps", "logs", "exec", "images", "network", "volume")


@dataclass
class Theirs:
    """What docker's client has. words: word → its flags, each with all its names."""

    words: dict[str, list[str]] = field(default_factory=dict)
    groups: list[str] = field(default_factory=list)


@dataclass
class Verdict:
    """One word of docker's. ours: None when we have it not. missing: flags without a reason."""

    word: str
    ours: Word | None
    flags: list[str]
    supported: list[str]
    reasons: dict[str, str]
    missing: list[str]


def client() -> Path:
    """Debian 13's docker client, as `.ci/newer-docker` unpacks it."""
    return cache_dir() / "newer-docker/bin/docker"


def read() -> Theirs:
    """Ask the client for all its words and flags. Raises OSError when it is not there."""
    found = Theirs()
    top = _help()
    found.words[""] = _flags(top)
    with ThreadPoolExecutor(4) as pool:
        first = [w for w in _words(top) if w not in unsupported.GROUPS]
        found.groups = [w for w in _words(top) if w in unsupported.GROUPS]
        whole = []
        for word, text in zip(first, pool.map(_help, first), strict=True):
            inner = _words(text)
            if inner:
                whole += [f"{word} {w}" for w in inner]
            else:
                found.words[word] = _flags(text)
        for name, text in zip(whole, pool.map(_help, whole), strict=True):
            found.words[name] = _flags(text)
    return found


def _help(word: str = "") -> str:
    # An engine that answers would hide the flags that it is too old for.
    environment = {
        **os.environ,
        "DOCKER_HOST": "unix:///nowhere/docker.sock",
        "DOCKER_CONFIG": str(client().parents[1]),
        "DOCKER_CONTEXT": "",
    }
    line = [str(client()), *word.split(), "--help"]
    done = subprocess.run(line, capture_output=True, text=True, env=environment, check=True)
    return done.stdout


def _words(text: str) -> list[str]:
    """The words under "Commands:", "Management Commands:" and so on."""
    found: list[str] = []
    for part in text.split("\n\n"):
        lines = part.strip("\n").split("\n")
        if re.fullmatch(r"[\w ]*Commands:", lines[0]):
            found += [m[1] for line in lines[1:] if (m := re.match(r"  ([\w-]+)", line))]
    return found


def _flags(text: str) -> list[str]:
    """ "-a --all" for each flag, without --help."""
    found = re.findall(r"^  (?:(-\w), |    )(--[\w-]+)", text, re.MULTILINE)
    return [f"{short} {long}".strip() for short, long in found if long != "--help"]


def judge(theirs: Theirs) -> list[Verdict]:
    """Every word of docker's, supported or not."""
    ours = {n: w for w in MAGIC.words for n in (w.name, *w.aliases)}
    return [_judge(name, flags, ours.get(name)) for name, flags in theirs.words.items()]


def _judge(name: str, flags: list[str], word: Word | None) -> Verdict:
    have = {n for f in word.flags for n in f.names.split()} if word else set()
    reasons = unsupported.FLAGS.get(word.name if word else name, {})
    supported = [f for f in flags if set(f.split()) <= have]
    rest = [f for f in flags if f not in supported]
    told = {f: reasons[_long(f)] for f in rest if _long(f) in reasons}
    missing = [f for f in rest if f not in told] if word or not name else []
    return Verdict(name, word, flags, supported, told, missing)


def _long(flag: str) -> str:
    return flag.rsplit(maxsplit=1)[-1]


def reason(name: str) -> str | None:
    """Why a word of docker's is not supported; None when no reason is given."""
    return unsupported.WORDS.get(name)


def shares(verdicts: list[Verdict]) -> dict[str, tuple[int, int]]:
    """For each of `COUNTED`: how many of docker's flags are supported, and how many there are."""
    found = {}
    for name in COUNTED:
        group = [v for v in verdicts if name in (v.word, v.word.split(" ")[0])]
        found[name] = (sum(len(v.supported) for v in group), sum(len(v.flags) for v in group))
    return found


def page(theirs: Theirs) -> str:
    """The whole page."""
    verdicts = judge(theirs)
    words = [v for v in verdicts if v.word]
    lines = [_HEAD, "## In short", ""]
    supported = sum(v.ours is not None for v in words)
    lines += [
        f"{supported} of {len(words)} words are supported; the others are listed below, and "
        f"{len(theirs.groups)} groups of words that are not there as a whole.",
        "",
        "| flags of | supported | of |",
        "|---|---|---|",
        *(f"| `{n}` | {have} | {all} |" for n, (have, all) in shares(verdicts).items()),
        "",
        "## Words and flags",
        "",
        "| docker … | flags | not supported, and why |",
        "|---|---|---|",
        *(_row(v, words) for v in sorted(words, key=lambda v: v.word) if v.ours),
        "",
        "## Words that are not supported",
        "",
        "| docker … | why |",
        "|---|---|",
        *(f"| `{n} …` | {unsupported.GROUPS[n]} |" for n in sorted(theirs.groups)),
        *(f"| `{v.word}` | {reason(v.word)} |" for v in words if not v.ours),
        "",
        "## Flags before the word",
        "",
        "| docker … | why not |",
        "|---|---|",
        *_before(verdicts[0]),
        "",
        "## Arguments",
        "",
        "| docker … | what a cell cannot |",
        "|---|---|",
        *(f"| `{n}` | {why} |" for n, why in unsupported.ARGUMENTS.items()),
    ]
    return "\n".join(lines) + "\n"


def _before(verdict: Verdict) -> Iterator[str]:
    for flag, why in verdict.reasons.items():
        yield f"| {_code(flag)} | {why} |"


def _row(verdict: Verdict, all: list[Verdict]) -> str:
    assert verdict.ours is not None
    first = next((v for v in all if v.word == verdict.ours.name), verdict)
    if first is not verdict and first.flags == verdict.flags:
        return f"| `{verdict.word}` | as `{first.word}` | |"
    idle = {f.long for f in verdict.ours.flags if f.help.startswith(("of no effect", "always so"))}
    flags = ", ".join(_code(f) + (" ○" if _long(f) in idle else "") for f in verdict.supported)
    lacks = [*verdict.reasons.items(), *((f, "?") for f in verdict.missing)]
    why = "; ".join(f"{_code(f)}: {r}" for f, r in lacks)
    return f"| `{verdict.word}` | {flags} | {why} |"


def _code(flag: str) -> str:
    return " ".join(f"`{name}`" for name in flag.split())


if __name__ == "__main__":
    print(page(read()), end="")

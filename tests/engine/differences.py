"""Where another engine than Docker 20.10 does something else, and the tests that show it.

A test named here must fail on that engine, with these words in its report: one that passes has
outlived its entry, and fails the run. `docs/reference/engines.md` is made of this table:
python -m tests.engine.differences > docs/reference/engines.md
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from course_magics.engine import Engine

#: The engines that the tests run against: what the table calls each.
ENGINES = {
    "docker": "Docker 20.10 (Debian 12), the first",
    "newer": "Docker 26.1 (Debian 13)",
    "podman": "Podman 4.3 (Debian 12) behind Docker's API",
    "embedded": "the embedded engine: Docker 20.10 in a small machine",
}


@dataclass(frozen=True)
class Difference:
    """engine: a key of ENGINES. tests: a pattern (fnmatch) of their names. words: in the report."""

    engine: str
    what: str
    tests: str
    words: str


DIFFERENCES: tuple[Difference, ...] = ()


def kind(found: Engine) -> str:
    """Which of ENGINES this is."""
    if found.is_podman:
        return "podman"
    return "docker" if int(found.version.partition(".")[0]) < 23 else "newer"


def difference(engine: str, test: str) -> Difference | None:
    """The entry for a test ("test_words.py::test_x[y]") on an engine, or None."""
    plain = test.replace("[", "<").replace("]", ">")
    for one in DIFFERENCES:
        pattern = one.tests.replace("[", "<").replace("]", ">")
        if one.engine == engine and fnmatchcase(plain, pattern):
            return one
    return None


def page() -> Iterator[str]:
    """docs/reference/engines.md, line by line."""
    yield "# What differs between engines"
    yield ""
    yield "<!-- made: python -m tests.engine.differences > docs/reference/engines.md -->"
    yield ""
    yield "The tests of `tests/engine` run against three engines: `.ci/engines newer podman` runs them"
    yield "against the two further ones. Where an engine does something else than Docker 20.10, the test"
    yield "named here fails on it, with the words given; one that does not fail any more ends the run."
    yield ""
    yield "Each engine says what it is: `%engine`."
    for key, title in ENGINES.items():
        yield ""
        yield f"## {title[0].upper()}{title[1:]}"
        yield ""
        own = [d for d in DIFFERENCES if d.engine == key]
        if key == "docker":
            yield "The one that the others are compared with."
        elif key == "embedded":
            yield "The tests of `tests/embedded` show it: `-v` sees only the folders that it shares, and a"
            yield "published port is passed on to this computer ([embedded.md](../embedded.md))."
        elif not own:
            yield "None are known."
        else:
            yield "| what differs | test | decisive words |"
            yield "|---|---|---|"
            for one in own:
                cells = (one.what, f"`{one.tests}`", f"`{one.words}`")
                yield f"| {' | '.join(c.replace('|', chr(92) + '|') for c in cells)} |"


if __name__ == "__main__":
    print("\n".join(page()))

"""The `course-magics` command: the same calls as the magics, for a terminal and for scripts."""

from __future__ import annotations

from course_magics.cli import (
    compose,
    doctor,
    engine,
    guest,
    host,
    images,
    lesson,
    measure,
    progress,
    registry,
    swarm,
    test,
)
from course_magics.terminal import Parser, run_command

#: One module for each noun; its `add` declares the noun's words.
_NOUNS = (
    doctor,
    guest,
    engine,
    host,
    images,
    measure,
    registry,
    swarm,
    compose,
    lesson,
    progress,
    test,
)


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit status. A fault is a few lines, never a traceback."""
    parser = Parser("course-magics", description=__doc__)
    words = parser.add_subparsers(metavar="WORD", required=True)
    for noun in _NOUNS:
        noun.add(words)

    def act() -> int | None:
        args = parser.parse_args(argv)
        found: int | None = args.run(args)
        return found

    return run_command(act)

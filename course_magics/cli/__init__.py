"""The `course-magics` command: the same calls as the magics, for a terminal and for scripts."""

from __future__ import annotations

import argparse

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
from course_magics.errors import CourseError
from course_magics.storage import disk_full, is_full
from course_magics.terminal import say

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
    """Run one command; returns the exit status. A CourseError is printed, never a traceback."""
    parser = argparse.ArgumentParser("course-magics", description=__doc__)
    words = parser.add_subparsers(metavar="WORD", required=True)
    for noun in _NOUNS:
        noun.add(words)
    args = parser.parse_args(argv)
    try:
        return int(args.run(args) or 0)
    except CourseError as error:
        say(error, error=True)
        return 1
    except OSError as error:
        if not is_full(error):
            raise
        say(disk_full(error.filename), error=True)
        return 1
    except KeyboardInterrupt:
        say("interrupted", error=True)
        return 130

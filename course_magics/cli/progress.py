"""`course-magics progress`: a learner's progress, to look at, to hand in, to forget."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from course_magics.cli.words import noun, say
from course_magics.errors import LessonError
from course_magics.storage import write_named
from course_magics.terminal import plain

if TYPE_CHECKING:
    from course_magics.cli.words import Words


def add(words: Words) -> None:
    """Declare its words."""
    words = noun(words, "progress", "exercises and questions that were done")
    show = words.add_parser("show", help="how far each notebook is")
    show.set_defaults(run=_show)
    export = words.add_parser("export", help="all of it, for an instructor")
    export.add_argument("file", nargs="?", metavar="FILE", help="default: standard output")
    export.add_argument("--format", choices=("json", "csv"), default="json")
    export.set_defaults(run=_export)
    reset = words.add_parser("reset", help="forget it: of one exercise and quiz, or all")
    reset.add_argument("name", nargs="?", default="", metavar="NAME")
    reset.set_defaults(run=_reset)


def _show(args: argparse.Namespace) -> None:
    from course_magics.lessons import overview, progress

    say(str(overview.overview()))
    say(f"kept in {progress.path()}")


def _export(args: argparse.Namespace) -> None:
    from course_magics.lessons import overview

    # Also in a file: it is looked at in a terminal sooner or later.
    text = plain(overview.export(args.format))
    if args.file in (None, "-"):
        say(text.removesuffix("\n"))
        return
    try:
        write_named(Path(args.file), text)
    except OSError as error:
        raise LessonError(f"{args.file} cannot be written: {error.strerror}") from None
    say(f"written: {args.file}")


def _reset(args: argparse.Namespace) -> None:
    from course_magics.lessons import overview

    said, note = overview.forget(args.name)
    say(said)
    if note:
        raise LessonError(note)

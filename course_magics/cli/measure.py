"""`course-magics measure`: the experiments in a terminal."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from course_magics.terminal import say
from course_magics.text import clean

if TYPE_CHECKING:
    from course_magics.cli.words import Words


def add(words: Words) -> None:
    """Declare it."""
    measure = words.add_parser("measure", help="measure a process, a container and a machine")
    measure.add_argument("name", nargs="?", help="the experiment (without: lists them)")
    measure.add_argument("--quick", action="store_true", help="fewer and smaller runs")
    measure.add_argument("--repeat", type=int, metavar="N", help="so many runs")
    measure.add_argument("--predict", nargs="+", default=[], metavar="SUBJECT=VALUE")
    measure.add_argument("--json", action="store_true", help="the result as JSON")
    measure.set_defaults(run=_measure)


def _measure(args: argparse.Namespace) -> None:
    from course_magics.experiments import measure, runner

    if args.name is None:
        say(runner.listing())
        return
    result = measure(
        args.name, quick=args.quick, repeat=args.repeat, predict=args.predict, progress=_progress
    )
    say(result.to_json() if args.json else result)


def _progress(done: int, total: int, words: str) -> None:
    """One line on a terminal, overwritten; nothing where the output goes to a file."""
    if sys.stderr.isatty():
        end = "\n" if done == total else ""
        print(f"\r\x1b[K{done}/{total} {clean(words)}", end=end, file=sys.stderr, flush=True)

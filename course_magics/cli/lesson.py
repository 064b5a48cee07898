"""`course-magics lesson`: make an exercise, and play exercises as CI does."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from course_magics.cli.words import noun, say

if TYPE_CHECKING:
    from course_magics.cli.words import Words


def add(words: Words) -> None:
    """Declare its words."""
    words = noun(words, "lesson", "exercises and quizzes, for whoever writes them")
    new = words.add_parser("new", help="make an exercise, its quiz and its notebook, to be filled")
    new.add_argument("name", help="NN-words, such as 19-plugins")
    new.set_defaults(run=_new)
    play = words.add_parser("play", help="does its check tell right from wrong? All, by default")
    play.add_argument("names", nargs="*", metavar="NAME")
    play.add_argument("--quiet", action="store_true", help="only the table at the end")
    play.set_defaults(run=_play)


def _new(args: argparse.Namespace) -> None:
    from course_magics.lessons.new import new

    for path in new(args.name):
        say(f"made: {path}")
    say(f"play it: course-magics lesson play {args.name}")


def _play(args: argparse.Namespace) -> int:
    from course_magics.display import Grid
    from course_magics.lessons import play

    played = []
    for exercise in list(play.chosen(args.names)):  # an unknown name before anything is played
        played.append(play.play(exercise, (lambda line: None) if args.quiet else say))
    rows = [
        (p.name, p.plays, f"{p.seconds:.1f}", "passed" if p.passed else "failed") for p in played
    ]
    columns = ["exercise", "plays", "seconds", "result"]
    say(f"\n{Grid(columns, rows, frozenset({'plays', 'seconds'})).text()}")
    for fault in (fault for p in played for fault in p.faults):
        say(f"\n{fault}")
    return int(any(not p.passed for p in played))

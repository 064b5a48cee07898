"""`course-magics engine`: the embedded engine, for where there is no Docker."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from course_magics.cli.words import noun, say

if TYPE_CHECKING:
    from course_magics.cli.words import Words


def add(words: Words) -> None:
    """Declare its words."""
    words = noun(words, "engine", "the embedded engine, for where there is no Docker")
    prepare = words.add_parser("prepare", help="make the snapshot that it starts from")
    prepare.add_argument("--force", action="store_true", help="make it even if nothing has changed")
    prepare.set_defaults(run=_prepare)
    for word, run, help in (
        ("start", _start, "start it, and say where it is reached"),
        ("stop", _stop, "stop it; containers go on at the next start"),
        ("reset", _reset, "back to its first images, no containers, no volumes"),
    ):
        words.add_parser(word, help=help).set_defaults(run=run)


def _prepare(args: argparse.Namespace) -> None:
    from course_magics.engine.embedded.prepare import prepare

    prepare(say, force=args.force)


def _start(_: argparse.Namespace) -> None:
    from course_magics.engine import embedded

    embedded.start(say)
    say(f"export DOCKER_HOST=unix://{embedded.socket_path()}")


def _stop(_: argparse.Namespace) -> None:
    from course_magics.engine import embedded

    if not embedded.stop():
        say("it does not run")


def _reset(_: argparse.Namespace) -> None:
    from course_magics.engine import embedded

    embedded.reset()

"""`course-magics host`: machines with an engine of their own, and docker contexts for them."""

from __future__ import annotations

import argparse
import shlex
import sys
from typing import TYPE_CHECKING

from course_magics.cli.words import noun, say

if TYPE_CHECKING:
    from course_magics.cli.words import Words
    from course_magics.streams import Stream


def add(words: Words) -> None:
    """Declare its words."""
    words = noun(words, "host", "machines with an engine of their own, each with a docker context")
    create = words.add_parser("create", help="make one, and a docker context for it")
    create.add_argument("name")
    create.add_argument("--memory", type=int, metavar="MIB", help="default: the box's own")
    create.add_argument("--cpus", type=int, metavar="NUMBER", help="default: the box's own")
    create.add_argument("--provider", help="Vagrant's provider; default: as Vagrant chooses")
    create.set_defaults(run=_create)
    words.add_parser("ls", help="list them").set_defaults(run=_ls)
    for word, run, help in (
        ("start", _start, "start one and its engine"),
        ("stop", _stop, "shut one down; its disk stays"),
        ("rm", _rm, "remove one: machine, disk and context"),
        ("env", _env, "the variables by which docker uses it"),
    ):
        parser = words.add_parser(word, help=help)
        parser.add_argument("name")
        parser.set_defaults(run=run)


def _screen() -> Stream:
    from course_magics.streams import Stream
    from course_magics.terminal import show

    return Stream(show, sys.stdout.flush)


def _create(args: argparse.Namespace) -> None:
    from course_magics.machines import hosts

    hosts.create(args.name, _screen(), memory=args.memory, cpus=args.cpus, provider=args.provider)
    say(f"{args.name} is ready: %engine use {args.name}, or: docker --context {args.name} ps")


def _ls(_: argparse.Namespace) -> None:
    from course_magics.machines import hosts

    say(str(hosts.ls()))


def _start(args: argparse.Namespace) -> None:
    from course_magics.machines import hosts

    hosts.start(args.name, _screen())


def _stop(args: argparse.Namespace) -> None:
    from course_magics.machines import hosts

    hosts.stop(args.name, _screen())


def _rm(args: argparse.Namespace) -> None:
    from course_magics.machines import hosts

    hosts.remove(args.name)
    say(f"{args.name} is removed")


def _env(args: argparse.Namespace) -> None:
    from course_magics.machines import hosts

    for key, value in hosts.environment(args.name).items():
        say(f"export {key}={shlex.quote(value)}")
    say(f'# eval "$(course-magics host env {shlex.quote(args.name)})"')

"""`course-magics swarm`: several engines on this one computer, joined to a Swarm."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from course_magics.cli.words import noun, say

if TYPE_CHECKING:
    from course_magics.cli.words import Words
    from course_magics.swarms.local import Node


def add(words: Words) -> None:
    """Declare its words."""
    words = noun(words, "swarm", "several engines on this one computer, joined to a Swarm")
    up = words.add_parser("up", help="start the engines and join them")
    up.add_argument("--nodes", type=int, default=3, help="how many (default: 3)")
    up.add_argument("--managers", type=int, default=1, help="how many of them decide (default: 1)")
    up.add_argument(
        "--on", metavar="namespaces|machines",
        help="where: namespaces (root on Linux) or Vagrant's machines (default: what works)",
    )  # fmt: skip
    up.add_argument(
        "--images", nargs="+", metavar="IMAGE", help="loaded into each node (default: course/…)"
    )
    up.add_argument("--programs", type=Path, metavar="DIR", help="folder with another dockerd")
    up.set_defaults(run=_up)
    for word, run, help in (
        ("status", _status, "each node: does it run, and what does the swarm say of it?"),
        ("down", _down, "take all of it away: engines, containers, networks, contexts"),
    ):
        words.add_parser(word, help=help).set_defaults(run=run)
    for word, run, help in (
        ("kill", _kill, "cut the power of a node"),
        ("start", _start, "start a node that was killed"),
    ):
        parser = words.add_parser(word, help=help)
        parser.add_argument("node", help="swarm-2, or just 2")
        parser.set_defaults(run=run)
    for parser in words.choices.values():
        parser.add_argument("--name", default="swarm", help="for a second one (default: swarm)")


def _up(args: argparse.Namespace) -> None:
    from course_magics.swarms.local import Swarm

    nodes = Swarm(args.name).up(
        args.nodes,
        managers=args.managers,
        on=args.on,
        images=args.images,
        programs=args.programs.expanduser().resolve() if args.programs else None,
        say=say,
    )
    say(f"in a notebook: %engine use {nodes[0].name}; in a terminal: docker -c {nodes[0].name} …")


def _status(args: argparse.Namespace) -> None:
    from course_magics.swarms.local import Swarm

    _show(Swarm(args.name).status())


def _show(nodes: list[Node]) -> None:
    from course_magics.display import Grid

    rows = [(n.name, n.address, "runs" if n.runs else "off", n.role, n.state) for n in nodes]
    say(Grid(["NODE", "ADDRESS", "ENGINE", "ROLE", "STATE"], rows).text())


def _down(args: argparse.Namespace) -> None:
    from course_magics.swarms.local import Swarm

    gone = Swarm(args.name).down()
    say(f"removed: {', '.join(gone)}" if gone else "there was none")


def _kill(args: argparse.Namespace) -> None:
    from course_magics.swarms.local import Swarm

    say(f"{Swarm(args.name).kill(args.node)} has no power any more")


def _start(args: argparse.Namespace) -> None:
    from course_magics.swarms.local import Swarm

    say(f"{Swarm(args.name).start(args.node)} runs again")

"""`course-magics guest`: the virtual machine that the course boots."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from course_magics.cli.words import noun, say

if TYPE_CHECKING:
    from course_magics.cli.words import Words


def add(words: Words) -> None:
    """Declare its words."""
    words = noun(words, "guest", "the virtual machine that the course boots")
    build = words.add_parser("build", help="make it from Debian packages")
    build.add_argument("--force", action="store_true", help="build even if nothing has changed")
    build.set_defaults(run=_build)
    fetch = words.add_parser("fetch", help="download one that was made before")
    fetch.add_argument("url")
    fetch.add_argument("--sha256", required=True, help="the file's SHA-256 in hex")
    fetch.set_defaults(run=_fetch)
    words.add_parser("box", help="add it to Vagrant as course/debian12").set_defaults(run=_box)
    lxc = words.add_parser("lxc", help="fetch LXC out of Debian's packages, for notebook 11")
    lxc.add_argument("--force", action="store_true", help="also where it is here already")
    lxc.set_defaults(run=_lxc)


def _build(args: argparse.Namespace) -> None:
    from course_magics import guest

    guest.build_guest(say, force=args.force)


def _fetch(args: argparse.Namespace) -> None:
    from course_magics import guest

    guest.fetch_guest(args.url, args.sha256, say)


def _box(args: argparse.Namespace) -> None:
    from course_magics import guest

    guest.ensure_box(say)


def _lxc(args: argparse.Namespace) -> None:
    from course_magics.guest.lxc import fetch

    fetch(say, force=args.force)

"""`course-magics compose`: the compose command, for where docker has none."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from course_magics.cli.words import noun, say

if TYPE_CHECKING:
    from course_magics.cli.words import Words


def add(words: Words) -> None:
    """Declare its words."""
    words = noun(words, "compose", "the compose command, for where docker has none")
    fetch = words.add_parser("fetch", help="unpack Debian's into the cache, where none is here")
    fetch.add_argument("--force", action="store_true", help="also where one is here")
    fetch.add_argument("--docker", action="store_true", help="the docker client too, for stacks")
    fetch.set_defaults(run=_fetch)


def _fetch(args: argparse.Namespace) -> None:
    from course_magics.containers.compose.fetch import fetch

    fetch(say, force=args.force, docker=args.docker)

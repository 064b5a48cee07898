"""`course-magics images`: the small base images that the notebooks use."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from course_magics.cli.words import noun, say

if TYPE_CHECKING:
    from course_magics.cli.words import Words


def add(words: Words) -> None:
    """Declare its words."""
    words = noun(words, "images", "the small base images that the notebooks use")
    build = words.add_parser("build", help="make them from Debian packages")
    build.add_argument(
        "names", nargs="*", help="busybox, debian, python (these if none); spark, qemu"
    )
    build.add_argument("--force", action="store_true", help="build even if nothing has changed")
    build.set_defaults(run=_build)
    only = words.add_parser("files", help="make their root file systems only: needs no engine")
    only.set_defaults(run=_files)


def _build(args: argparse.Namespace) -> None:
    from course_magics import engine, guest

    with engine.talking("docker build") as api:
        guest.build_images(api, say, names=args.names or None, force=args.force)


def _files(args: argparse.Namespace) -> None:
    from course_magics.guest.bases import BASES
    from course_magics.guest.images import IMAGES

    for name in IMAGES:
        BASES[name].ensure_tar(say)

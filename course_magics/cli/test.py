"""`course-magics test`: do the course's notebooks keep what they promise?"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from course_magics.cli.words import say
from course_magics.errors import OptionError

if TYPE_CHECKING:
    from course_magics.cli.words import Words


def add(words: Words) -> None:
    """Declare it."""
    parser = words.add_parser(
        "test", help="notebooks strictly under nbval, their exercises, form, links and facts"
    )
    parser.add_argument(
        "notebooks", nargs="*", type=Path, help="notebooks or folders (default: notebooks/)"
    )
    parser.add_argument("--fast", action="store_true", help="only read them, run nothing")
    parser.add_argument("--jobs", type=int, default=0, help="how many at a time")
    parser.set_defaults(run=_test)


def _test(args: argparse.Namespace) -> int:
    from course_magics.course import proof
    from course_magics.course.book import find
    from course_magics.course.lint import lint_folder
    from course_magics.course.run import default_jobs

    places = args.notebooks or [Path("notebooks") if Path("notebooks").is_dir() else Path()]
    found = find(places)
    if not found:
        raise OptionError(
            f"no notebooks in {', '.join(map(str, places))}",
            hint="course-magics test FOLDER, or the name of a notebook",
        )
    if not args.fast:
        proof.check_tools()
    proofs = proof.prove(found, say, fast=args.fast, jobs=args.jobs or default_jobs())
    whole = [str(f) for place in places if place.is_dir() for f in lint_folder(place)]
    faults = [*whole, *(fault for p in proofs for fault in p.faults)]
    say("")
    for fault in faults:
        say(fault)
    say(f"\n{proof.table(proofs, fast=args.fast)}")
    say(f"{proof.counted(len(proofs), 'notebook')}, {proof.counted(len(faults), 'fault')}")
    return int(bool(faults))

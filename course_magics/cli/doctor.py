"""`course-magics doctor`: is all there, and does it work?."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from course_magics.terminal import say

if TYPE_CHECKING:
    from course_magics.cli.words import Words


def add(words: Words) -> None:
    """Declare it."""
    parser = words.add_parser("doctor", help="reach every part for real; a fix for each fault")
    parser.add_argument("--quick", action="store_true", help="leave out the timed boot")
    parser.set_defaults(run=_doctor)


def _doctor(args: argparse.Namespace) -> int:
    from course_magics import doctor
    from course_magics.engine import progress

    # The first start of the embedded engine takes minutes; the report itself stays as it is.
    progress.listen(lambda step: say(step, error=True))
    report = doctor.examine(quick=args.quick)
    say(report)
    return 0 if report.healthy else 1

"""How long the same computation takes."""

from __future__ import annotations

from course_magics.experiments import timed
from course_magics.experiments.lab import Lab
from course_magics.experiments.quantity import SECONDS
from course_magics.experiments.result import Measurement

_USUAL, _QUICK = 200_000, 100_000


def run(lab: Lab) -> Measurement:
    """A shell counts: no system calls, no files, little memory."""
    count, runs = (_QUICK if lab.quick else _USUAL), lab.runs(5, 3)
    lab.expect(3 * runs)
    script = f"i=0; while [ $i -lt {count} ]; do i=$((i + 1)); done"
    series = timed.series(lab, SECONDS, {"": (script, 1)}, runs)
    how = lab.how(
        f"{runs} runs",
        ("work", f"busybox's shell counts to {count:,}; the same binary everywhere"),
        timed.CLOCK,
    )
    return Measurement("cpu", "Time for the same computation", series, how)

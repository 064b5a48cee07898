"""How many fit in 1 GB of memory: counted from what a few of them take."""

from __future__ import annotations

from course_magics.experiments import memory
from course_magics.experiments.lab import Lab
from course_magics.experiments.quantity import COUNT
from course_magics.experiments.result import Measurement, Series

_ROOM = 1_000_000_000


def run(lab: Lab) -> Measurement:
    """A few are started for real; the rest is a division, and said to be one."""
    taken = memory.run(lab)
    series = []
    for one in taken.series:
        values = tuple(float(_ROOM // value) for value in one.values if value > 0)
        series.append(
            Series(one.subject, COUNT, values, one.what, one.emulated, one.missing, one.note)
        )
    # With its keeper is how a container really comes: the row that predictions are about.
    series.sort(key=lambda s: (("process", "container", "machine").index(s.subject), not s.what))
    how = [
        ("counted", "1 GB (1,000,000,000 bytes) divided by what each of a few idle ones takes"),
        *taken.how,
    ]
    return Measurement("density", "How many idle ones fit in 1 GB", series, how)

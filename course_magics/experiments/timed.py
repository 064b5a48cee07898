"""A piece of work timed inside its subject, by the clock of its kernel."""

from __future__ import annotations

from course_magics.experiments.lab import Lab, Subject
from course_magics.experiments.quantity import Quantity
from course_magics.experiments.result import Series

#: Goes by hundredths of a second in each kernel, so a work should take many of them.
CLOCK = ("clock", "each kernel's own /proc/uptime, in steps of 10 ms")
_TIMED = "read a x < /proc/uptime; {work}; read b x < /proc/uptime; echo took $a $b"


def took(subject: Subject, work: str) -> float:
    """How many seconds `work`, a shell script, takes in `subject`; 5 ms where it was too quick."""
    line = subject.run(_TIMED.format(work=work)).splitlines()[-1]
    _, begun, ended = line.split()
    return max(float(ended) - float(begun), 0.005)


def series(
    lab: Lab, quantity: Quantity, works: dict[str, tuple[str, float]], runs: int
) -> list[Series]:
    """Time works in each subject. works: what → (script, amount).

    The value is the seconds of the work, or for a rate its amount a second; for a cost (SECONDS
    with an amount other than 1) the seconds divided by it.
    """
    found = []
    for name in ("process", "container", "machine"):
        values: dict[str, list[float]] = {what: [] for what in works}
        emulated, note = False, ""
        with lab.noting(name):
            subject = lab.subject(name)
            emulated, note = subject.emulated, subject.note
            for what, (script, amount) in works.items():
                for _ in lab.times(runs, f"{name}: {what or 'run'}"):
                    seconds = took(subject, script)
                    rate = quantity.unit.endswith("/s")
                    values[what].append(amount / seconds if rate else seconds / amount)
        missing = lab.missing.get(name, "")
        found += [
            Series(name, quantity, tuple(values[what]), what, emulated, missing, note)
            for what in works
        ]
    return found

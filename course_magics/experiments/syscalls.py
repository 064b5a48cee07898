"""What one system call costs."""

from __future__ import annotations

from course_magics.experiments import timed
from course_magics.experiments.lab import Lab
from course_magics.experiments.quantity import SECONDS
from course_magics.experiments.result import Measurement

_USUAL, _QUICK = 500_000, 200_000


def run(lab: Lab) -> Measurement:
    """`dd` copies bytes one by one: a read and a write for each, and hardly anything else."""
    count, runs = (_QUICK if lab.quick else _USUAL), lab.runs(5, 3)
    lab.expect(3 * runs)
    script = f"dd if=/dev/zero of=/dev/null bs=1 count={count} 2>/dev/null"
    series = timed.series(lab, SECONDS, {"": (script, 2 * count)}, runs)
    how = lab.how(
        f"{runs} runs",
        ("work", f"busybox's dd reads and writes {count:,} bytes one by one; the same binary"),
        ("counted", "its whole time divided by the number of reads and writes"),
        ("filters", _filters(lab)),
        timed.CLOCK,
    )
    return Measurement("syscalls", "Time of one system call", series, how)


def _filters(lab: Lab) -> str:
    """Whether each subject's system calls pass a seccomp filter: that is part of their cost."""
    words = []
    for subject in lab.subjects():
        found = subject.run("sed -n 's/^Seccomp:[^0-9]*//p' /proc/self/status").strip()
        words.append(f"{subject.name} {'yes' if found == '2' else 'no'}")
    return "system calls pass a seccomp filter: " + ", ".join(words)

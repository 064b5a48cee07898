"""How fast files are written, and small ones made."""

from __future__ import annotations

from course_magics.experiments import timed
from course_magics.experiments.lab import Lab
from course_magics.experiments.quantity import PER_SECOND, RATE
from course_magics.experiments.result import Measurement

_MB = 1_000_000


def run(lab: Lab) -> Measurement:
    """One large file, written through to the disk; and many small ones."""
    size, small = (16, 200) if lab.quick else (64, 1000)
    runs = lab.runs(5, 3)
    lab.expect(6 * runs)
    place = 'd=$(mktemp -d /tmp/course.XXXXXX); trap "rm -rf $d" EXIT'
    large = f"{place}; dd if=/dev/zero of=$d/f bs=1000000 count={size} conv=fsync 2>/dev/null"
    many = f"{place}; i=0; while [ $i -lt {small} ]; do echo x > $d/$i; i=$((i + 1)); done"
    series = timed.series(lab, RATE, {"": (large, size * _MB)}, runs)
    series += timed.series(lab, PER_SECOND, {"small files": (many, small)}, runs)
    series.sort(key=lambda s: ("process", "container", "machine").index(s.subject))
    how = lab.how(
        f"{runs} runs",
        ("work", f"busybox's dd writes {size} MB and waits for the disk (fsync)"),
        ("small files", f"busybox's shell makes {small} files of two bytes, without fsync"),
        ("where", "in /tmp of each: " + ", ".join(_places(lab))),
        timed.CLOCK,
    )
    return Measurement("files", "Files written a second", series, how)


def _places(lab: Lab) -> list[str]:
    """What file system each subject writes to."""
    look = "df -PT /tmp | awk 'NR == 2 {print $2}'"
    return [f"{s.name} {s.run(look).strip() or 'unknown'}" for s in lab.subjects()]

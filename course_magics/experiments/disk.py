"""How much disk the first and each further one takes."""

from __future__ import annotations

from pathlib import Path

from course_magics.experiments.lab import IMAGE, Lab
from course_magics.experiments.quantity import BYTES
from course_magics.experiments.result import Measurement, Series
from course_magics.guest.box import installed_box

_FIRST, _FURTHER = "first", "further"


def run(lab: Lab) -> Measurement:
    """What must be there for the first one, and what each further one adds."""
    count = lab.runs(3, 2)
    lab.expect(count + 2)
    series = [*_process(lab), *_container(lab, count), *_machine(lab)]
    how = lab.how(
        f"{count} containers; process and machine: 1",
        ("process", "the program's file; a further one uses the same file"),
        ("container", f"the image {IMAGE}; then what each container has written itself"),
        ("machine", "the box's files; then the machine's own disk, as blocks of this computer's"),
    )
    return Measurement("disk", "Disk taken", series, how)


def _process(lab: Lab) -> list[Series]:
    first: tuple[float, ...] = ()
    further: tuple[float, ...] = ()
    with lab.noting("process"), lab.step("process"):
        first, further = (float(lab.program.stat().st_size),), (0.0,)
    missing = lab.missing.get("process", "")
    return [
        Series("process", BYTES, first, _FIRST, missing=missing),
        Series("process", BYTES, further, _FURTHER, missing=missing),
    ]


def _container(lab: Lab, count: int) -> list[Series]:
    first: tuple[float, ...] = ()
    values: list[float] = []
    emulated, note = False, ""
    with lab.noting("container"):
        emulated, note = lab.engine_emulated
        for n in range(count):
            with lab.step(f"container {n + 1} of {count}"):
                id = lab.new_container(["sleep", "1000"])
                rows = lab.api.containers(filters={"id": id}, size=True)
                values.append(float(rows[0].get("SizeRw", 0)))
        first = (float(lab.api.inspect_image(IMAGE)["Size"]),)
    missing = lab.missing.get("container", "")
    return [
        Series("container", BYTES, first, _FIRST, emulated, missing, note),
        Series("container", BYTES, tuple(values), _FURTHER, emulated, missing, note),
    ]


def _machine(lab: Lab) -> list[Series]:
    first: tuple[float, ...] = ()
    further: tuple[float, ...] = ()
    emulated = False
    with lab.noting("machine"), lab.step("machine"):
        emulated = lab.subject("machine").emulated
        box = installed_box()
        # What a machine shares with its box, as hard links, is the first one's.
        known: set[tuple[int, int]] = set()
        first = (taken(box, known),) if box is not None else ()
        further = (taken(lab.vagrant.data, known),)
    missing = lab.missing.get("machine", "")
    return [
        Series("machine", BYTES, first, _FIRST, emulated, missing),
        Series("machine", BYTES, further, _FURTHER, emulated, missing),
    ]


def taken(folder: Path, known: set[tuple[int, int]]) -> float:
    """Bytes that the files below `folder` take: holes are none, and none is counted twice.

    known: the files counted before; those found here are added.
    """
    whole = 0
    for path in folder.rglob("*"):
        about = path.lstat()
        key = (about.st_dev, about.st_ino)
        if path.is_file() and not path.is_symlink() and key not in known:
            known.add(key)
            whole += getattr(about, "st_blocks", about.st_size // 512) * 512
    return float(whole)

"""How much memory an idle one takes."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from course_magics.errors import CourseError, MachineError
from course_magics.experiments.lab import Lab, Process
from course_magics.experiments.machine import Machine
from course_magics.experiments.quantity import BYTES
from course_magics.experiments.result import Measurement, Series

_PAGE = 4096
#: A program that has just begun has not yet touched all that it will (seconds).
_SETTLED = 0.5
#: Prints, for a process and the one that looks after it, the pages that are theirs alone.
_LOOK = """\
pid={pid}
keeper=$(awk '{{print $4}}' /proc/$pid/stat)
for p in $pid $keeper; do awk '{{print $2 - $3}}' /proc/$p/statm; done"""


def run(lab: Lab) -> Measurement:
    """An idle program in each, several of them."""
    small, large = lab.runs(5, 3), 1
    lab.expect(2 * small + large)
    series = [_processes(lab, small), *_containers(lab, small), *_machines(lab)]
    how = lab.how(
        f"{small} of each that run at the same time (machine: 1)",
        ("program", "busybox's sleep"),
        ("process", "its own pages (resident less shared), from /proc"),
        ("container", "what its control group is charged; keeper: with the engine's own process"),
        ("", "that looks after it (its pages, less what such processes share)"),
        ("machine", "all that its QEMU takes from this computer"),
    )
    return Measurement("memory", "Memory taken by an idle one", series, how)


def _processes(lab: Lab, count: int) -> Series:
    values, running = [], []
    try:
        with lab.noting("process"):
            program = Process(lab.program).program
            for n in range(count):
                with lab.step(f"process {n + 1} of {count}"):
                    running.append(subprocess.Popen([program, "sleep", "1000"]))
            time.sleep(_SETTLED)
            for one in running:
                values.append(own_pages(Path(f"/proc/{one.pid}/statm").read_text()))
    finally:
        for one in running:
            one.kill()
            one.wait()
    return Series("process", BYTES, tuple(values), missing=lab.missing.get("process", ""))


def own_pages(statm: str) -> float:
    """Bytes that are a process's own, from the text of /proc/PID/statm."""
    _, resident, shared = statm.split()[:3]
    return float((int(resident) - int(shared)) * _PAGE)


def _containers(lab: Lab, count: int) -> list[Series]:
    charged: list[float] = []
    kept: list[float] = []
    emulated, note, why = False, "", ""
    with lab.noting("container"):
        emulated, note = lab.engine_emulated
        ids = []
        for n in range(count):
            with lab.step(f"container {n + 1} of {count}"):
                ids.append(lab.new_container(["sleep", "1000"]))
        charged = [charge(lab, id) for id in ids]
        try:
            keepers = keepers_of(lab, ids)
            kept = [c + k for c, k in zip(charged, keepers, strict=True)]
        except CourseError as error:
            why = error.message
        for id in ids:
            lab.remove_container(id)
    missing = lab.missing.get("container", "")
    return [
        Series("container", BYTES, tuple(charged), "", emulated, missing, note),
        Series("container", BYTES, tuple(kept), "with keeper", emulated, missing or why, note),
    ]


def charge(lab: Lab, id: str) -> float:
    """What the control group of a container is charged, less the file cache it can give back."""
    found = lab.api.stats(id, stream=False, one_shot=True)["memory_stats"]
    if "usage" not in found:
        raise CourseError("the engine does not count the memory of its containers")
    inactive = found.get("stats", {})
    cache = inactive.get("total_inactive_file", inactive.get("inactive_file", 0))
    return float(found["usage"] - cache)


def keepers_of(lab: Lab, ids: list[str]) -> list[float]:
    """What the engine's processes that look after these containers take, each for one."""
    looker = lab.new_container(["sleep", "1000"], pid="host")
    try:
        found = []
        for id in ids:
            pid = lab.api.inspect_container(id)["State"]["Pid"]
            script = _LOOK.format(pid=pid)
            made = lab.api.exec_create(looker, ["sh", "-c", script])
            lines = lab.api.exec_start(made["Id"]).decode().split()
            if len(lines) != 2 or not all(line.isdigit() for line in lines):
                raise CourseError("the engine's processes cannot be seen from a container")
            found.append(float(int(lines[1]) * _PAGE))
        return found
    finally:
        lab.remove_container(looker)


def _machines(lab: Lab) -> list[Series]:
    values: tuple[float, ...] = ()
    emulated = False
    with lab.noting("machine"), lab.step("machine"):
        emulated = lab.subject("machine").emulated
        values = (resident(lab.vagrant),)
    return [Series("machine", BYTES, values, "", emulated, lab.missing.get("machine", ""))]


def resident(machine: Machine) -> float:
    """What a machine takes from this computer. Raises MachineError where it cannot be seen."""
    pid = machine.pid
    if pid is None:
        raise MachineError(
            f"the memory of a machine of {machine.provider} cannot be seen from here"
        )
    return float(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE)

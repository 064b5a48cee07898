"""How long until something runs."""

from __future__ import annotations

from course_magics.experiments.lab import Lab, Process, clock
from course_magics.experiments.quantity import SECONDS
from course_magics.experiments.result import Measurement, Series


def run(lab: Lab) -> Measurement:
    """A program is started and says a word; a machine is up when a command runs in it."""
    small, large, boots = lab.runs(10, 5), lab.runs(2, 1), lab.runs(1, 1)
    lab.expect(2 * small + large + boots)
    series = [_process(lab, small), _container(lab, small), *_machine(lab, large, boots)]
    how = lab.how(
        f"{small} runs (machine: {large}, its cold boot: {boots})",
        ("timed", "process and container: start to end of a program that says one word"),
        ("", "machine: vagrant up, until a command runs in it"),
    )
    return Measurement("startup", "Time until it runs", series, how)


def _process(lab: Lab, runs: int) -> Series:
    values = []
    with lab.noting("process"):
        program = Process(lab.program)
        for _ in lab.times(runs, "process: start"):
            begun = clock()
            program.run("echo ready")
            values.append(clock() - begun)
    return Series("process", SECONDS, tuple(values), missing=lab.missing.get("process", ""))


def _container(lab: Lab, runs: int) -> Series:
    values, emulated, note = [], False, ""
    with lab.noting("container"):
        emulated, note = lab.engine_emulated
        for _ in lab.times(runs, "container: start"):
            begun = clock()
            id = lab.new_container(["echo", "ready"])
            lab.api.wait(id)
            values.append(clock() - begun)
            lab.remove_container(id)
    missing = lab.missing.get("container", "")
    return Series("container", SECONDS, tuple(values), "", emulated, missing, note)


def _machine(lab: Lab, runs: int, boots: int) -> list[Series]:
    values: dict[bool, list[float]] = {False: [], True: []}
    emulated, provider = False, ""
    with lab.noting("machine"):
        vagrant = lab.vagrant
        for cold, times in ((True, boots), (False, runs)):
            for _ in lab.times(times, f"machine: {'cold boot' if cold else 'start'}"):
                if vagrant.running:
                    vagrant.destroy()
                values[cold].append(vagrant.up(cold=cold))
        emulated, provider = vagrant.emulated, vagrant.provider
    missing = lab.missing.get("machine", "")
    if provider and provider != "qemu":  # the others have no snapshot to go on from
        both = (*values[True], *values[False])
        return [Series("machine", SECONDS, both, "", emulated, missing)]
    note = "from the box's pre-booted snapshot" if values[False] else ""
    return [
        Series("machine", SECONDS, tuple(values[False]), "", emulated, missing, note),
        Series("machine", SECONDS, tuple(values[True]), "cold boot", emulated, missing),
    ]

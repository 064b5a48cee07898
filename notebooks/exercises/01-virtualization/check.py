"""Does a container `wild` work without rest, and may it use half a CPU at most?"""

from collections.abc import Iterator

from course_magics.lessons import Finding, State, expect

#: The first line tells which process is the one that reads; it works, too, while it does.
LOOK = "cat /proc/self/stat /proc/[0-9]*/stat"


def check(state: State) -> Iterator[Finding]:
    wild = state.container("wild")
    yield expect(
        wild is not None,
        "there is a container called wild",
        "no container is called wild",
        hint="create",
    )
    if wild is None:
        return
    yield expect(wild.running, "it runs", f"it does not run: it is {wild.state}", hint="start")
    cpus, shares = wild.limits.cpus, wild.raw["HostConfig"].get("CpuShares") or 0
    if cpus == 0 and shares:
        yield expect(
            False, "", "it may use every CPU that is free: a weight is no limit", hint="weight"
        )
    elif cpus == 0:
        yield expect(False, "", "it may use every CPU: nothing limits it", hint="limit")
    else:
        yield expect(
            abs(cpus - 0.5) < 0.005,
            "it may use half a CPU",
            f"it may use {cpus:g} CPUs, not half a one",
            hint="amount",
        )
    if wild.running:
        yield expect(
            works(state),
            "it works all the time",
            "its program waits: there is nothing to limit",
            hint="work",
        )


def works(state: State) -> bool:
    """Whether a process of it wants the CPU now."""
    lines = state.exec("wild", "sh", "-c", LOOK).stdout.splitlines()
    own = lines[0].split(" ", 1)[0] if lines else ""
    found = [(line.split(" ", 1)[0], line.rpartition(")")[2].split()[0]) for line in lines]
    return any(now == "R" and pid != own for pid, now in found)

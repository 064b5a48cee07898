"""Is `cage` bounded, and does `guard` share its PID namespace and no other?"""

from collections.abc import Iterator

from course_magics.lessons import Finding, State, expect

MOST = 32 * 1024 * 1024


def check(state: State) -> Iterator[Finding]:
    cage, guard = state.container("cage"), state.container("guard")
    there = cage is not None and guard is not None
    yield expect(there, "cage and guard exist", "cage or guard does not exist", hint="begin")
    if cage is None or guard is None:
        return
    running = cage.running and guard.running
    yield expect(running, "both run", "one of them does not run", hint="start")
    memory, cpus, most = cage.limits
    yield expect(
        0 < memory <= MOST,
        "cage has at most 32 MB of memory",
        "cage may use more memory than 32 MB",
        hint="memory",
    )
    yield expect(
        0 < cpus <= 0.5,
        "cage has at most half a processor",
        "cage may use more than half a processor",
        hint="processor",
    )
    yield expect(
        0 < most <= 12,
        "cage has at most 12 processes",
        "cage may have more than 12 processes",
        hint="processes",
    )
    if not running:
        return
    seen = [state.exec(name, "readlink", "/proc/self/ns/pid").stdout for name in ("cage", "guard")]
    yield expect(
        seen[0] == seen[1] != "",
        "they have one PID namespace",
        "each has a PID namespace of its own",
        hint="share",
    )
    modes = [thing.raw["HostConfig"].get("PidMode") for thing in (cage, guard)]
    yield expect(
        "host" not in modes,
        "that namespace is theirs alone",
        "they see every process of the engine's computer",
        hint="alone",
    )

"""Does a container `small` run with little memory, no capabilities, and nothing to write?"""

from collections.abc import Iterator

from course_magics.lessons import Finding, State, expect

MOST = 64 * 1024**2


def check(state: State) -> Iterator[Finding]:
    small = state.container("small")
    yield expect(
        small is not None,
        "there is a container called small",
        "no container is called small",
        hint="create",
    )
    if small is None:
        return
    yield expect(small.running, "it runs", f"it does not run: it is {small.state}", hint="start")
    memory = small.limits.memory
    if memory:
        yield expect(
            memory <= MOST,
            "it may use 64 MB of memory at most",
            f"it may use {memory / 1024**2:.0f} MB of memory",
            hint="memory",
        )
    else:
        yield expect(False, "", "it may use all the memory there is", hint="memory")
    if not small.running:
        return
    # What the kernel says counts, not the flag: "CapEff" is what its first process may do.
    status = state.exec("small", "cat", "/proc/1/status").stdout
    rights = {
        name: value.strip() for name, _, value in (x.partition(":") for x in status.splitlines())
    }
    yield expect(
        int(rights.get("CapEff", "1"), 16) == 0,
        "it has no capability",
        "its root still has capabilities",
        hint="capabilities",
    )
    yield expect(
        bool(small.raw["HostConfig"].get("ReadonlyRootfs")),
        "it cannot write to its file system",
        "it can write to its file system",
        hint="write",
    )

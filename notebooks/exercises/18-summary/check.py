"""Is there a container `farewell` that may do as little as possible?"""

from collections.abc import Iterator

from course_magics.lessons import Finding, State, expect

_MOST = 64 * 1024 * 1024


def check(state: State) -> Iterator[Finding]:
    farewell = state.container("farewell")
    yield expect(
        farewell is not None and farewell.image == "course/busybox",
        "there is a container farewell from course/busybox",
        "no container is called farewell"
        if farewell is None
        else f"farewell is from {farewell.image}",
        hint="run",
    )
    if farewell is None:
        return
    yield expect(farewell.running, "it runs", f"it does not run: {farewell.state}", hint="stays")
    memory = farewell.limits.memory or 0
    yield expect(
        0 < memory <= _MOST,
        "its memory is limited",
        "its memory is not limited to 64 MB",
        hint="memory",
    )
    yield expect(
        farewell.raw["HostConfig"]["NetworkMode"] == "none",
        "it has no network",
        "it has a network",
        hint="network",
    )
    user = farewell.raw["Config"]["User"].partition(":")[0]
    yield expect(
        user not in ("", "0", "root"), "its program is not root", "its program is root", hint="user"
    )
    yield expect(
        farewell.raw["HostConfig"]["ReadonlyRootfs"],
        "it cannot write to its file system",
        "it can write to its file system",
        hint="writes",
    )

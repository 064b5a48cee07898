"""Has a machine booted in the container `dream`, within 512 MB?"""

from collections.abc import Iterator

from course_magics.lessons import Finding, State, expect

MOST = 512 * 1024**2


def check(state: State) -> Iterator[Finding]:
    dream = state.container("dream")
    yield expect(
        dream is not None,
        "there is a container called dream",
        "no container is called dream",
        hint="create",
    )
    if dream is None:
        return
    memory = dream.limits.memory
    yield expect(
        0 < memory <= MOST,
        "it may use 512 MB of memory at most",
        f"it may use {memory / 1024**2:.0f} MB of memory"
        if memory
        else "its memory is not limited",
        hint="memory",
    )
    if dream.state == "created":
        yield expect(False, "", "it was never started", hint="start")
        return
    said = state.logs("dream")
    yield expect(
        "nest 0 boot" in said,
        "it has started a machine",
        "it has started no machine",
        hint="depth",
    )
    if "nest 0 boot" in said:
        yield expect(
            "nest 1 end" in said,
            "the machine has booted and done its work",
            "the machine has not done its work",
            hint="boot",
        )

"""Is there a container `mine` from course/busybox that runs `sleep 600`?"""

from collections.abc import Iterator

from course_magics.lessons import Finding, State, expect


def check(state: State) -> Iterator[Finding]:
    mine = state.container("mine")
    yield expect(
        mine is not None,
        "there is a container called mine",
        "no container is called mine",
        hint="create",
    )
    if mine is None:
        return
    yield expect(
        mine.image == "course/busybox",
        "it comes from course/busybox",
        f"it comes from {mine.image}",
        hint="image",
    )
    yield expect(
        "sleep 600" in " ".join(mine.command),
        "its program is sleep 600",
        f"its program is {' '.join(mine.command)}",
        hint="program",
    )
    yield expect(mine.running, "it runs", f"it does not run: it is {mine.state}", hint="start")

"""Is there a container `letter`, made as asked and never started?"""

from collections.abc import Iterator

from course_magics.lessons import Finding, State, expect


def check(state: State) -> Iterator[Finding]:
    letter = state.container("letter")
    yield expect(
        letter is not None,
        "there is a container called letter",
        "no container is called letter",
        hint="create",
    )
    if letter is None:
        return
    yield expect(
        letter.state == "created",
        "it has never been started",
        f"it has been started: it is {letter.state}",
        hint="started",
    )
    yield expect(
        letter.image == "course/busybox",
        "it comes from course/busybox",
        f"it comes from {letter.image}",
        hint="image",
    )
    program = " ".join(letter.command)
    yield expect(
        program == "echo dear daemon",
        "it would run echo dear daemon",
        f"it would run {program or 'nothing'}",
        hint="program",
    )
    answer = letter.labels.get("answer")
    yield expect(
        answer == "please",
        "its label answer says please",
        "it has no label answer" if answer is None else f"its label answer says {answer!r}",
        hint="label",
    )

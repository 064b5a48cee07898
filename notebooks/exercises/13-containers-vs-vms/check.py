"""Does `clerk` see the processes of `kiosk`, and not its files?"""

from collections.abc import Iterator

from course_magics.lessons import Finding, State, expect

NOTE = "/tmp/note"


def check(state: State) -> Iterator[Finding]:
    kiosk, clerk = state.container("kiosk"), state.container("clerk")
    running = kiosk is not None and kiosk.running
    now = "there is none" if kiosk is None else f"it is {kiosk.state}"
    yield expect(running, "kiosk runs", f"kiosk does not run: {now}", hint="kiosk")
    if not running:
        return
    yield expect(
        has_note(state, "kiosk"), f"kiosk has {NOTE}", f"there is no {NOTE} in kiosk", hint="note"
    )
    running = clerk is not None and clerk.running
    now = "there is none" if clerk is None else f"it is {clerk.state}"
    yield expect(running, "clerk runs", f"clerk does not run: {now}", hint="clerk")
    if not running:
        return
    yield expect(
        processes(state, "clerk") == processes(state, "kiosk"),
        "both have one list of processes",
        "each has its own list of processes",
        hint="share",
    )
    yield expect(
        not has_note(state, "clerk"),
        f"clerk has another {NOTE.rpartition('/')[0]}",
        f"clerk finds {NOTE}, too",
        hint="apart",
    )


def has_note(state: State, container: str) -> bool:
    return state.exec(container, "sh", "-c", f"test -e {NOTE}").status == 0


def processes(state: State, container: str) -> str:
    """Which namespace of processes it is in: the kernel's name for it."""
    return state.exec(container, "readlink", "/proc/self/ns/pid").stdout

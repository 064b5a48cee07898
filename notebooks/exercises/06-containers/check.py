"""Does `keeper` run, with a note that is older than itself?"""

from collections.abc import Iterator
from datetime import UTC, datetime

from course_magics.lessons import Finding, State, expect

NOTE = "/data/note.txt"


def check(state: State) -> Iterator[Finding]:
    keeper = state.container("keeper")
    yield expect(
        keeper is not None,
        "there is a container keeper",
        "no container is called keeper",
        hint="begin",
    )
    if keeper is None:
        return
    yield expect(keeper.running, "it runs", f"it does not run: it is {keeper.state}", hint="start")
    if not keeper.running:
        return
    note = state.get("keeper", NOTE)
    yield expect(note is not None, f"it has {NOTE}", f"it has no {NOTE}", hint="place")
    if note is None:
        return
    yield expect(
        "kept" in note.split(),
        "the note says: kept",
        "the note does not say: kept",
        hint="words",
    )
    written = moment(state.exec("keeper", "stat", "-c", "%y", NOTE).stdout)
    made = moment(keeper.raw["Created"])
    yield expect(
        written is not None and made is not None and written < made,
        "the note is older than the container",
        "the note was written in this very container: it is not older than it",
        hint="older",
    )
    first = state.container("keeper-first")
    yield expect(
        first is None,
        "the container that wrote it is gone",
        "the container keeper-first is still there",
        hint="gone",
    )


def moment(text: str) -> datetime | None:
    """The time in UTC that stat ("2026-01-31 12:00:00.5 +0000") or the engine ("…T…Z") names."""
    words = text.replace("T", " ").replace("Z", " +0000").split()
    if len(words) < 2:
        return None
    seconds, _, part = words[1].partition(".")
    zone = words[2] if len(words) > 2 else "+0000"
    try:
        found = datetime.strptime(
            f"{words[0]} {seconds}.{(part or '0')[:6]} {zone}", "%Y-%m-%d %H:%M:%S.%f %z"
        )
    except ValueError:
        return None
    return found.astimezone(UTC)

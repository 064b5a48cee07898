"""Is there a context `practice` that leads to the engine in use?"""

from collections.abc import Iterator

from course_magics.engine import contexts
from course_magics.lessons import Finding, State, expect

NAME = "practice"


def check(state: State) -> Iterator[Finding]:
    there = NAME in contexts.names()
    yield expect(
        there,
        "there is a context practice",
        "no context is called practice",
        hint="create",
    )
    if not there:
        return
    found = contexts.load(NAME)
    yield expect(found.host, f"it names a way: {_kind(found.host)}", "it names no way", hint="way")
    same = state.on(NAME).answers and _id(state.on(NAME)) == _id(state)
    yield expect(
        same,
        "at its end is the engine that this notebook uses",
        "at its end is another engine"
        if state.on(NAME).answers
        else "no engine answers at its end",
        hint="way",
    )
    yield expect(
        found.description == "my own engine",
        "its description is right",
        f"its description is {found.description!r}",
        hint="description",
    )


def _id(state: State) -> str:
    return str(state.api.info()["ID"])


def _kind(host: str) -> str:
    return host.partition(":")[0]

"""Do `red` and `blue` serve their own page, from one image, bounded and apart?"""

from collections.abc import Iterator

from course_magics.lessons import Finding, State, expect

MOST = 32 * 1024 * 1024


def check(state: State) -> Iterator[Finding]:
    red, blue = state.container("red"), state.container("blue")
    yield expect(
        red is not None and blue is not None,
        "there are containers red and blue",
        "one of the containers red and blue is missing",
        hint="begin",
    )
    if red is None or blue is None:
        return
    yield expect(
        red.raw["Image"] == blue.raw["Image"],
        "both are made from one image",
        "they are made from different images",
        hint="image",
    )
    running = red.running and blue.running
    yield expect(running, "both run", "one of them does not run", hint="start")
    if running:
        pages = [page(state, name) for name in ("red", "blue")]
        yield expect(
            pages == ["red", "blue"],
            "each answers with its own name",
            "one of them does not answer with its own name on port 80",
            hint="page",
        )
    yield expect(
        all(0 < one.limits.memory <= MOST for one in (red, blue)),
        "each has at most 32 MB of memory",
        "one of them may use more memory than 32 MB",
        hint="memory",
    )
    shared = sorted(set(red.networks) & set(blue.networks) - {"none"})
    yield expect(
        not shared,
        "they have no network in common",
        f"both are on the network {', '.join(shared)}",
        hint="apart",
    )


def page(state: State, name: str) -> str:
    """What the server of that container answers, asked from inside."""
    return state.exec(name, "wget", "-qO-", "http://127.0.0.1/").stdout.strip()

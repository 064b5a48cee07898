"""Is course-demo/lean nearly as small as its base, and is the right checksum in it?"""

import hashlib
from collections.abc import Iterator

from course_magics.lessons import Finding, State, expect
from course_magics.units import show_bytes

MOST = 10_000
SUM = hashlib.sha256(bytes(5_000_000)).hexdigest()


def check(state: State) -> Iterator[Finding]:
    image, base = state.image("course-demo/lean"), state.image("course/busybox")
    yield expect(
        image is not None,
        "the image course-demo/lean is there",
        "there is no image called course-demo/lean",
        hint="build",
    )
    if image is None:
        return
    more = image.size - (base.size if base else 0)
    yield expect(
        more <= MOST,
        f"it is at most {show_bytes(MOST)} larger than course/busybox",
        f"it is {show_bytes(more)} larger than course/busybox; {show_bytes(MOST)} are allowed",
        hint="size",
    )
    container = state.container("lean")
    yield expect(
        container is not None and container.raw["Image"] == image.id,
        "the container lean was made from it",
        "no container called lean was made from the image that course-demo/lean is now",
        hint="container",
    )
    if container is None:
        return
    found = (state.get("lean", "/sum") or "").split()
    yield expect(
        found[:1] == [SUM],
        "/sum holds the checksum of the five million bytes",
        "/sum does not hold the checksum of the five million bytes",
        hint="sum",
    )

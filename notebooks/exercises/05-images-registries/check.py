"""Are there two editions of course-demo/news, and do latest and stable name the right ones?"""

from collections.abc import Iterator

from course_magics.lessons import Finding, State, expect
from course_magics.lessons.things import Image

LABEL = "org.opencontainers.image.version"


def check(state: State) -> Iterator[Finding]:
    editions = {}
    for tag in ("1", "2"):
        image = state.image(f"course-demo/news:{tag}")
        yield expect(
            image is not None,
            f"the image course-demo/news:{tag} is there",
            f"there is no image course-demo/news:{tag}",
            hint="build",
        )
        if image is None:
            return
        editions[tag] = image
    for tag, image in editions.items():
        yield expect(
            image.labels.get(LABEL) == tag,
            f"the label of course-demo/news:{tag} says {tag}",
            f"the label {LABEL} of course-demo/news:{tag} does not say {tag}",
            hint="label",
        )
    yield expect(
        _same(state, "latest", editions["2"]),
        "latest is another name of edition 2",
        "latest does not name the very image that the tag 2 names",
        hint="latest",
    )
    yield expect(
        _same(state, "stable", editions["1"]),
        "stable is another name of edition 1",
        "stable does not name the very image that the tag 1 names",
        hint="stable",
    )


def _same(state: State, tag: str, image: Image) -> bool:
    found = state.image(f"course-demo/news:{tag}")
    return found is not None and found.id == image.id

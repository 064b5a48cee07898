"""Does `veil` hide a file of a base image that is whole?"""

from collections.abc import Iterator

from course_magics.lessons import Finding, State, expect


def check(state: State) -> Iterator[Finding]:
    image, base = state.image("course-demo/veil"), state.image("course/busybox")
    yield expect(
        image is not None,
        "there is an image course-demo/veil",
        "there is no image course-demo/veil",
        hint="image",
    )
    if image is None or base is None:
        return
    lower, own = base.raw["RootFS"]["Layers"], image.raw["RootFS"]["Layers"]
    yield expect(
        own[: len(lower)] == lower,
        "the layers of course/busybox lie below it",
        "it does not lie on the layers of course/busybox",
        hint="base",
    )
    veil = state.container("veil")
    made = veil is not None and veil.raw["Image"] == image.raw["Id"]
    yield expect(
        made,
        "the container veil is made from it",
        "there is no container veil made from it",
        hint="container",
    )
    if not made:
        return
    yield expect(
        state.get("veil", "/etc/group") is None,
        "the container has no /etc/group",
        "the container has /etc/group",
        hint="hide",
    )
    words = state.get("veil", "/etc/motd") or ""
    yield expect(
        words.strip() == "Nothing is lost.",
        "/etc/motd says: Nothing is lost.",
        "/etc/motd does not say: Nothing is lost.",
        hint="words",
    )
    yield expect(
        len(own) > len(lower),
        "the image itself hides the file",
        "only the container hides it: the image has no layer of its own",
        hint="layer",
    )

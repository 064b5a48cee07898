"""What of all that an engine has the course made, and for whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from course_magics import engine, labels
from course_magics.errors import EngineError

if TYPE_CHECKING:
    from docker import APIClient

Filter = Mapping[str, list[str]]
Found = dict[str, Any]
#: What everybody's course has made, also in version 0.1.0, which knew no users.
EVERYBODY: Filter = {"label": [labels.SESSION]}


def name_of(container: Found) -> str:
    """A listed container's name; one that lost it has its id."""
    return str((container.get("Names") or [container["Id"][:12]])[0]).lstrip("/")


def containers(api: APIClient, filters: Sequence[Filter]) -> list[Found]:
    """The containers that one of the filters finds, running or not.

    Without those whose labels come from their image: somebody made it of a container of ours, and
    anybody may have run this one from it.
    """
    listed = {c["Id"]: c for one in filters for c in api.containers(all=True, filters=one)}
    image_labels: dict[str, Mapping[str, str]] = {}
    return [c for c in listed.values() if not _inherited(api, c, image_labels)]


def _inherited(api: APIClient, container: Found, seen: dict[str, Mapping[str, str]]) -> bool:
    own = container.get("Labels") or {}
    key = labels.THING if labels.THING in own else labels.SESSION
    return from_image(api, container, key, seen)


def from_image(
    api: APIClient, container: Found, key: str, seen: dict[str, Mapping[str, str]] | None = None
) -> bool:
    """Whether the container has the value of this label from its image. seen: images' labels."""
    seen = {} if seen is None else seen
    image = str(container["ImageID"])
    if image not in seen:
        seen[image] = _image_labels(api, image)
    return key in seen[image] and seen[image][key] == (container.get("Labels") or {}).get(key)


def _image_labels(api: APIClient, image: str) -> Mapping[str, str]:
    from docker.errors import NotFound

    try:
        return dict((api.inspect_image(image).get("Config") or {}).get("Labels") or {})
    except NotFound:
        return {}


def networks(api: APIClient, filters: Sequence[Filter]) -> list[Found]:
    """The networks that one of the filters finds."""
    found = {n["Id"]: n for one in filters for n in api.networks(filters=one)}
    return list(found.values())


def volumes(api: APIClient, filters: Sequence[Filter]) -> list[Found]:
    """The volumes that one of the filters finds."""
    listed = (v for one in filters for v in api.volumes(filters=one).get("Volumes") or ())
    return list({v["Name"]: v for v in listed}.values())


def images(api: APIClient, *, everybody: bool = False) -> tuple[list[str], list[str]]:
    """The names of the images that the course built (ids, where there are none).

    First those that can go; then those of what may be somebody's work: a commit, an image with
    several names (one may be somebody else's), one that a terminal built on one of the course.
    """
    listed = [
        image
        for image in api.images(filters={"label": labels.IMAGE})
        if everybody or _label(image)[0] == labels.user()
    ]
    theirs = _theirs(api, listed)
    sure: list[str] = []
    maybe: list[str] = []
    for image in listed:
        free = image["Id"] not in theirs and len(_tags(image)) <= 1
        (sure if free else maybe).extend(_names(image))
    return sure, maybe


def _label(image: Found) -> tuple[str, bool]:
    return labels.of_image((image.get("Labels") or {})[labels.IMAGE])


def _theirs(api: APIClient, listed: Sequence[Found]) -> set[str]:
    """The ids of the images that may be somebody's work.

    A `docker build` in a terminal that begins FROM a course's image inherits its labels. Where an
    image's history does not say that the label was put on it last, it counts as the reader's when
    it has a name and lies on an image with the same label; and so does that other one.
    """
    details = {i["Id"]: api.inspect_image(i["Id"]) for i in listed}
    theirs: set[str] = set()
    for image in listed:
        id = image["Id"]
        if _label(image)[1]:
            theirs.add(id)
            continue
        last = _labelled_last(api, id)
        if last:
            continue
        # Somebody has put a layer on it: a commit, a build of his own. A name says so below.
        if last is False or (not _tags(image) and _committed(details[id])):
            theirs.add(id)
        same = [i["Id"] for i in listed if i["Id"] != id and _label(i) == _label(image)]
        below = [i for i in same if _lies_on(details[id], details[i])]
        theirs |= {id, *below} if below and _tags(image) else set()
    return theirs | {i for i in details if i not in theirs and _takes_work(api, details[i])}


def _takes_work(api: APIClient, image: Found) -> bool:
    """Whether a commit without a name would go with the image, which was built on it.

    With an image the engine removes those below that have no name, down to the first that has one.
    """
    from docker.errors import NotFound

    while parent := str(image.get("Parent") or ""):
        try:
            image = api.inspect_image(parent)
        except NotFound:
            break
        if _tags(image):
            break
        value = ((image.get("Config") or {}).get("Labels") or {}).get(labels.IMAGE, "")
        if labels.of_image(value)[1]:
            return True
    return False


def _committed(image: Found) -> bool:
    """Whether an image without a label in its history was made of a container.

    Otherwise BuildKit has made it, which names no parent; Podman names one for each.
    """
    return bool(image.get("Parent")) and not engine.current().is_podman


def _tags(image: Found) -> list[str]:
    return [t for t in image.get("RepoTags") or () if "<none>" not in t]


def _names(image: Found) -> list[str]:
    """What a listed image is called, or its id."""
    return _tags(image) or [str(image["Id"])]


def _labelled_last(api: APIClient, image: str) -> bool | None:
    """Whether the label is among the last steps of its history, as the engine's own builder has it.

    None: in no step. BuildKit writes none.
    """
    said = [str(step.get("CreatedBy")) for step in api.history(image)]
    if not any(labels.IMAGE in step for step in said):
        return None
    return any(labels.IMAGE in step for step in takewhile(lambda s: " LABEL " in s, said))


def _lies_on(image: Found, other: Found) -> bool:
    layers = [(i.get("RootFS") or {}).get("Layers") or [] for i in (image, other)]
    prefix = layers[0][: len(layers[1])] == layers[1]
    newer = str(image.get("Created")) > str(other.get("Created"))
    return prefix and (len(layers[0]) > len(layers[1]) or newer)


def refuse_others(kind: str, name: str, given: Mapping[str, str] | None, flag: str) -> None:
    """Raises EngineError where the thing `name` with the labels `given` is another user's.

    flag: by which another name is chosen.
    """
    whose = (given or {}).get(labels.USER)
    if whose and whose != labels.user():
        raise EngineError(
            f"the {kind} {name} on this engine belongs to {whose.partition('@')[0]}",
            hint=f"choose another name: {flag}{name}-{labels.short_user()}",
        )

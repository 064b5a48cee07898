"""What notebooks have left behind: on the engine, as machines, as contexts."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_magics import engine, labels
from course_magics.engine import contexts
from course_magics.guest.bases import BASES
from course_magics.patience import Patience

if TYPE_CHECKING:
    from docker import APIClient

#: The first part of the name of each image that a notebook builds.
DEMO = "course-demo/"
_ENGINE_OWN = {"bridge", "host", "none", "ingress", "docker_gwbridge"}

#: Kind → names.
Things = dict[str, list[str]]


def things(folders: Iterable[Path], *, all: bool = False) -> Things:
    """What of the course is there now: on the engine in use, and machines below `folders`.

    all: also what carries no label of the course; for a computer that does nothing else.
    """
    with engine.talking("docker ps -a") as api:
        found = _on_engine(api, all)
    found["contexts"] = [
        name
        for name in contexts.names()
        if name != contexts.DEFAULT and (all or contexts.load(name).is_host)
    ]
    found["machines"] = _machines(folders)
    return {kind: sorted(names) for kind, names in found.items()}


def left(before: Things, folders: Iterable[Path], *, all: bool = False) -> Things:
    """What is there now and was not before; kinds of which nothing is left are not in it.

    What removes itself as its kernel ends may still be at it: it is waited for as long as
    something goes.
    """
    folders = list(folders)
    patience = Patience()
    while True:
        now = things(folders, all=all)
        new = {kind: sorted(set(names) - set(before.get(kind, ()))) for kind, names in now.items()}
        new = {kind: names for kind, names in new.items() if names}
        patience.saw(new)
        if not new or patience.over:
            return new
        time.sleep(0.5)


def told(new: Things) -> list[str]:
    """The same as lines."""
    return [f"left behind: {kind}: {', '.join(names)}" for kind, names in new.items()]


def _on_engine(api: APIClient, all: bool) -> Things:
    ours: dict[str, Any] = {} if all else {"label": labels.SESSION}
    found = {
        "containers": [
            (c.get("Names") or [c["Id"][:12]])[0].lstrip("/")
            for c in api.containers(all=True, filters=ours)
        ],
        "networks": [n["Name"] for n in api.networks(filters=ours) if n["Name"] not in _ENGINE_OWN],
        "volumes": [v["Name"] for v in api.volumes(filters=ours).get("Volumes") or ()],
        "images": _images(api, all),
    }
    swarm = api.info().get("Swarm", {})
    found["swarm"] = ["this engine"] if swarm.get("LocalNodeState") == "active" else []
    if swarm.get("ControlAvailable"):
        for kind, listed in (
            ("services", api.services),
            ("secrets", api.secrets),
            ("configs", api.configs),
        ):
            found[kind] = [one["Spec"]["Name"] for one in listed(filters=ours)]
    return found


def _images(api: APIClient, all: bool) -> list[str]:
    base = {f"{name}:latest" for name in BASES}
    names = []
    for image in api.images():
        tags = [tag for tag in image.get("RepoTags") or () if tag != "<none>:<none>"]
        built = labels.IMAGE in (image.get("Labels") or {})
        names += [t for t in tags if t not in base and (all or built or t.startswith(DEMO))]
        if not tags and (all or built):
            names.append(image["Id"].removeprefix("sha256:")[:12])
    return names


def _machines(folders: Iterable[Path]) -> list[str]:
    """Vagrant keeps a machine's id in .vagrant/machines/NAME/PROVIDER/id while it is there."""
    found = []
    for folder in folders:
        for id in folder.glob("**/.vagrant/machines/*/*/id"):
            project = id.parents[4]
            found.append(f"{project.relative_to(folder.parent)} {id.parents[1].name}")
    return found

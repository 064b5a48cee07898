"""What notebooks have left behind: on the engine, as machines, as contexts."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from course_magics import engine, labels
from course_magics.containers import ours, steps
from course_magics.engine import contexts
from course_magics.guest.bases import BASES

if TYPE_CHECKING:
    from docker import APIClient

#: The first part of the name of each image that a notebook builds.
DEMO = "course-demo/"
#: What removes itself as its kernel ends may still be at it (seconds).
_PATIENCE = 10
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
        if name != contexts.DEFAULT and (all or _made_here(contexts.load(name)))
    ]
    found["machines"] = _machines(folders)
    return {kind: sorted(names) for kind, names in found.items()}


def left(before: Things, folders: Iterable[Path], *, all: bool = False) -> Things:
    """What is there now and was not before; kinds of which nothing is left are not in it."""
    folders = list(folders)
    end = time.monotonic() + _PATIENCE
    while True:
        now = things(folders, all=all)
        new = {kind: sorted(set(names) - set(before.get(kind, ()))) for kind, names in now.items()}
        new = {kind: names for kind, names in new.items() if names}
        if not new or time.monotonic() > end:
            return new
        time.sleep(0.5)


def told(new: Things) -> list[str]:
    """The same as lines."""
    return [f"left behind: {kind}: {', '.join(names)}" for kind, names in new.items()]


def _on_engine(api: APIClient, all: bool) -> Things:
    asked: ours.Filter = {} if all else labels.mine()
    networks = [n["Name"] for n in ours.networks(api, [asked])]
    # Of a build that was cut off: no label says so.
    steps_left = {*steps.left(api), *steps.ended_ones(api)}
    containers = api.containers(all=True) if all else ours.containers(api, [asked])
    found = {
        "containers": [ours.name_of(c) for c in containers],
        "build steps": [] if all else [name for _, name in steps_left],
        "networks": [name for name in networks if name not in _ENGINE_OWN],
        "volumes": [v["Name"] for v in ours.volumes(api, [asked])],
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
            found[kind] = [one["Spec"]["Name"] for one in listed(filters=asked)]
    return found


def _images(api: APIClient, all: bool) -> list[str]:
    base = {f"{name}:latest" for name in BASES}
    names = []
    for image in api.images():
        tags = [tag for tag in image.get("RepoTags") or () if tag != "<none>:<none>"]
        user = (image.get("Labels") or {}).get(labels.USER)
        counts = all or user == labels.user()
        demo = [t for t in tags if t.startswith(DEMO) and not user]
        names += [t for t in (tags if counts else demo) if t not in base]
        if not tags and counts:
            names.append(image["Id"].removeprefix("sha256:")[:12])
    return names


def _made_here(context: contexts.Context) -> bool:
    return context.is_host or context.labels.get(labels.USER) == labels.user()


def _machines(folders: Iterable[Path]) -> list[str]:
    """Vagrant keeps a machine's id in .vagrant/machines/NAME/PROVIDER/id while it is there."""
    found = []
    for folder in folders:
        for id in folder.glob("**/.vagrant/machines/*/*/id"):
            project = id.parents[4]
            found.append(f"{project.relative_to(folder.parent)} {id.parents[1].name}")
    return found

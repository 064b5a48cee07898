"""What notebooks have left behind: on the engine, as machines, contexts, processes and so on."""

from __future__ import annotations

import contextlib
import math
import shlex
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_magics import engine, labels, runs
from course_magics.containers import ours, steps
from course_magics.course import undo
from course_magics.course.undo import machines
from course_magics.engine import contexts
from course_magics.guest.bases import BASES
from course_magics.machines import hosts, lists
from course_magics.patience import Patience
from course_magics.registry.place import Place
from course_magics.runtime import state_dir

if TYPE_CHECKING:
    import psutil
    from docker import APIClient

#: The first part of the name of each image that a notebook builds.
DEMO = "course-demo/"
#: What removes itself as its kernel ends may still be at it (seconds without a change).
_PATIENCE = 10
#: Programs that notebooks start beside the kernel.
_PROGRAMS = {
    "qemu-system-x86_64",
    "qemu-system-x86",
    "dockerd",
    "docker-registry",
    "vagrant",
    "ruby",
}
_ENGINE_OWN = {"bridge", "host", "none", "ingress", "docker_gwbridge"}

#: Kind → names.
Things = dict[str, list[str]]


def things(folders: Iterable[Path], *, all: bool = False, run: str = "") -> Things:
    """What of the course is there now: on the engine in use, and machines below `folders`.

    all: also what carries no label of the course; for a computer that does nothing else.
    run: the beginning of a run's marks: what carries another one, or none, is not looked at; the
    reader may be at work in a notebook meanwhile.
    """
    with engine.talking("docker ps -a") as api:
        found = _on_engine(api, all, run)
    found["contexts"] = [
        name
        for name in contexts.names()
        if name != contexts.DEFAULT and (all or _made_here(contexts.load(name)))
    ]
    found["machines"] = [
        f"{project.relative_to(folder.parent)} {name}"
        for folder in folders
        for project, name in machines(folder)
    ]
    found["listed machines"] = [
        f"{about.get('name')} in {about.get('vagrantfile_path')}"
        for about in (lists.index().values() if all else ())
    ]
    found["hosts"] = hosts.names()
    found["swarms"] = [file.stem for file in (state_dir() / "swarms").glob("*.json")]
    found["registries"] = ["registry"] if Place().running() is not None else []
    for kind, noted in (
        ("hosts", runs.HOST),
        ("swarms", runs.SWARM),
        ("registries", runs.REGISTRY),
    ):
        theirs = runs.of_others(noted, run)
        found[kind] = [name for name in found[kind] if name not in theirs]
    found["processes"] = _processes(all, run)
    return {kind: sorted(names) for kind, names in found.items()}


def left(before: Things, folders: Iterable[Path], *, all: bool = False, run: str = "") -> Things:
    """What is there now and was not before; kinds of which nothing is left are not in it.

    What removes itself as its kernel ends may still be at it: it is waited for as long as
    something goes.
    """
    folders = list(folders)
    patience = Patience(_PATIENCE)
    fewest: float = math.inf
    while True:
        now = things(folders, all=all, run=run)
        new = {kind: sorted(set(names) - set(before.get(kind, ()))) for kind, names in now.items()}
        new = {kind: names for kind, names in new.items() if names}
        # Only fewer leftovers count as progress: other programs' things come and go.
        fewest = min(fewest, sum(map(len, new.values())))
        patience.saw(fewest)
        if not new or patience.over:
            return new
        time.sleep(0.5)


#: Kind → the command that removes one.
_REMOVE = {
    "containers": "docker rm -f {}",
    "build steps": "docker rm -f {}",
    "networks": "docker network rm {}",
    "volumes": "docker volume rm {}",
    "images": "docker rmi {}",
    "services": "docker service rm {}",
    "secrets": "docker secret rm {}",
    "configs": "docker config rm {}",
    "contexts": "docker context rm {}",
    "listed machines": "vagrant global-status --prune",
    "hosts": "course-magics host rm {}",
    "swarms": "course-magics swarm down --name {}",
    "registries": "course-magics registry stop",
    "swarm": "docker swarm leave --force",
}


def told(new: Things) -> list[str]:
    """The same as lines, each with the command that removes it."""
    lines = []
    for kind, names in new.items():
        for name in names:
            if kind == "machines":
                folder, _, machine = name.rpartition(" ")
                command = f"cd {shlex.quote(folder)} && vagrant destroy -f {shlex.quote(machine)}"
            elif kind == "processes":
                command = f"kill {name.partition(' ')[0]}"
            else:
                command = _REMOVE.get(kind, "").format(shlex.quote(name))
            lines.append(f"left behind: {kind}: {name}" + (f"  → {command}" if command else ""))
    return lines


def _on_engine(api: APIClient, all: bool, run: str) -> Things:
    asked: ours.Filter = {} if all else labels.mine()

    def mine(found: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        return [
            one for one in found if (one.get("Labels") or {}).get(labels.RUN, "").startswith(run)
        ]

    networks = [n["Name"] for n in mine(ours.networks(api, [asked]))]
    # Of a build that was cut off: no label says so.
    steps_left = {*steps.left(api), *steps.ended_ones(api)}
    containers = mine(api.containers(all=True) if all else ours.containers(api, [asked]))
    found = {
        "containers": [ours.name_of(c) for c in containers],
        "build steps": [] if all else [name for _, name in steps_left],
        "networks": [name for name in networks if name not in _ENGINE_OWN],
        "volumes": [v["Name"] for v in mine(ours.volumes(api, [asked]))],
        "images": _images(api, all, run),
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


def _images(api: APIClient, all: bool, run: str) -> list[str]:
    """An image carries no run's mark: in a run only those with the notebooks' own names count."""
    base = {f"{name}:latest" for name in BASES}
    names = []
    for image in api.images():
        tags = [tag for tag in image.get("RepoTags") or () if tag != "<none>:<none>"]
        user, _ = labels.of_image((image.get("Labels") or {}).get(labels.IMAGE, ""))
        counts = all or (user == labels.user() and not run)
        theirs = user and (not run or user != labels.user())
        demo = [t for t in tags if t.startswith(DEMO) and not theirs]
        names += [t for t in (tags if counts else demo) if t not in base]
        if not tags and counts:
            names.append(image["Id"].removeprefix("sha256:")[:12])
    return names


def _made_here(context: contexts.Context) -> bool:
    return context.is_host or context.labels.get(labels.USER) == labels.user()


def _processes(all: bool, run: str) -> list[str]:
    """Pid and name: what a run of a notebook has started; all: any engine, machine or registry.

    The embedded engine is none of them: it serves all kernels and stops by itself.
    """
    import psutil

    found = set()
    for one in undo.processes(run):
        with contextlib.suppress(psutil.Error):  # it ended in the meantime
            found.add(f"{one.pid} {one.name()}")
    for one in psutil.process_iter() if all else ():
        with contextlib.suppress(psutil.Error):
            if one.name() in _PROGRAMS and "course_magics.engine.embedded" not in _above(one):
                found.add(f"{one.pid} {one.name()}")
    return sorted(found)


def _above(one: psutil.Process) -> str:
    """The command lines of a process and those that started it."""
    return " ".join(word for p in [one, *one.parents()] for word in p.cmdline())

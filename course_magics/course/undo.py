"""Takes away what a run of a notebook has made and not removed: by the run's own mark, only.

A kernel that is started with `COURSE_RUN` puts that value on whatever it makes: as a label on the
engine, as a note in the state folder for a host, swarm or registry (`runs.py`), and in the
environment of its processes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_magics import engine, labels, runs
from course_magics.errors import CourseError

if TYPE_CHECKING:
    from docker import APIClient
    from psutil import Process

#: How long a process may take to end after SIGTERM (seconds).
_ENDING = 10


def undo(run: str, folder: Path | None) -> list[str]:
    """Remove what the run `run` has left; returns what that was, as lines.

    folder: where its machines' projects are, and nobody else's; None: no machine is destroyed,
    only its process ended. What cannot be removed stays, and is said with the
    reason; `left.told` names the command for it.
    """
    gone: list[str] = []

    def tell(kind: str, name: str, remove: Callable[[], object]) -> None:
        try:
            remove()
        except (CourseError, OSError) as error:
            gone.append(f"{kind} {name} (still there: {_first(error)})")
        else:
            gone.append(f"{kind} {name}")

    for project, machine in machines(folder) if folder else ():
        tell("machine", f"{project.name} {machine}", partial(_destroy, project))
    for kind, name, remove in _in_the_state_folder(run):
        tell(kind, name, remove)
    with contextlib.suppress(CourseError), engine.talking("docker rm -f …") as api:
        for kind, name, remove in _on_the_engine(api, run):
            tell(kind, name, _refusable(remove))
    for one in processes(run):
        tell("process", f"{one.pid} {_name(one)}", partial(_end, one))
    return gone


def machines(folder: Path) -> Iterator[tuple[Path, str]]:
    """Vagrant's machines below `folder`: project and name.

    Vagrant keeps a machine's id in .vagrant/machines/NAME/PROVIDER/id while it is there.
    """
    for id in sorted(folder.glob("**/.vagrant/machines/*/*/id")):
        yield id.parents[4], id.parents[1].name


def _destroy(project: Path) -> None:
    from course_magics.machines import program

    status, out, err = program.capture(project, ["destroy", "-f"])
    if status:
        raise CourseError((err or out).strip().splitlines()[-1])


def _in_the_state_folder(run: str) -> Iterator[tuple[str, str, Callable[[], object]]]:
    """Hosts, swarms and registries that the run has noted as its own."""
    from course_magics.machines import hosts
    from course_magics.registry import server
    from course_magics.registry.place import Place
    from course_magics.swarms.local import Swarm

    removers: dict[str, Callable[[str], object]] = {
        runs.HOST: hosts.remove,
        runs.SWARM: lambda name: Swarm(name).down(),
        # Its images stay: they may be older than the run.
        runs.REGISTRY: lambda _: server.stop(Place()),
    }
    for kind, name in runs.made(run):
        yield kind, name, partial(removers[kind], name)
    runs.close(run)


def _on_the_engine(api: APIClient, run: str) -> Iterator[tuple[str, str, Callable[[], object]]]:
    mine = {"label": f"{labels.RUN}={run}"}
    swarm: dict[str, Any] = api.info().get("Swarm") or {}
    if swarm.get("ControlAvailable"):
        for one in api.services(filters=mine):
            yield "service", one["Spec"]["Name"], partial(api.remove_service, one["ID"])
        for one in api.secrets(filters=mine):
            yield "secret", one["Spec"]["Name"], partial(api.remove_secret, one["ID"])
        for one in api.configs(filters=mine):
            yield "config", one["Spec"]["Name"], partial(api.remove_config, one["ID"])
    for one in api.containers(all=True, filters=mine):
        name = (one.get("Names") or [one["Id"][:12]])[0].lstrip("/")
        yield "container", name, partial(api.remove_container, one["Id"], force=True, v=True)
    # Others have the run's label from a container that somebody made an image of.
    unfinished: dict[str, Any] = {"dangling": True, "label": [mine["label"], labels.UNFINISHED]}
    for one in api.images(filters=unfinished):
        yield "image", one["Id"], partial(api.remove_image, one["Id"])
    for one in api.networks(filters=mine):
        yield "network", one["Name"], partial(api.remove_network, one["Id"])
    for one in api.volumes(filters=mine).get("Volumes") or ():
        yield "volume", one["Name"], partial(api.remove_volume, one["Name"])


def _refusable(remove: Callable[[], object]) -> Callable[[], object]:
    """The same; what the engine refuses is a CourseError, and what has gone already is none."""

    def removed() -> None:
        from docker.errors import APIError

        try:
            remove()
        except APIError as error:
            if error.status_code != 404:
                raise CourseError(str(error.explanation or error)) from None

    return removed


def processes(run: str) -> list[Process]:
    """The processes that the run has started; run: its name or the beginning, "" for any run."""
    import psutil

    found = []
    for one in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            mine = one.environ().get(runs.VARIABLE, "")
            if mine and mine.startswith(run) and one.status() != "zombie":
                found.append(one)
    return found


def _name(one: Process) -> str:
    import psutil

    with contextlib.suppress(psutil.Error):
        return str(one.name())
    return "?"


def _end(one: Process) -> None:
    import psutil

    with contextlib.suppress(psutil.NoSuchProcess):
        one.terminate()
        try:
            one.wait(_ENDING)
        except psutil.TimeoutExpired:
            one.kill()


def _first(error: Exception) -> str:
    return error.message if isinstance(error, CourseError) else str(error)

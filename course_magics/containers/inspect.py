"""inspect, port, top, diff: what the engine knows of a thing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from course_magics import engine
from course_magics.containers.lifecycle import known
from course_magics.containers.listing import Lines, formatted
from course_magics.containers.naming import names_of
from course_magics.display import Block, Command, Pre, Shown, Table
from course_magics.engine.routes import route
from course_magics.errors import EngineError, OptionError, closest

if TYPE_CHECKING:
    from docker import APIClient


class Inspected(Shown):
    """The engine's own JSON about things. data: a list, one entry a thing; [0] the first."""

    def __init__(self, data: list[dict[str, Any]], command: str) -> None:
        self._data = data
        self.command = command

    @property
    def data(self) -> list[dict[str, Any]]:
        """What the engine said."""
        return self._data

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self.data[index]

    def __len__(self) -> int:
        return len(self.data)

    def blocks(self) -> Sequence[Block]:
        return [Pre(json.dumps(self.data, indent=4)), Command(self.command)]


#: kind → its path in the engine's API, in the order in which docker looks for a name.
_PATHS = {
    "container": "/containers/{}/json",
    "image": "/images/{}/json",
    "network": "/networks/{}",
    "volume": "/volumes/{}",
    "service": "/services/{}",
    "task": "/tasks/{}",
    "node": "/nodes/{}",
    "secret": "/secrets/{}",
    "config": "/configs/{}",
    "plugin": "/plugins/{}/json",
}
#: What can be named when there is no Swarm.
_KINDS = ("container", "image", "network", "volume")


def inspect(
    names: Sequence[str],
    line: str,
    *,
    kind: str | None = None,
    size: bool = False,
    template: str | None = None,
    verbose: bool = False,
) -> Shown:
    """What the engine knows of the containers, images, networks… called `names`.

    kind: only look among these. template: as `--format`. size: with a container's sizes.
    verbose: with a network's tasks on all nodes of a Swarm. Raises EngineError for an unknown name.
    """
    if kind and kind not in _PATHS:
        raise OptionError(f"--type takes {', '.join(_PATHS)}, not {kind!r}")
    asked = {"container": {"size": 1} if size else {}, "network": {"verbose": 1} if verbose else {}}
    with engine.talking(line) as api:
        data = [_find(api, name, [kind] if kind else list(_PATHS), asked) for name in names]
    if template and template != "json":
        return formatted(data, template, line)
    return Inspected(data, line)


def _find(
    api: APIClient, name: str, kinds: Sequence[str], asked: dict[str, dict[str, int]]
) -> dict[str, Any]:
    from docker.errors import APIError

    from course_magics.engine.stream import request

    for kind in kinds if name else ():
        try:
            where = route(_PATHS[kind], name)
            return dict(request(api, "GET", where, params=asked.get(kind)).json())
        except APIError as error:
            # Where there is no Swarm, nobody can ask for its things: docker goes on as well.
            if error.status_code != 404 and (kind in _KINDS or len(kinds) == 1):
                raise
    ours = kinds[0] in ("network", "volume")
    near = closest(name, names_of(api, kinds[0]) if ours else _all_names(api))
    lists = f"%container {kinds[0]} ls" if ours else "%container ps -a and %container images"
    raise EngineError(
        f"no such {' or '.join(kinds[: len(_KINDS)])}: {name}",
        hint=f"did you mean {near}?" if near else f"{lists} list{'s' if ours else ''} them",
    )


def _all_names(api: APIClient) -> list[str]:
    containers = [n.lstrip("/") for c in api.containers(all=True) for n in c.get("Names") or ()]
    images = [t.removesuffix(":latest") for i in api.images() for t in i.get("RepoTags") or ()]
    return containers + images + names_of(api, "network") + names_of(api, "volume")


def port(container: str, wanted: str | None, line: str) -> Lines:
    """Where a container's ports are published: "80/tcp -> 0.0.0.0:8080". wanted: only this one."""
    with engine.talking(line) as api:
        published = known(api, container)["NetworkSettings"]["Ports"] or {}
    if wanted is not None:
        key = wanted if "/" in wanted else f"{wanted}/tcp"
        if not published.get(key):
            raise EngineError(
                f"{container} does not publish {key}",
                command=line,
                hint=f"published: {', '.join(k for k, v in published.items() if v) or 'nothing'}",
            )
        return Lines([_address(b) for b in published[key]], line)
    found = [f"{p} -> {_address(b)}" for p, bs in sorted(published.items()) for b in bs or ()]
    return Lines(found, line)


def _address(binding: dict[str, str]) -> str:
    ip = binding["HostIp"]
    return f"[{ip}]:{binding['HostPort']}" if ":" in ip else f"{ip}:{binding['HostPort']}"


def top(container: str, options: Sequence[str] = (), line: str = "") -> Table:
    """A container's processes, as the host's `ps` sees them. options: for ps."""
    line = line or f"docker top {container}"
    with engine.talking(line) as api:
        known(api, container)
        found = api.top(container, " ".join(options) or None)
    titles, processes = found["Titles"], found["Processes"] or ()
    if len(titles) == 1:  # Podman 4 leaves the columns to the reader's eye
        titles = titles[0].split()
        processes = [p[0].split(None, len(titles) - 1) for p in processes]
    rows = [dict(zip(titles, p, strict=False)) for p in processes]
    # Process ids and times differ in every run; without options only what stays is shown.
    shown = titles if options else [t for t in titles if t in ("UID", "CMD", "USER", "COMMAND")]
    return Table({t: t for t in shown or titles}, rows, command=line)


def diff(container: str, line: str) -> Table:
    """The files that a container has added, changed or deleted over its image."""
    with engine.talking(line) as api:
        known(api, container)
        found = api.diff(container) or ()
    letters = {0: ("C", "changed"), 1: ("A", "added"), 2: ("D", "deleted")}
    rows = [
        {"Kind": letters[c["Kind"]][0], "What": letters[c["Kind"]][1], "Path": c["Path"]}
        for c in sorted(found, key=lambda c: str(c["Path"]))
    ]
    columns = {"": "Kind", "WHAT": "What", "PATH": "Path"}
    return Table(columns, rows, command=line, empty="(nothing has changed)")

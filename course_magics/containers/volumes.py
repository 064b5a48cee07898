"""Volumes: create, list, remove.

Flags as the docker CLI's (https://docs.docker.com/reference/cli/docker/volume/).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from course_magics import engine, labels
from course_magics.containers.lifecycle import Done, each
from course_magics.containers.listing import Lines, filters, formatted
from course_magics.containers.naming import naming, pairs
from course_magics.display import Block, Command, Line, Shown, Table
from course_magics.engine.stream import request
from course_magics.errors import EngineError

if TYPE_CHECKING:
    from docker import APIClient

_FILTERS = ("dangling", "driver", "label", "name")


class Volume(Shown):
    """A volume of the engine. name: also the one that the engine invented; driver; mountpoint."""

    def __init__(self, made: dict[str, Any], line: str, *, named: bool = True) -> None:
        self.name = str(made["Name"])
        self.driver = str(made["Driver"])
        self.mountpoint = str(made.get("Mountpoint") or "")
        self.command = line
        self._named = named

    @property
    def details(self) -> dict[str, Any]:
        """What `docker volume inspect` says now."""
        with engine.talking(f"docker volume inspect {self.name}") as api:
            return dict(request(api, "GET", f"/volumes/{self.name}").json())

    def blocks(self) -> Sequence[Block]:
        # An invented name is another one in each run.
        which = f"volume {self.name}" if self._named else "a volume without a name of yours (.name)"
        return [Line(f"created {which}"), Command(self.command)]


def create(
    name: str | None = None,
    *,
    driver: str = "local",
    opt: Sequence[str] = (),
    label: Sequence[str] = (),
    line: str = "docker volume create",
) -> Volume:
    """Make a volume; one that is there already stays as it is. Raises OptionError, EngineError."""
    body = {
        "Name": name or "",
        "Driver": driver,
        "DriverOpts": pairs(opt, "--opt"),
        "Labels": {**labels.ours(), **pairs(label, "--label", bare=True)},
    }
    with engine.talking(line) as api:
        made = request(api, "POST", "/volumes/create", json=body).json()
    return Volume(made, line, named=bool(name))


def remove(names: Sequence[str], line: str, *, force: bool = False) -> Done:
    """Remove volumes. force: no fault when there is none of that name."""

    def act(api: APIClient, name: str) -> None:
        with naming(api, "volume", name):
            request(api, "DELETE", f"/volumes/{name}", params={"force": int(force)})

    return each(names, "removed", act, line, containers=False)


def update(name: str, line: str) -> Done:
    """Refuses, as the engine does: only a Swarm's cluster volumes have something to change."""
    with engine.talking(line) as api, naming(api, "volume", name):
        driver = request(api, "GET", f"/volumes/{name}").json()["Driver"]
    raise EngineError(
        f"{name} is a volume of the driver {driver!r}: it has nothing that can be updated",
        command=line,
        hint="only cluster volumes (CSI plugins in a Swarm) have an availability",
    )


def ls(
    *,
    filter: Sequence[str] = (),
    quiet: bool = False,
    template: str | None = None,
    line: str = "docker volume ls",
) -> Shown:
    """The volumes: a `Table` of names and drivers, or `Lines`."""
    given = filters(filter, _FILTERS)
    with engine.talking(line) as api:
        found = api.volumes(filters=given).get("Volumes") or ()
    rows = [_row(v) for v in sorted(found, key=lambda v: str(v["Name"]))]
    if quiet:
        return Lines([r["Name"] for r in rows], line)
    if template and template != "table":
        return formatted(rows, template, line)
    return Table({"NAME": "Name", "DRIVER": "Driver"}, rows, command=line, empty="(no volumes)")


def _row(found: dict[str, Any]) -> dict[str, Any]:
    """One volume under docker's own field names."""
    return {
        "Name": found["Name"],
        "Driver": found["Driver"],
        "Scope": found["Scope"],
        "Mountpoint": found.get("Mountpoint", ""),
        "Labels": ",".join(f"{k}={v}" for k, v in sorted((found.get("Labels") or {}).items())),
        "Links": "N/A",
        "Size": "N/A",
        "Availability": "N/A",
        "Group": "N/A",
        "Status": "N/A",
    }

"""Volumes: create, list, remove.

Flags as the docker CLI's (https://docs.docker.com/reference/cli/docker/volume/).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from course_magics import engine, labels
from course_magics.containers.cluster_volumes import SINCE as CLUSTER_SINCE
from course_magics.containers.cluster_volumes import ClusterSpec, set_availability
from course_magics.containers.lifecycle import Done, each
from course_magics.containers.listing import Lines, filters, formatted
from course_magics.containers.naming import naming, pairs
from course_magics.containers.ours import refuse_others
from course_magics.containers.since import since
from course_magics.display import Block, Command, Line, Shown, Table
from course_magics.engine.routes import route
from course_magics.engine.stream import request

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
            return dict(request(api, "GET", route("/volumes/{}", self.name)).json())

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
    cluster: ClusterSpec | None = None,
    line: str = "docker volume create",
) -> Volume:
    """Make a volume; one that is there already stays as it is.

    cluster: make it a cluster volume of a Swarm. Raises OptionError, EngineError.
    """
    body: dict[str, Any] = {
        "Name": name or "",
        "Driver": driver,
        "DriverOpts": pairs(opt, "--opt"),
        "Labels": {**labels.ours(), **pairs(label, "--label", bare=True)},
    }
    if cluster is not None:
        body["ClusterVolumeSpec"] = cluster.body()
    with engine.talking(line) as api:
        if cluster is not None:
            since(api, "a cluster volume", CLUSTER_SINCE)
        made = request(api, "POST", "/volumes/create", json=body).json()
        refuse_others("volume", name or "", made.get("Labels"), "")
    return Volume(made, line, named=bool(name))


def remove(names: Sequence[str], line: str, *, force: bool = False) -> Done:
    """Remove volumes. force: no fault when there is none of that name."""

    def act(api: APIClient, name: str) -> None:
        with naming(api, "volume", name):
            request(api, "DELETE", route("/volumes/{}", name), params={"force": int(force)})

    return each(names, "removed", act, line, containers=False)


def update(name: str, availability: str, line: str) -> Done:
    """Say whether tasks may use a cluster volume; other volumes have nothing to change."""
    with engine.talking(line) as api, naming(api, "volume", name):
        found = request(api, "GET", route("/volumes/{}", name)).json()
        set_availability(api, found, availability, line)
    return Done("updated", [name], line)


def ls(
    *,
    filter: Sequence[str] = (),
    quiet: bool = False,
    template: str | None = None,
    cluster: bool = False,
    line: str = "docker volume ls",
) -> Shown:
    """The volumes: a `Table` of names and drivers, or `Lines`. cluster: only cluster volumes."""
    given = filters(filter, _FILTERS)
    with engine.talking(line) as api:
        found = api.volumes(filters=given).get("Volumes") or ()
    if cluster:
        found = [v for v in found if v.get("ClusterVolume")]
    rows = [_row(v) for v in sorted(found, key=lambda v: str(v["Name"]))]
    if quiet:
        return Lines([r["Name"] for r in rows], line)
    if template and template != "table":
        return formatted(rows, template, line)
    columns = {"NAME": "Name", "DRIVER": "Driver"}
    if cluster:
        columns |= {"GROUP": "Group", "AVAILABILITY": "Availability", "STATUS": "Status"}
    return Table(columns, rows, command=line, empty="(no volumes)")


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
        **_of_cluster(found.get("ClusterVolume")),
    }


def _of_cluster(found: dict[str, Any] | None) -> dict[str, str]:
    """What docker shows of a cluster volume; of any other it says N/A."""
    if not found:
        return dict.fromkeys(("Availability", "Group", "Status"), "N/A")
    info, published = found.get("Info") or {}, found.get("PublishStatus") or ()
    made = "created" if info.get("VolumeID") else "pending creation"
    return {
        "Availability": str(found["Spec"].get("Availability", "")),
        "Group": str(found["Spec"].get("Group", "")),
        "Status": "in use" if published else made,
    }

"""`docker node`: the engines of a swarm, and what runs where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from course_magics.containers.inspect import Inspected
from course_magics.containers.lifecycle import Done, each
from course_magics.containers.listing import Lines, filters, formatted
from course_magics.containers.swarm.talk import explaining, find, managing
from course_magics.containers.swarm.tasks import table
from course_magics.display import Shown, Table
from course_magics.engine.routes import route
from course_magics.engine.stream import request

if TYPE_CHECKING:
    from docker import APIClient

_FILTERS = ("id", "label", "membership", "name", "node.label", "role")


def ls(
    line: str, *, filter: Sequence[str] = (), quiet: bool = False, template: str | None = None
) -> Shown:
    """The nodes: name, state, availability, part in the management, engine."""
    given = filters(filter, _FILTERS)
    with managing(line) as api:
        own = api.info()["Swarm"]["NodeID"]
        found = api.nodes(filters=given)
    rows = sorted((_row(n, own) for n in found), key=lambda r: str(r["Hostname"]))
    if quiet:
        return Lines([r["ID"] for r in rows], line)
    if template:
        return formatted(rows, template, line)
    columns = {
        "HOSTNAME": "shown name",
        "STATUS": "Status",
        "AVAILABILITY": "Availability",
        "MANAGER STATUS": "ManagerStatus",
        "ENGINE VERSION": "EngineVersion",
    }
    return Table(columns, rows, command=line)


def _row(node: dict[str, Any], own: str) -> dict[str, Any]:
    manager = node.get("ManagerStatus") or {}
    name = node["Description"]["Hostname"]
    return {
        "ID": node["ID"],
        "Hostname": name,
        "Self": node["ID"] == own,
        "Status": node["Status"]["State"].capitalize(),
        "Availability": node["Spec"]["Availability"].capitalize(),
        "ManagerStatus": "Leader" if manager.get("Leader") else _words(manager),
        "EngineVersion": node["Description"]["Engine"]["EngineVersion"],
        "TLSStatus": "Ready",
        "shown name": f"{name} *" if node["ID"] == own else name,
    }


def _words(manager: dict[str, Any]) -> str:
    return str(manager.get("Reachability", "")).capitalize()


def ps(
    names: Sequence[str],
    line: str,
    *,
    filter: Sequence[str] = (),
    full: bool = False,
    quiet: bool = False,
    template: str | None = None,
) -> Shown:
    """The tasks on some nodes (default: this one)."""
    with managing(line) as api:
        ids = [find(api, "node", name)["ID"] for name in names or ["self"]]
        given = filters(filter, ("desired-state", "id", "label", "name"))
        return table(api, {**given, "node": ids}, line, full=full, quiet=quiet, template=template)


def inspect(names: Sequence[str], line: str, template: str | None = None) -> Shown:
    """All that the swarm knows of nodes."""
    with managing(line) as api:
        data = [find(api, "node", name) for name in names]
    if template and template != "json":
        return formatted(data, template, line)
    return Inspected(data, line)


def update(name: str, flags: Mapping[str, Any], line: str) -> Done:
    """Change a node: availability (active, pause, drain), role, labels."""
    labels = dict(item.partition("=")[::2] for item in flags["label_add"])

    def change(spec: dict[str, Any]) -> None:
        if flags["availability"]:
            spec["Availability"] = flags["availability"]
        if flags["role"]:
            spec["Role"] = flags["role"]
        kept = {k: v for k, v in (spec.get("Labels") or {}).items() if k not in flags["label_rm"]}
        spec["Labels"] = {**kept, **labels}

    return _changed([name], "updated", change, line)


def role(names: Sequence[str], wanted: str, line: str) -> Done:
    """Make nodes managers, or workers."""

    def change(spec: dict[str, Any]) -> None:
        spec["Role"] = wanted

    return _changed(names, "promoted" if wanted == "manager" else "demoted", change, line)


def _changed(names: Sequence[str], what: str, change: Any, line: str) -> Done:
    def act(api: APIClient, name: str) -> None:
        with explaining(line):
            node = find(api, "node", name)
            change(node["Spec"])
            params = {"version": node["Version"]["Index"]}
            path = route("/nodes/{}/update", node["ID"])
            request(api, "POST", path, params=params, json=node["Spec"])

    return each(names, what, act, line, containers=False)


def remove(names: Sequence[str], line: str, *, force: bool) -> Done:
    """Remove nodes from the swarm's list. force: also one that is not down."""

    def act(api: APIClient, name: str) -> None:
        with explaining(line):
            id = find(api, "node", name)["ID"]
            request(api, "DELETE", route("/nodes/{}", id), params={"force": int(force)})

    return each(names, "removed", act, line, containers=False)

"""Tasks: the places of a service, each a container on some node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from course_magics.containers.listing import Lines, ago, formatted
from course_magics.containers.swarm.talk import names
from course_magics.display import Shown, Table
from course_magics.engine.stream import request

if TYPE_CHECKING:
    from docker import APIClient


def tasks(api: APIClient, given: dict[str, list[str]]) -> list[dict[str, Any]]:
    """The tasks that fit the filters."""
    import json

    found = request(api, "GET", "/tasks", params={"filters": json.dumps(given)}).json()
    return list(found or ())


def label(task: dict[str, Any], service: str, nodes: dict[str, str]) -> str:
    """A task's name: web.1; of a global service, which has one a node, web.NODE."""
    return f"{service}.{task.get('Slot') or nodes.get(task.get('NodeID', ''), '?')}"


def error_of(task: dict[str, Any]) -> str:
    """Why it does not run, in the swarm's words; "" for none."""
    return str(task["Status"].get("Err") or "")


def table(
    api: APIClient,
    given: dict[str, list[str]],
    line: str,
    *,
    full: bool = False,
    quiet: bool = False,
    template: str | None = None,
) -> Shown:
    """`docker service ps` and `docker node ps`: a table of tasks, newest of each place first."""
    services, nodes = names(api, "service"), names(api, "node")
    found = tasks(api, given)
    found.sort(key=lambda t: t["CreatedAt"], reverse=True)
    found.sort(
        key=lambda t: (
            services.get(t["ServiceID"], ""),
            t.get("Slot", 0),
            "" if t.get("Slot") else nodes.get(t.get("NodeID", ""), ""),
        )
    )
    rows = [_row(t, services, nodes, full=full) for t in found]
    if quiet:
        return Lines([r["ID"] for r in rows], line)
    if template:
        return formatted(rows, template, line)
    columns = {
        "NAME": "Name",
        "IMAGE": "Image",
        "NODE": "Node",
        "DESIRED STATE": "DesiredState",
        "CURRENT STATE": "shown state",
        "ERROR": "Error",
        "PORTS": "Ports",
    }
    if not any(r["Ports"] for r in rows):
        del columns["PORTS"]
    if not any(r["Error"] for r in rows):
        del columns["ERROR"]
    return Table(columns, rows, command=line, empty="(no tasks)")


def _row(
    task: dict[str, Any], services: dict[str, str], nodes: dict[str, str], *, full: bool
) -> dict[str, Any]:
    from datetime import UTC, datetime

    status = task["Status"]
    state = str(status["State"]).capitalize()
    when = datetime.fromisoformat(status["Timestamp"][:19]).replace(tzinfo=UTC)
    since = ago((datetime.now(UTC) - when).total_seconds())
    error = error_of(task)
    ports = (status.get("PortStatus") or {}).get("Ports") or ()
    image = task["Spec"].get("ContainerSpec", {}).get("Image", "")
    published = [
        f"*:{p['PublishedPort']}->{p['TargetPort']}/{p.get('Protocol', 'tcp')}" for p in ports
    ]
    return {
        "ID": task["ID"] if full else task["ID"][:12],
        "Name": label(task, services.get(task["ServiceID"], "?"), nodes),
        "Image": image if full else image.partition("@")[0],
        "Node": nodes.get(task.get("NodeID", ""), ""),
        "DesiredState": str(task["DesiredState"]).capitalize(),
        "CurrentState": f"{state} {since} ago",
        "Error": error if full or len(error) <= 60 else error[:59] + "…",
        "Ports": ",".join(dict.fromkeys(published)),
        "shown state": state,
    }

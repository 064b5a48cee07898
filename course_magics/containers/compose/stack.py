"""A project's containers as they are now: rows, a table, and the object that `up` gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from course_magics import engine, labels
from course_magics.containers.compose.project import Project
from course_magics.containers.container import Container, state_of
from course_magics.containers.links import links, note
from course_magics.containers.listing import ports_of
from course_magics.display import Block, Command, Line, Link, Shown, Table
from course_magics.errors import EngineError, closest

PROJECT = labels.COMPOSE
SERVICE = "com.docker.compose.service"
_NUMBER = "com.docker.compose.container-number"
_ONEOFF = "com.docker.compose.oneoff"
COLUMNS = {
    "SERVICE": "shown name",
    "IMAGE": "Image",
    "STATE": "State",
    "HEALTH": "Health",
    "PORTS": "Ports",
}


def listed(name: str, *, oneoff: bool = False) -> list[dict[str, Any]]:
    """The containers of the project `name` as the engine lists them, by service and number.

    oneoff: also those of `compose run`.
    """
    with engine.talking(f"docker compose -p {name} ps -a") as api:
        found = api.containers(all=True, filters={"label": f"{PROJECT}={name}"})
    chosen = [c for c in found if oneoff or not is_oneoff(c)]
    return sorted(chosen, key=lambda c: (c["Labels"].get(SERVICE, ""), _number(c)))


def is_oneoff(listed: dict[str, Any]) -> bool:
    """Whether a container comes from `compose run`."""
    return bool(listed["Labels"].get(_ONEOFF) == "True")


def _number(listed: dict[str, Any]) -> int:
    text = listed["Labels"].get(_NUMBER, "")
    return int(text) if text.isdigit() else 0


def rows(name: str) -> list[dict[str, Any]]:
    """One row a container: Service, Name, Number, Image, State, ExitCode, Health, Ports, ID."""
    found = []
    with engine.talking(f"docker compose -p {name} ps -a") as api:
        for c in listed(name):
            try:
                details = dict(api.inspect_container(c["Id"]))
            except Exception as error:  # it may have gone since
                if getattr(error, "status_code", None) == 404:
                    continue
                raise
            state = details["State"]
            found.append(
                {
                    "Service": c["Labels"].get(SERVICE, ""),
                    "Name": details["Name"].lstrip("/"),
                    "Number": _number(c),
                    "Image": details["Config"]["Image"],
                    "State": state_of(details).partition(",")[0],
                    "ExitCode": state.get("ExitCode"),
                    "Health": (state.get("Health") or {}).get("Status", ""),
                    "Ports": ports_of(c.get("Ports") or (), stable=True),
                    "Restarts": details.get("RestartCount", 0),
                    "ID": c["Id"],
                    "details": details,
                }
            )
    return named(found)


def named(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows, each with the name that is shown: `web`, or `web-2` where there are several."""
    services = [r["Service"] for r in rows]
    for row in rows:
        several = services.count(row["Service"]) > 1
        row["shown name"] = f"{row['Service']}-{row['Number']}" if several else row["Service"]
    return rows


class Stack(Shown):
    """A compose project. name; rows: its containers when it was asked (`refresh` asks again).

    stack["web"] is the first container of the service web. command: the docker line.
    """

    def __init__(self, project: Project, command: str, notes: Sequence[str] = ()) -> None:
        self.project = project
        self.name = project.name
        self.command = command
        self.notes = list(notes)
        self.rows: list[dict[str, Any]] = rows(self.name)

    def refresh(self) -> Stack:
        """Ask the engine again."""
        self.rows = rows(self.name)
        return self

    @property
    def services(self) -> list[str]:
        """The names of the services that have containers."""
        return list(dict.fromkeys(row["Service"] for row in self.rows))

    def __getitem__(self, service: str) -> Container:
        for row in self.rows:
            if service in (row["Service"], row["Name"], row["shown name"]):
                return Container(row["Name"], row["ID"], row["Image"])
        raise no_service(service, self.services)

    def __len__(self) -> int:
        return len(self.rows)

    def table(self) -> Table:
        """Service, image, state, health and ports of each container."""
        return Table(COLUMNS, self.rows, empty="(no containers)")

    def blocks(self) -> Sequence[Block]:
        found: list[Block] = [Line(f"warning: {note}", "warn") for note in self.notes]
        found += self.table().blocks()
        for row in self.rows:
            if row["State"] == "running":
                words = f"{row['shown name']} opens at"
                found += [Link(words, u, note(u)) for u in _fixed(row["details"])]
        return [*found, Command(self.command)]


def _fixed(details: dict[str, Any]) -> list[str]:
    """The links of ports that the file names: a port that the engine chose differs each time."""
    given = (details.get("HostConfig") or {}).get("PortBindings") or {}
    fixed = {b.get("HostPort") for bs in given.values() for b in bs or () if b.get("HostPort")}
    return [url for url in links(details) if any(str(p) in url for p in fixed if p)]


def no_service(name: str, known: Sequence[str]) -> EngineError:
    """The error for a service that is not there."""
    near = closest(name, known)
    there = f"services: {', '.join(known)}" if known else "%compose ps lists them"
    return EngineError(f"no such service: {name}", hint=f"did you mean {near}?" if near else there)


def container_of(project: Project, service: str, index: int | None, line: str) -> dict[str, Any]:
    """A service's running container, the first or that with number `index`. Raises EngineError."""
    found = listed(project.name)
    own = [c for c in found if c["Labels"].get(SERVICE) == service]
    if index is not None:
        own = [c for c in own if _number(c) == index]
    running = [c for c in own if c["State"] in ("running", "paused")]
    if running:
        return running[0]
    if not own:
        from course_magics.containers.compose import source

        known = dict.fromkeys(c["Labels"].get(SERVICE, "") for c in found)
        known.update(dict.fromkeys(source.names(project.text or "", "services")))
        if service not in known or index is None:
            error = no_service(service, list(known))
            if service in known:
                error.message = f"the service {service} is not running"
                error.hint = f"%compose up -d {service} starts it"
        else:
            error = EngineError(f"the service {service} has no container number {index}")
    else:
        error = EngineError(
            f"the service {service} is not running", hint=f"%compose start {service}"
        )
    error.command = line
    raise error

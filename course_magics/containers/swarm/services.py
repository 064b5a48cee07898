"""`docker service`: create, update, scale, rollback, rm, ls, ps, inspect, logs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from course_magics import labels
from course_magics.containers.inspect import Inspected
from course_magics.containers.lifecycle import Done, each
from course_magics.containers.listing import Lines, filters, formatted
from course_magics.containers.ours import refuse_others
from course_magics.containers.swarm import converge, spec
from course_magics.containers.swarm.converge import Progress, Watch
from course_magics.containers.swarm.talk import explaining, find, lacks_ipvs, managing
from course_magics.containers.swarm.tasks import table
from course_magics.display import Block, Command, Facts, Line, Shown, Table
from course_magics.engine.routes import route
from course_magics.engine.stream import request
from course_magics.errors import EngineError, OptionError

if TYPE_CHECKING:
    from docker import APIClient

#: How often a change is sent before the manager's "update out of sequence" counts.
_TRIES = 4


class Service(Shown):
    """A service as it was left. name, id; ready and wanted: its tasks; None when not waited for."""

    def __init__(self, name: str, id: str, image: str, command: str, *, what: str = "") -> None:
        self.name = name
        self.id = id
        self.image = image
        self.command = command
        self.what = what
        self.progress: Progress | None = None
        self.warnings: list[str] = []

    def blocks(self) -> Sequence[Block]:
        facts: list[tuple[str, object]] = [("service", self.name), ("image", self.image)]
        if self.progress is not None:
            facts.append(("tasks", f"{self.progress.ready} of {self.progress.wanted} run"))
        blocks: list[Block] = [Facts(facts)]
        if self.progress is not None and self.progress.note:
            blocks.append(Line(self.progress.note, "warn"))
        return [*blocks, *(Line(w, "warn") for w in self.warnings), Command(self.command)]


def create(
    image: str,
    args: Sequence[str],
    flags: Mapping[str, Any],
    given: frozenset[str],
    line: str,
    watch: Watch | None = None,
) -> Service:
    """Make a service; without --detach wait until its tasks run. flags: docker's.

    Raises OptionError, EngineError (a task that does not run, and why), Interrupted.
    """
    made = spec.create(image, list(args), flags, given)
    made["Labels"] = {**labels.ours(), **(made.get("Labels") or {})}
    with managing(line) as api:
        made.setdefault("Name", _free_name(api, image))
        _resolve(api, made)
        headers = _auth(api, image, flags)
        for there in api.services(filters={"name": made["Name"]}):
            if there["Spec"]["Name"] == made["Name"]:
                refuse_others("service", made["Name"], there["Spec"].get("Labels"), "--name ")
        answer = request(api, "POST", "/services/create", json=made, headers=headers).json()
        found = Service(made["Name"], str(answer["ID"]), image, line)
        found.warnings += _warnings(made)
        if not flags["detach"]:
            found.progress = converge.wait(api, found.id, line, watch)
    return found


def _free_name(api: APIClient, image: str) -> str:
    base = image.rpartition("/")[2].partition("@")[0].partition(":")[0]
    taken = {s["Spec"]["Name"] for s in request(api, "GET", "/services").json() or ()}
    number = 1
    while f"{base}-{number}" in taken:
        number += 1
    return f"{base}-{number}"


def _auth(api: APIClient, image: str, flags: Mapping[str, Any]) -> dict[str, str]:
    """The reader's login for the image's registry, where the nodes shall have it too."""
    if not flags.get("with_registry_auth"):
        return {}
    from docker.auth import get_config_header, resolve_repository_name

    header = get_config_header(api, resolve_repository_name(image)[0])
    return {"X-Registry-Auth": header.decode()} if header else {}


def _resolve(api: APIClient, made: dict[str, Any]) -> None:
    """Secrets, configs and networks by id, as the engine takes them. Raises EngineError."""
    box = made["TaskTemplate"]["ContainerSpec"]
    for kind in ("secret", "config"):
        for entry in box.get(f"{kind.capitalize()}s") or ():
            if f"{kind.capitalize()}ID" not in entry:
                entry[f"{kind.capitalize()}ID"] = find(
                    api, kind, entry[f"{kind.capitalize()}Name"]
                )["ID"]
    for entry in made["TaskTemplate"].get("Networks") or ():
        entry["Target"] = _network_id(api, entry["Target"])


def _network_id(api: APIClient, name: str) -> str:
    from course_magics.errors import closest

    here = {n["Name"]: n for n in api.networks()}
    found = here.get(name) or next((n for n in here.values() if n["Id"] == name), None)
    if found is None:
        near = closest(name, here)
        raise EngineError(
            f"no such network: {name}",
            hint=f"did you mean {near}?"
            if near
            else f"%container network create -d overlay {name}",
        )
    if found["Scope"] != "swarm" and name not in ("host", "bridge", "none"):
        raise EngineError(
            f"the network {name} is on this engine only: a service needs one of the swarm",
            hint="%container network create -d overlay NAME",
        )
    return str(found["Id"])


def _warnings(made: dict[str, Any]) -> list[str]:
    """What the kernel here cannot do of it."""
    endpoint = made.get("EndpointSpec") or {}
    meshed = [p for p in endpoint.get("Ports") or () if p.get("PublishMode") == "ingress"]
    virtual = made["TaskTemplate"].get("Networks") and endpoint.get("Mode") != "dnsrr"
    if not (meshed or virtual) or not lacks_ipvs():
        return []
    found = []
    if meshed:
        port = meshed[0]
        found.append(
            "this kernel has no IPVS, so published ports do not answer; type "
            f"--publish mode=host,target={port['TargetPort']},"
            f"published={port.get('PublishedPort', port['TargetPort'])}"
        )
    if virtual:
        found.append(
            "this kernel has no IPVS, so the service's virtual IP does not answer; add "
            f"--endpoint-mode dnsrr, or ask for tasks.{made['Name']}"
        )
    return found


def update(
    name: str,
    flags: Mapping[str, Any],
    given: frozenset[str],
    line: str,
    watch: Watch | None = None,
) -> Service:
    """Change a service, task by task; without --detach wait until all have changed."""
    if flags.get("rollback"):
        return rollback(name, line, detach=flags["detach"], watch=watch)

    def change(api: APIClient, made: dict[str, Any]) -> None:
        own = dict(flags)
        if own.get("network_rm"):
            own["network_rm"] = [_network_id(api, n) for n in own["network_rm"]]
        spec.apply(made, own, given, adding="_add")
        _resolve(api, made)

    return _changed(name, change, line, detach=flags["detach"], watch=watch, flags=flags)


def scale(items: Sequence[str], line: str, *, detach: bool, watch: Watch | None = None) -> Table:
    """Change numbers of replicas: NAME=COUNT. Raises OptionError for one that is global."""
    wanted: dict[str, int] = {}
    for item in items:
        name, _, count = item.partition("=")
        if not name or not count.isdigit():
            raise OptionError(f"service scale takes NAME=COUNT, not {item!r}", hint="such as web=3")
        wanted[name] = int(count)
    made = []
    for name, number in wanted.items():

        def change(api: APIClient, found: dict[str, Any], number: int = number) -> None:
            spec.scale(found, number)

        made.append(_changed(name, change, line, detach=detach, watch=watch))
    rows = [
        {
            "Name": s.name,
            "Replicas": wanted[s.name],
            "Running": "" if s.progress is None else f"{s.progress.ready} of {s.progress.wanted}",
        }
        for s in made
    ]
    columns = {"NAME": "Name", "REPLICAS": "Replicas", "RUN": "Running"}
    if detach:
        del columns["RUN"]
    return Table(columns, rows, command=line)


def rollback(name: str, line: str, *, detach: bool, watch: Watch | None = None) -> Service:
    """Back to what the service was before its last change."""
    return _changed(name, None, line, detach=detach, watch=watch)


def _changed(
    name: str,
    change: Any,
    line: str,
    *,
    detach: bool,
    watch: Watch | None = None,
    flags: Mapping[str, Any] | None = None,
) -> Service:
    with managing(line) as api:
        found = _sent(api, name, change, line, flags or {})
        made = found["Spec"]
        now = find(api, "service", found["ID"])["Spec"]
        image = now["TaskTemplate"]["ContainerSpec"]["Image"].partition("@")[0]
        service = Service(now["Name"], found["ID"], image, line)
        if change is not None:
            service.warnings += _warnings(made)
        if not detach:
            service.progress = converge.wait(api, found["ID"], line, watch)
    return service


def _sent(
    api: APIClient, name: str, change: Any, line: str, flags: Mapping[str, Any]
) -> dict[str, Any]:
    """Send the change to the manager; returns the service as it was read, with the change in it.

    Its version must be the newest, and the manager counts it up by itself when it notes that an
    update has ended: read again then, as whoever types the line once more would have it.
    """
    from docker.errors import APIError

    for attempt in range(_TRIES):
        found = find(api, "service", name)
        params = {"version": found["Version"]["Index"]}
        headers = _auth(api, found["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"], flags)
        if change is None:
            params["rollback"] = "previous"
        else:
            change(api, found["Spec"])
        try:
            path = route("/services/{}/update", found["ID"])
            request(api, "POST", path, params=params, json=found["Spec"], headers=headers)
            break
        except APIError as error:
            words = str(error.explanation).lower()
            if "out of sequence" in words and attempt < _TRIES - 1:
                continue
            if change is None and "previous spec" in words:
                raise EngineError(f"{name} has not been changed yet", command=line) from None
            raise
    return found


def remove(names: Sequence[str], line: str) -> Done:
    """Remove services, and their containers with them."""

    def act(api: APIClient, name: str) -> None:
        with explaining(line):
            request(api, "DELETE", route("/services/{}", find(api, "service", name)["ID"]))

    return each(names, "removed", act, line, containers=False)


def ls(
    line: str, *, filter: Sequence[str] = (), quiet: bool = False, template: str | None = None
) -> Shown:
    """The services: mode, how many of their tasks run, image, ports."""
    given = filters(filter, ("id", "label", "mode", "name"))
    with managing(line) as api:
        params = {"filters": json.dumps(given)}
        found = request(api, "GET", "/services", params=params).json() or ()
        progress = {f["ID"]: converge.look(api, f["ID"]) for f in found}
    rows = [_row(f, progress[f["ID"]]) for f in sorted(found, key=lambda f: str(f["Spec"]["Name"]))]
    if quiet:
        return Lines([r["ID"] for r in rows], line)
    if template:
        return formatted(rows, template, line)
    columns = {
        "NAME": "Name",
        "MODE": "Mode",
        "REPLICAS": "Replicas",
        "IMAGE": "Image",
        "PORTS": "Ports",
    }
    return Table(columns, rows, command=line, empty="(no services)")


def _row(found: dict[str, Any], progress: Progress) -> dict[str, Any]:
    made = found["Spec"]
    modes = {"Replicated": "replicated", "Global": "global", "ReplicatedJob": "replicated job"}
    mode = next((m for key, m in modes.items() if key in made["Mode"]), "global job")
    ports = (found.get("Endpoint") or {}).get("Ports") or ()
    return {
        "ID": found["ID"][:12],
        "Name": made["Name"],
        "Mode": mode,
        "Replicas": f"{progress.ready}/{progress.wanted}",
        "Image": made["TaskTemplate"]["ContainerSpec"]["Image"].partition("@")[0],
        "Ports": ", ".join(
            f"*:{p.get('PublishedPort', '')}->{p['TargetPort']}/{p['Protocol']}" for p in ports
        ),
    }


def ps(
    names: Sequence[str],
    line: str,
    *,
    filter: Sequence[str] = (),
    full: bool = False,
    quiet: bool = False,
    template: str | None = None,
) -> Shown:
    """The tasks of services: each one's node, wanted and present state, error."""
    with managing(line) as api:
        ids = [find(api, "service", name)["ID"] for name in names]
        given = filters(filter, ("desired-state", "id", "name", "node"))
        return table(
            api, {**given, "service": ids}, line, full=full, quiet=quiet, template=template
        )


def inspect(names: Sequence[str], line: str, template: str | None = None) -> Shown:
    """All that the swarm knows of services."""
    with managing(line) as api:
        data = [find(api, "service", name) for name in names]
    if template and template != "json":
        return formatted(data, template, line)
    return Inspected(data, line)

"""Networks: create, connect, disconnect, list, remove.

What the flags mean is the docker CLI's (https://docs.docker.com/reference/cli/docker/network/), and
what is sent is in https://docs.docker.com/reference/api/engine/ ("Network").
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from course_magics import engine, labels
from course_magics.containers.lifecycle import Done, each
from course_magics.containers.lifecycle import naming as naming_container
from course_magics.containers.listing import Lines, filters, formatted
from course_magics.containers.naming import commas, naming, pairs
from course_magics.containers.ours import refuse_others
from course_magics.display import Block, Command, Facts, Line, Shown, Table
from course_magics.engine.routes import route
from course_magics.engine.stream import request
from course_magics.errors import OptionError

if TYPE_CHECKING:
    from docker import APIClient

_FILTERS = ("dangling", "driver", "id", "label", "name", "scope", "type")
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Subnet = ipaddress.IPv4Network | ipaddress.IPv6Network


class Network(Shown):
    """A network of the engine. name, id; what else is known is asked when it is wanted."""

    def __init__(self, name: str, id: str, asked: Sequence[tuple[str, object]], line: str) -> None:
        self.name = name
        self.id = id
        self.command = line
        self._asked = list(asked)

    @property
    def details(self) -> dict[str, Any]:
        """What `docker network inspect` says now."""
        with engine.talking(f"docker network inspect {self.name}") as api:
            return dict(request(api, "GET", route("/networks/{}", self.id)).json())

    @property
    def subnets(self) -> list[str]:
        """Its address ranges, such as "172.18.0.0/16"."""
        return [c["Subnet"] for c in self.details["IPAM"].get("Config") or () if "Subnet" in c]

    @property
    def containers(self) -> dict[str, str]:
        """The running containers on it: name → IPv4 address (IPv6 where there is no other)."""
        found = (self.details.get("Containers") or {}).values()
        return {
            c["Name"]: (c["IPv4Address"] or c["IPv6Address"]).partition("/")[0]
            for c in sorted(found, key=lambda c: str(c["Name"]))
        }

    def blocks(self) -> Sequence[Block]:
        facts: list[Block] = [Facts(self._asked)] if self._asked else []
        return [Line(f"created network {self.name}"), *facts, Command(self.command)]


@dataclass
class NetworkOptions:
    """The flags of `docker network create`, by their long names."""

    driver: str = "bridge"
    subnet: list[str] = field(default_factory=list)
    gateway: list[str] = field(default_factory=list)
    ip_range: list[str] = field(default_factory=list)
    aux_address: list[str] = field(default_factory=list)
    ipam_driver: str = "default"
    ipam_opt: list[str] = field(default_factory=list)
    opt: list[str] = field(default_factory=list)
    label: list[str] = field(default_factory=list)
    internal: bool = False
    attachable: bool = False
    ingress: bool = False
    ipv6: bool = False
    scope: str = ""
    config_only: bool = False
    config_from: str = ""

    def body(self, name: str) -> dict[str, Any]:
        """What the engine is sent. Raises OptionError."""
        if self.config_from and self.subnet:
            raise OptionError(
                "--subnet and --config-from exclude each other",
                hint="the addresses come from the network that --config-from names",
            )
        body: dict[str, Any] = {
            "Name": name,
            "CheckDuplicate": True,
            "Driver": "" if self.config_from else self.driver,
            "Internal": self.internal,
            "Attachable": self.attachable,
            "Ingress": self.ingress,
            "EnableIPv6": self.ipv6,
            "Scope": self.scope,
            "ConfigOnly": self.config_only,
            "Options": pairs(self.opt, "--opt"),
            "Labels": {**labels.ours(), **pairs(self.label, "--label", bare=True)},
            "IPAM": {
                "Driver": self.ipam_driver,
                "Options": pairs(self.ipam_opt, "--ipam-opt"),
                "Config": self.addresses(),
            },
        }
        if self.config_from:
            body["ConfigFrom"] = {"Network": self.config_from}
        return body

    def addresses(self) -> list[dict[str, Any]]:
        """An entry for each subnet, with the range, gateway and addresses that lie in it."""
        subnets = [subnet(text, "--subnet") for text in commas(self.subnet)]
        for number, one in enumerate(subnets):
            for other in subnets[:number]:
                if one.version == other.version and one.overlaps(other):
                    raise OptionError(f"--subnet: {other} and {one} overlap")
        found: dict[Subnet, dict[str, Any]] = {s: {"Subnet": str(s)} for s in subnets}

        def place(address: Address, what: str) -> dict[str, Any]:
            for one, entry in found.items():
                if address in one:
                    return entry
            have = ", ".join(map(str, subnets)) or "there is none: add --subnet"
            raise OptionError(f"{what} lies in no subnet", hint=f"subnets: {have}")

        for text in commas(self.ip_range):
            span = subnet(text, "--ip-range")
            _once(place(span.network_address, f"--ip-range {text}"), "IPRange", text)
        for text in commas(self.gateway):
            _once(place(address(text, "--gateway"), f"--gateway {text}"), "Gateway", text)
        for key, text in pairs(self.aux_address, "--aux-address").items():
            entry = place(address(text, "--aux-address"), f"--aux-address {key}={text}")
            entry.setdefault("AuxiliaryAddresses", {})[key] = text
        return list(found.values())


def _once(entry: dict[str, Any], key: str, value: str) -> None:
    if key in entry:
        raise OptionError(f"{key} is given twice for {entry['Subnet']}: {entry[key]} and {value}")
    entry[key] = value


def address(text: str, flag: str, version: int | None = None) -> Address:
    """`text` as an address. version: 4 or 6 where only one will do. Raises OptionError."""
    example = "2001:db8::33" if version == 6 else "172.30.100.104"
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        found = None
    if found is None or version not in (None, found.version):
        raise OptionError(f"{flag} takes an address such as {example}, not {text!r}")
    return found


def subnet(text: str, flag: str) -> Subnet:
    """`text` as a range of addresses. Raises OptionError, which names the range that was meant."""
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        pass
    try:
        hint = f"did you mean {ipaddress.ip_network(text, strict=False)}?" if "/" in text else None
    except ValueError:
        hint = None
    raise OptionError(f"{flag} takes addresses such as 172.28.0.0/16, not {text!r}", hint=hint)


def create(name: str, options: NetworkOptions | None = None, *, line: str = "") -> Network:
    """Make a network (`docker network create`). Raises OptionError, EngineError."""
    options = options or NetworkOptions()
    body = options.body(name)
    with engine.talking(line or f"docker network create {name}") as api:
        for there in api.networks(names=[name]):
            if there["Name"] == name:
                refuse_others("network", name, there.get("Labels"), "")
        made = request(api, "POST", "/networks/create", json=body).json()
    asked = [
        (word, ", ".join(commas(value)))
        for word, value in (
            ("subnet", options.subnet),
            ("range", options.ip_range),
            ("gateway", options.gateway),
        )
        if value
    ]
    if warning := made.get("Warning"):
        asked.append(("warning", warning))
    return Network(name, made["Id"], asked, line)


def connect(
    network: str,
    container: str,
    line: str,
    *,
    ip: str = "",
    ip6: str = "",
    alias: Sequence[str] = (),
    link: Sequence[str] = (),
    link_local_ip: Sequence[str] = (),
    driver_opt: Sequence[str] = (),
) -> Done:
    """Connect a container to a network, also while it runs. Raises OptionError, EngineError."""
    wanted: dict[str, Any] = {}
    if ip:
        wanted["IPv4Address"] = str(address(ip, "--ip", 4))
    if ip6:
        wanted["IPv6Address"] = str(address(ip6, "--ip6", 6))
    if link_local_ip:
        wanted["LinkLocalIPs"] = [str(address(a, "--link-local-ip")) for a in commas(link_local_ip)]
    end: dict[str, Any] = {"Aliases": commas(alias), "Links": list(link)}
    if wanted:
        end["IPAMConfig"] = wanted
    if driver_opt:
        end["DriverOpts"] = pairs(commas(driver_opt), "--driver-opt")
    body = {"Container": container, "EndpointConfig": end}
    with (
        engine.talking(line) as api,
        naming_container(api, container),
        naming(api, "network", network),
    ):
        # The engine lets a stopped container join a network that is not there: its start fails.
        request(api, "GET", route("/networks/{}", network))
        request(api, "POST", route("/networks/{}/connect", network), json=body)
        engine.current().published(container)
    return Done(f"connected to {network}:", [container], line)


def disconnect(network: str, container: str, line: str, *, force: bool = False) -> Done:
    """Take a container off a network. force: also one that the engine does not know any more."""
    body = {"Container": container, "Force": force}
    with engine.talking(line) as api, naming(api, "network", network):
        path = route("/networks/{}/disconnect", network)
        if force:
            request(api, "POST", path, json=body)
        else:
            with naming_container(api, container):
                request(api, "POST", path, json=body)
    return Done(f"disconnected from {network}:", [container], line)


def remove(names: Sequence[str], line: str, *, force: bool = False) -> Done:
    """Remove networks. force: no fault when there is none of that name."""
    from docker.errors import NotFound

    def act(api: APIClient, name: str) -> None:
        with naming(api, "network", name):
            try:
                request(api, "DELETE", route("/networks/{}", name))
            except NotFound:
                if not force:
                    raise

    return each(names, "removed", act, line, containers=False)


def ls(
    *,
    filter: Sequence[str] = (),
    full: bool = False,
    quiet: bool = False,
    template: str | None = None,
    line: str = "docker network ls",
) -> Shown:
    """The networks: a `Table` of names, drivers and scopes, or `Lines`. full: with whole ids."""
    given = filters(filter, _FILTERS)
    with engine.talking(line) as api:
        found = api.networks(filters=given)
    rows = [_row(n, full=full) for n in sorted(found, key=lambda n: str(n["Name"]))]
    if quiet:
        return Lines([r["ID"] for r in rows], line)
    if template and template != "table":
        return formatted(rows, template, line)
    columns = {"NAME": "Name", "DRIVER": "Driver", "SCOPE": "Scope"}
    if full:
        columns = {"NETWORK ID": "ID", **columns}
    return Table(columns, rows, command=line, empty="(no networks)")


def _row(found: dict[str, Any], *, full: bool) -> dict[str, Any]:
    """One network under docker's own field names."""
    return {
        "ID": found["Id"] if full else found["Id"][:12],
        "Name": found["Name"],
        "Driver": found["Driver"],
        "Scope": found["Scope"],
        "IPv6": str(found["EnableIPv6"]).lower(),
        "Internal": str(found["Internal"]).lower(),
        "CreatedAt": found["Created"].replace("T", " ").replace("Z", " +0000 UTC"),
        "Labels": ",".join(f"{k}={v}" for k, v in sorted((found.get("Labels") or {}).items())),
        "subnets": [c.get("Subnet", "") for c in (found.get("IPAM") or {}).get("Config") or ()],
    }

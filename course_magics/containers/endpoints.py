"""`--network` and what goes with it: the networks that a new container is connected to."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from course_magics.containers.naming import name_only
from course_magics.errors import OptionError, closest

if TYPE_CHECKING:
    from course_magics.containers.options import RunOptions

#: They have no settings of one container's own.
_BUILT_IN = ("default", "bridge", "host", "none", "nat")
_KEYS = ("name", "alias", "ip", "ip6", "mac-address", "link-local-ip", "driver-opt")


@dataclass
class Endpoint:
    """A container's place in the network `name`."""

    name: str
    aliases: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    ip: str = ""
    ip6: str = ""
    link_local: list[str] = field(default_factory=list)
    mac: str = ""
    driver_opts: dict[str, str] = field(default_factory=dict)

    def body(self) -> dict[str, Any]:
        """As the engine takes it."""
        return {
            "Aliases": self.aliases or None,
            "Links": self.links or None,
            "DriverOpts": self.driver_opts or None,
            "IPAMConfig": {
                "IPv4Address": self.ip,
                "IPv6Address": self.ip6,
                "LinkLocalIPs": self.link_local or None,
            },
        }


def endpoints(o: RunOptions) -> list[Endpoint]:
    """The networks that `--network` names; the first has also what the other flags say.

    Raises OptionError for an unknown key, and for a setting on a network that takes none.
    """
    found = [_read(item) for item in o.network]
    first = found[0] if found else Endpoint("default")
    shared = first.name.startswith("container:")
    own = not shared and first.name not in _BUILT_IN
    given = {
        "--network-alias": o.network_alias,
        "--ip": o.ip,
        "--ip6": o.ip6,
        "--link-local-ip": o.link_local_ip,
    }
    for flag, value in given.items():
        if value and not own:
            raise OptionError(
                f"{flag} needs a network of your own",
                hint="make one with `%container network create NAME`, and add --network NAME",
            )
    first.aliases += o.network_alias
    first.ip, first.ip6 = o.ip or first.ip, o.ip6 or first.ip6
    first.link_local += o.link_local_ip
    first.mac = _mac(o.mac_address) if o.mac_address else first.mac
    if own:
        first.links += o.link
    for other in found[1:]:
        if other.name in ("host", "none") or other.name.startswith("container:") or shared:
            raise OptionError(f"--network {other.name} cannot stand beside another network")
    return found or [first]


def _read(item: str) -> Endpoint:
    """`--network NAME`, or `--network name=NAME,alias=…,ip=…`."""
    if not re.match(r"[\w-]+=", item):
        return Endpoint(item)
    found = Endpoint("")
    for part in next(csv.reader([item]), []):
        key, _, value = part.strip().partition("=")
        if key not in _KEYS or not value:
            near = closest(key, _KEYS) if key not in _KEYS else None
            raise OptionError(
                f"--network takes NAME or name=NAME,KEY=VALUE, not {name_only(part)}",
                hint=f"did you mean {near}=…?" if near else f"keys: {', '.join(_KEYS)}",
            )
        if key == "name":
            found.name = value
        elif key == "alias":
            found.aliases.append(value)
        elif key == "link-local-ip":
            found.link_local.append(value)
        elif key == "driver-opt":
            name, _, rest = value.partition("=")
            found.driver_opts[name] = rest
        elif key == "mac-address":
            found.mac = _mac(value)
        else:
            setattr(found, key, value)
    if not found.name:
        raise OptionError("--network: name=NAME is missing")
    return found


def _mac(text: str) -> str:
    if not re.fullmatch(r"[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}", text):
        raise OptionError(f"--mac-address takes an address such as 92:d0:c6:0a:29:33, not {text!r}")
    return text

"""A bridge of this computer's own, on which engines in network namespaces meet."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path

from course_magics.errors import EngineError, OptionError
from course_magics.guest.procs import run

#: For tests of networks (RFC 2544): nobody's home, office or Docker network lies there.
_POOL = ipaddress.IPv4Network("198.18.0.0/15")
#: A network interface's name has at most 15 characters (Linux, IFNAMSIZ).
_LONGEST = 15


def interface(kind: str, name: str) -> str:
    """The name of our network interface for `name`. kind: "cm" for a bridge, "ve" for a cable.

    Raises OptionError for a name that cannot be part of one.
    """
    found = f"{kind}-{name}"
    if not re.fullmatch(r"[a-z][a-z0-9-]*", name) or len(found) > _LONGEST:
        raise OptionError(
            f"{name!r} cannot be part of a network interface's name",
            hint=f"at most {_LONGEST - 3} lower-case letters, digits and -",
        )
    return found


class Bridge:
    """A bridge with a /24 of its own. Its state is the kernel's: any process may remove it.

    name: any short one; the interface is `cm-NAME`.
    """

    def __init__(self, name: str) -> None:
        self.name = interface("cm", name)

    @property
    def exists(self) -> bool:
        """Whether the kernel has it."""
        return Path(f"/sys/class/net/{self.name}").exists()

    @property
    def subnet(self) -> ipaddress.IPv4Network:
        """Its addresses; .1 is this computer. Raises EngineError where it does not exist."""
        words = run(["ip", "-o", "-4", "addr", "show", "dev", self.name]) if self.exists else ""
        found = re.search(r"inet (\S+)", words)
        if found is None:
            raise EngineError(f"there is no network {self.name} on this computer")
        return ipaddress.IPv4Interface(found[1]).network

    def address(self, number: int) -> str:
        """The address of the engine with that number, from 1 on."""
        return str(self.subnet[number + 1])

    def make(self) -> None:
        """Make it where it is missing, and let its traffic pass. Raises CourseError."""
        if self.exists:
            return
        subnet = _free()
        run(["ip", "link", "add", self.name, "type", "bridge"])
        try:
            run(["ip", "addr", "add", f"{subnet[1]}/{subnet.prefixlen}", "dev", self.name])
            run(["ip", "link", "set", self.name, "up"])
            # Docker's own rules drop what they do not know, between two ports of a bridge too.
            chain = "DOCKER-USER" if "-N DOCKER-USER" in run(["iptables", "-S"]) else "FORWARD"
            answers = ["-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED"]
            run(["iptables", "-I", chain, "-i", self.name, "-j", "ACCEPT"])
            run(["iptables", "-I", chain, "-o", self.name, *answers, "-j", "ACCEPT"])
            outside = ["-s", str(subnet), "!", "-o", self.name]
            run(["iptables", "-t", "nat", "-A", "POSTROUTING", *outside, "-j", "MASQUERADE"])
        except BaseException:
            self.remove()
            raise

    def remove(self) -> None:
        """Remove it and its rules; no fault where there is nothing."""
        for table in ("filter", "nat"):
            for rule in run(["iptables", "-t", table, "-S"]).splitlines():
                if rule.startswith("-A ") and f" {self.name} " in f"{rule} ":
                    run(["iptables", "-t", table, "-D", *rule.split()[1:]])
        if self.exists:
            run(["ip", "link", "delete", self.name])


def _free() -> ipaddress.IPv4Network:
    """A /24 to which this computer has no route yet."""
    taken = []
    for line in run(["ip", "-4", "route", "show", "table", "all"]).splitlines():
        found = re.search(r"\b\d+\.\d+\.\d+\.\d+(/\d+)?", line)
        if found is not None:
            taken.append(ipaddress.IPv4Network(found[0], strict=False))
    for subnet in _POOL.subnets(new_prefix=24):
        if not any(subnet.overlaps(t) for t in taken):
            return subnet
    raise EngineError(f"no network is free in {_POOL}")

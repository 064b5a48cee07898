"""Published ports: what a container publishes in the machine is reached on this computer too.

QEMU's user network listens on 127.0.0.1 and passes on to the container's own address, so it is the
same for `-p 8080:80` and `-p 127.0.0.1:8080:80`, needs no helper process in the machine, and never
listens for other computers.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any, NamedTuple

from course_magics.engine.routes import route
from course_magics.errors import CourseError, EngineError

if TYPE_CHECKING:
    from course_magics.engine.embedded.machine import Machine

_EVENTS = "/events?filters=" + "%7B%22type%22%3A%5B%22container%22%2C%22network%22%5D%7D"
#: What changes which ports are published.
_CHANGES = {"start", "die", "destroy", "connect", "disconnect"}


class Port(NamedTuple):
    """A port of this computer, and where it leads. protocol: "tcp" or "udp"."""

    protocol: str
    number: int
    address: str
    inside: int


class Ports:
    """Keeps what QEMU forwards as the containers have it."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._open: set[Port] = set()
        self._one_at_a_time = asyncio.Lock()

    async def follow(self) -> None:
        """Keep up with what anybody does over the socket, for as long as the machine runs."""
        while True:
            with contextlib.suppress(OSError, CourseError, ValueError):
                await self._reconcile()
                reader, writer = await asyncio.open_unix_connection(self._machine.files.docker)
                try:
                    writer.write(f"GET {_EVENTS} HTTP/1.0\r\nHost: engine\r\n\r\n".encode())
                    while line := await reader.readline():
                        if line.startswith(b"{") and json.loads(line).get("Action") in _CHANGES:
                            await self._reconcile()
                finally:
                    writer.close()
            await asyncio.sleep(0.5)

    async def settle(self, container: str) -> list[int]:
        """The ports of this computer that lead to `container` now.

        Raises EngineError where one of those that it publishes is in use here.
        """
        refused = await self._reconcile()
        try:
            details = json.loads(await self._machine.get(route("/containers/{}/json", container)))
        except EngineError:  # it has ended and was removed already
            return []
        wanted = _of(details)
        for port in wanted:
            if port in refused:
                raise EngineError(
                    f"port {port.number} of this computer is in use", detail=refused[port]
                )
        return sorted(port.number for port in wanted)

    async def _reconcile(self) -> dict[Port, str]:
        """Open what is missing, close what is over; returns what was refused, and why."""
        refused: dict[Port, str] = {}
        async with self._one_at_a_time:
            running = json.loads(await self._machine.get("/containers/json"))
            details = [c for c in running if any(p.get("PublicPort") for p in c.get("Ports") or ())]
            wanted = {port for c in details for port in _of_listed(c)}
            for port in self._open - wanted:
                await self._say(f"hostfwd_remove net0 {port.protocol}:127.0.0.1:{port.number}")
                self._open.discard(port)
            for port in sorted(wanted - self._open):
                words = await self._say(
                    f"hostfwd_add net0 {port.protocol}:127.0.0.1:{port.number}"
                    f"-{port.address}:{port.inside}"
                )
                if words:
                    refused[port] = words
                else:
                    self._open.add(port)
        return refused

    async def _say(self, line: str) -> str:
        answer = await self._machine.qemu.monitor("human-monitor-command", command_line=line)
        return str(answer or "").strip()


def _of_listed(container: dict[str, Any]) -> set[Port]:
    """The ports of an entry of `/containers/json`."""
    address = _address(container)
    return {
        Port(p["Type"], p["PublicPort"], address, p["PrivatePort"])
        for p in container.get("Ports") or ()
        if p.get("PublicPort") and address and p["Type"] in ("tcp", "udp")
    }


def _of(details: dict[str, Any]) -> set[Port]:
    """The ports in what `/containers/ID/json` says."""
    address = _address(details)
    found = set()
    for key, bindings in (details["NetworkSettings"].get("Ports") or {}).items():
        inside, _, protocol = key.partition("/")
        for binding in bindings or ():
            if address and protocol in ("tcp", "udp"):
                found.add(Port(protocol, int(binding["HostPort"]), address, int(inside)))
    return found


def _address(container: dict[str, Any]) -> str:
    networks = container["NetworkSettings"].get("Networks") or {}
    return next((n["IPAddress"] for n in networks.values() if n.get("IPAddress")), "")

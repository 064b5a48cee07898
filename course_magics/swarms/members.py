"""Where the nodes of a swarm are: in namespaces of this computer's kernel, or in machines."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from course_magics import memory
from course_magics.engine.bridge import Bridge, interface
from course_magics.engine.namespaced import Namespaced, lacks
from course_magics.errors import EngineError, OptionError

Say = Callable[[str], object]

#: Where nodes can be, the quicker one first.
NAMESPACES, MACHINES = KINDS = ("namespaces", "machines")
#: The memory that a node takes (MiB); a machine's 512 and what QEMU itself needs in emulation.
_TAKES = {NAMESPACES: 120, MACHINES: 700}


class Member(Protocol):
    """An engine that is a node. url: as in DOCKER_HOST."""

    @property
    def name(self) -> str: ...
    @property
    def url(self) -> str: ...
    @property
    def address(self) -> str: ...
    def start(self) -> None: ...
    def kill(self) -> None: ...


class Place(Protocol):
    """All nodes of a swarm, and what they have in common.

    heartbeat: seconds; a node counts as down after three without an answer.
    """

    heartbeat: int

    @property
    def nodes(self) -> Sequence[Member]: ...
    @property
    def there(self) -> bool: ...
    @property
    def left(self) -> list[str]: ...
    def check(self) -> None: ...
    def start(self, say: Say) -> None: ...
    def running(self) -> set[str]: ...
    def prepare(self) -> None: ...
    def remove(self) -> None: ...


def place(kind: str, name: str, count: int, programs: Path | None = None) -> Place:
    """Where the swarm `name` has, or would have, its `count` nodes."""
    if kind == MACHINES:
        from course_magics.swarms.guests import Guests

        return Guests(name, count)
    return Bridged(name, count, programs)


def remains(name: str, most: int) -> list[Place]:
    """Where something of the swarm `name` is, whatever is known of it; `most` nodes at most."""
    return [found for kind in KINDS if (found := place(kind, name, most)).left]


def choose(wanted: str | None, up: str, programs: Path | None = None) -> str:
    """Which kind it is to be: the one that is wanted, else the quicker one that works here.

    up: the line to type, for the hint. Raises OptionError, EngineError where neither works.
    """
    if wanted is not None and wanted not in KINDS:
        raise OptionError(f"--on takes {' or '.join(KINDS)}, not {wanted}")
    if programs is not None and wanted == MACHINES:
        raise OptionError("--programs is for --on namespaces: a machine has its own dockerd")
    if wanted is not None:
        return wanted
    found = lacks(programs)
    if not found or programs is not None:
        return NAMESPACES
    if shutil.which("vagrant"):
        return MACHINES
    raise _nowhere(up, [*found, "vagrant is not installed"])


def room(count: int) -> str:
    """Where `count` nodes could be, by the tools and the memory that there are; "" for nowhere."""
    kinds = [NAMESPACES] if not lacks() else []
    kinds += [MACHINES] if shutil.which("vagrant") else []
    free = memory.available()
    enough = (k for k in kinds if free is None or free > count * _TAKES[k] * 2**20)
    return next(enough, "")


def _nowhere(up: str, found: Sequence[str]) -> EngineError:
    ways = [f"with vagrant installed (and QEMU or VirtualBox): {up} --on {MACHINES}"]
    if sys.platform.startswith("linux"):
        ways.insert(0, f"as root with dockerd and iproute2 installed: sudo {up}")
    return EngineError(
        f"several engines cannot be started here: {', '.join(found)}", hint="\n".join(ways)
    )


class Bridged:
    """Engines in namespaces (`namespaced.py`) with addresses on one bridge."""

    #: Docker's own 5 s are meant for networks between computers, and a reader would wait 15 s for
    #: the first sign of a failure.
    heartbeat = 2

    def __init__(self, name: str, count: int, programs: Path | None = None) -> None:
        interface("ve", f"{name}-{count}")  # refuses a name that the kernel would not take
        self.name = name
        self.bridge = Bridge(name)
        self._count = count
        self._programs = programs

    @property
    def nodes(self) -> list[Namespaced]:
        """Its engines, as they would be found from any process."""
        return [
            Namespaced(f"{self.name}-{number}", self.bridge, number, programs=self._programs)
            for number in range(1, self._count + 1)
        ]

    @property
    def there(self) -> bool:
        """Whether its nodes have addresses: a restart of this computer takes them."""
        return self.bridge.exists

    @property
    def left(self) -> list[str]:
        """The names of the nodes of which there is something."""
        return [node.name for node in self.nodes if node.folder.exists()]

    def check(self) -> None:
        """Raises EngineError that says why it cannot be made here."""
        if found := lacks(self._programs):
            raise _nowhere("course-magics swarm up", found)
        if self.bridge.exists:
            raise EngineError(
                f"the network {self.bridge.name} is in use on this computer",
                hint=f"choose another name, or remove it: ip link delete {self.bridge.name}",
            )

    def start(self, say: Say) -> None:
        """Start all of them, at once, and wait until they answer."""
        self.bridge.make()
        nodes = self.nodes
        for node in nodes:
            node.start(wait=False)
        for node in nodes:
            node.wait()
            say(f"  {node.name} answers at {node.address}")

    def running(self) -> set[str]:
        """The names of those that run."""
        return {node.name for node in self.nodes if node.pid is not None}

    def prepare(self) -> None:
        """See to what one node needs before it starts."""
        self.bridge.make()

    def remove(self) -> None:
        """Remove them and the bridge."""
        for node in self.nodes:
            node.remove()
        self.bridge.remove()

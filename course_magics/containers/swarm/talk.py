"""Talking to a manager of a swarm: its refusals explained, its things found by name."""

from __future__ import annotations

import contextlib
import platform
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_magics import engine
from course_magics.engine.routes import route
from course_magics.engine.stream import request
from course_magics.errors import EngineError, closest

if TYPE_CHECKING:
    from docker import APIClient

_START = "%container swarm init makes this engine one\ncourse-magics swarm up makes three here"


@contextlib.contextmanager
def managing(line: str) -> Iterator[APIClient]:
    """`engine.talking` for what only a swarm's manager can do. Raises EngineError."""
    with engine.talking(line) as api, explaining(line):
        yield api


@contextlib.contextmanager
def explaining(line: str) -> Iterator[None]:
    """What the engine says about swarms, in words that lead on."""
    from docker.errors import APIError

    try:
        yield
    except APIError as error:
        words = str(error.explanation or error)
        low = words.lower()
        if "is locked" in low or "needs to be unlocked" in low:
            message, hint = "the swarm is locked", "%%container swarm unlock; the cell is the key"
        elif "not a swarm manager" in low and "worker nodes" in low:
            message = "this node is a worker: only managers can be asked"
            hint = "%engine use NAME-OF-A-MANAGER"
        elif "not a swarm manager" in low or "not part of a swarm" in low:
            message, hint = "this engine is not a swarm's manager", _START
        elif "no leader" in low:
            message = "the swarm has no leader: more than half of its managers must run"
            hint = "start the managers that are down"
        else:
            raise
        raise EngineError(message, command=line, hint=hint) from None


def name_of(kind: str, found: dict[str, Any]) -> str:
    """What a thing is called, from the engine's words about it."""
    if kind == "node":
        return str(found["Description"]["Hostname"])
    return str(found["Spec"]["Name"])


def find(api: APIClient, kind: str, name: str) -> dict[str, Any]:
    """The service, node, secret or config called `name` (or with that id).

    Raises EngineError that names the closest one there is.
    """
    from docker.errors import NotFound

    if kind == "node" and name == "self":
        name = str(api.info()["Swarm"]["NodeID"])
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
        with contextlib.suppress(NotFound):
            return dict(request(api, "GET", route(f"/{kind}s/{{}}", name)).json())
    near = closest(name, [name_of(kind, f) for f in request(api, "GET", f"/{kind}s").json() or ()])
    raise EngineError(
        f"no such {kind}: {name}",
        hint=f"did you mean {near}?" if near else f"%container {kind} ls lists them",
    )


def names(api: APIClient, kind: str) -> dict[str, str]:
    """Every thing's id and name."""
    return {f["ID"]: name_of(kind, f) for f in request(api, "GET", f"/{kind}s").json() or ()}


def ipvs() -> bool:
    """Whether this computer's kernel has IPVS, which published ports and virtual IPs need."""
    if Path("/proc/net/ip_vs").exists():
        return True
    modules = Path("/lib/modules") / platform.release()
    with contextlib.suppress(OSError):
        if "/ip_vs.ko" in (modules / "modules.builtin").read_text():
            return True
    return any((modules / "kernel/net/netfilter/ipvs").glob("ip_vs.ko*"))


def lacks_ipvs() -> bool:
    """Whether the engine in use is known to have a kernel without IPVS: its kernel is ours."""
    same = engine.current().info.get("KernelVersion") == platform.release()
    return same and platform.system() == "Linux" and not ipvs()

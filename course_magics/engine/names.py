"""The names of what the engine has, for completion: soon, or as they were when last seen.

A Tab must not wait for an engine that is slow, hung or gone. So a thread of its own asks, over a
connection of its own with a time limit; who wants names waits a moment for it, and takes what was
known before where that is not enough. Only the engine in use is asked: none is looked for.
"""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from course_magics.engine import connection
from course_magics.errors import closest
from course_magics.units import show_bytes

if TYPE_CHECKING:
    from docker import APIClient

    from course_magics.engine.connection import Engine

#: How long the thread's questions may take (seconds).
_PATIENCE = 3
#: How long names count as new (seconds): what a terminal has changed shows after that.
_FRESH = 1.0
#: The label by which the engine's client knows a stack.
_STACK = "com.docker.stack.namespace"


class Name(NamedTuple):
    """One thing of the engine's. what: a few words about it. state: a container's."""

    text: str
    what: str
    state: str = ""


def _containers(api: APIClient) -> Iterable[Name]:
    for found in api.containers(all=True):
        names = sorted(n.lstrip("/") for n in found.get("Names") or () if n.count("/") == 1)
        state = str(found.get("State", ""))
        image = str(found.get("Image", ""))
        image = "an image without a name" if image.startswith("sha256:") else image
        for name in names:
            yield Name(name, f"{state}, {image}", state)


def _images(api: APIClient) -> Iterable[Name]:
    for found in api.images():
        for tag in found.get("RepoTags") or ():
            if tag != "<none>:<none>":
                yield Name(tag, f"image, {show_bytes(found.get('Size', 0))}")


def _networks(api: APIClient) -> Iterable[Name]:
    for found in api.networks():
        yield Name(found["Name"], f"{found.get('Driver') or 'no'} network")


def _volumes(api: APIClient) -> Iterable[Name]:
    for found in api.volumes().get("Volumes") or ():
        yield Name(found["Name"], f"{found.get('Driver', '')} volume")


def _services(api: APIClient) -> Iterable[Name]:
    for found in api.services():
        spec = found["Spec"]
        image = spec.get("TaskTemplate", {}).get("ContainerSpec", {}).get("Image", "")
        mode = next(iter(spec.get("Mode") or {"": None})).lower()
        yield Name(spec["Name"], f"{mode} service, {image.partition('@')[0]}")


def _stacks(api: APIClient) -> Iterable[Name]:
    labels = [s["Spec"].get("Labels") or {} for s in api.services()]
    stacks = [found[_STACK] for found in labels if _STACK in found]
    for stack in stacks:
        count = stacks.count(stack)
        yield Name(stack, f"stack of {count} service{'s' if count > 1 else ''}")


def _nodes(api: APIClient) -> Iterable[Name]:
    for found in api.nodes():
        spec = found.get("Spec") or {}
        state = found.get("Status", {}).get("State", "")
        name = found.get("Description", {}).get("Hostname") or found["ID"]
        yield Name(name, f"{spec.get('Role', 'node')}, {state}, {spec.get('Availability', '')}")


def _named(kind: str, asked: Callable[[APIClient], Any]) -> Callable[[APIClient], Iterable[Name]]:
    return lambda api: [Name(found["Spec"]["Name"], kind) for found in asked(api)]


_LISTS: dict[str, Callable[[Any], Iterable[Name]]] = {
    "container": _containers,
    "image": _images,
    "network": _networks,
    "volume": _volumes,
    "service": _services,
    "stack": _stacks,
    "node": _nodes,
    "secret": _named("secret", lambda api: api.secrets()),
    "config": _named("config", lambda api: api.configs()),
}
#: What `known` answers for.
KINDS = frozenset(_LISTS)


@dataclass
class _Shelf:
    """What is known of one kind. asking: set when the question under way has ended."""

    names: list[Name] = field(default_factory=list)
    asking: threading.Event | None = None
    change: int = -1
    at: float = 0.0


_lock = threading.Lock()
_change = 0  # how many changes our own magics have made
_of: Engine | None = None  # the engine that the shelves are about
_client: APIClient | None = None
_shelves: dict[str, _Shelf] = {}


def changed() -> None:
    """The next Tab asks again: a magic may have made or removed something."""
    global _change
    _change += 1


def known(kind: str, wait: float) -> list[Name]:
    """The names of one kind ("container", "image"…), after waiting `wait` seconds at most.

    Empty where no engine is in use yet. Never raises, never starts or looks for an engine.
    """
    engine = connection.in_use()
    if engine is None or kind not in _LISTS:
        return []
    with _lock:
        shelf = _shelf(engine, kind)
        if shelf.change == _change and time.monotonic() - shelf.at < _FRESH:
            return shelf.names
        if shelf.asking is None:
            shelf.asking = threading.Event()
            words = (engine, kind, shelf, shelf.asking, _change)
            threading.Thread(target=_ask, args=words, daemon=True, name=f"names-{kind}").start()
        asking = shelf.asking
    asking.wait(max(wait, 0))
    return shelf.names


def _shelf(engine: Engine, kind: str) -> _Shelf:
    global _of, _client, _shelves
    if _of is not engine:
        _of, _client, _shelves = engine, None, {}
    return _shelves.setdefault(kind, _Shelf())


def _ask(engine: Engine, kind: str, shelf: _Shelf, asking: threading.Event, change: int) -> None:
    """Fill a shelf; on any failure it stays as it was, and the next Tab tries again."""
    try:
        with contextlib.suppress(Exception):
            found = sorted(set(_LISTS[kind](_connected(engine))))
            shelf.names, shelf.change, shelf.at = found, change, time.monotonic()
    finally:
        with _lock:
            shelf.asking = None
        asking.set()


def _connected(engine: Engine) -> APIClient:
    """A client beside the cell's own, which may be in the middle of a long answer."""
    global _client
    if _of is engine and _client is not None:
        return _client
    client = engine.another(_PATIENCE)
    with _lock:
        if _of is engine:
            _client = client
    return client


# --- did you mean -------------------------------------------------------------------------------

#: How an engine says that it has no such thing.
_MISSING = (
    re.compile(r"no such (?P<kind>container|image|network|volume):? (?P<name>[^\s,]+)", re.I),
    re.compile(r"(?:get )?(?P<name>[^\s:]+): no such (?P<kind>volume)", re.I),
    re.compile(
        r"(?P<kind>network|service|node|secret|config|volume) (?P<name>[^\s:]+) not found", re.I
    ),
)


def near(api: APIClient, words: str) -> str | None:
    """The name that was meant, where the engine's `words` say that it has none such."""
    for pattern in _MISSING:
        if match := pattern.search(words):
            with contextlib.suppress(Exception):
                found = [n.text for n in _LISTS[match["kind"].lower()](api)]
                # What is there under just this name is missing elsewhere: in the Swarm, say.
                return None if match["name"] in found else closest(match["name"], found)
    return None

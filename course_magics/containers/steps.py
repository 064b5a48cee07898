"""The containers in which an engine's own builder runs its steps, where a build was cut off.

The engine makes one for each step, without a label and under an invented name, and removes it at
the step's end; also when nobody listens any more, but not always: not when the engine itself ends,
nor when a container that is just starting cannot be removed. The builder tells their ids. Each is
written down, so that what is left is found by its id: by this process, or by the user's next one.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

from course_magics import engine, labels, runtime, storage
from course_magics.containers import ours

if TYPE_CHECKING:
    from docker import APIClient

#: This process's: id → the engine's url. Of builds that go on, and of those that were cut off.
_busy: dict[str, str] = {}
_cut: dict[str, str] = {}


def begun(id: str) -> None:
    """A step's container is there, and its build goes on."""
    _busy[id] = engine.current().url
    with contextlib.suppress(OSError):  # the file is for a process that is killed
        note = {"owner": labels.owner(), "url": _busy[id]}
        (storage.private_folder(_folder()) / id).write_text(json.dumps(note), "utf-8")


def ended(id: str) -> None:
    """Its step has ended in order: the engine has removed it."""
    _busy.pop(id, None)
    _cut.pop(id, None)
    with contextlib.suppress(OSError):
        (_folder() / id).unlink(missing_ok=True)


def abandon(id: str) -> None:
    """Its build was cut off, and it may be there still."""
    if id in _busy:
        _cut[id] = _busy.pop(id)


def left(api: APIClient, *, mine: bool = False) -> list[tuple[str, str]]:
    """(id, name) of those that are there although nobody builds. mine: this process's only."""
    url = engine.current().url
    wanted = {id for id, where in _cut.items() if where == url}
    wanted |= set() if mine else _of_the_dead(url)
    if not wanted:
        return []
    there = {c["Id"]: c for c in api.containers(all=True)}
    for id in wanted:
        if not any(whole.startswith(id) for whole in there):
            ended(id)
    return [(whole, ours.name_of(c)) for whole, c in there.items() if whole[:12] in wanted]


def ended_ones(api: APIClient) -> list[tuple[str, str]]:
    """(id, name) of ended containers that look like a builder's, whoever built.

    Their image is given by its whole id, and they have no log. Not to be removed for that: docker
    leaves a step that failed, for its user to look into.
    """
    from docker.errors import NotFound

    found = []
    for c in api.containers(all=True, filters={"status": ["created", "exited", "dead"]}):
        if c["Image"].startswith("sha256:") and labels.SESSION not in (c.get("Labels") or {}):
            with contextlib.suppress(NotFound):
                if api.inspect_container(c["Id"])["HostConfig"]["LogConfig"]["Type"] == "none":
                    found.append((c["Id"], ours.name_of(c)))
    return found


def reap(api: APIClient, *, mine: bool = False) -> list[str]:
    """Remove those that are left; returns their names. mine: this process's only."""
    from docker.errors import APIError

    gone = []
    for id, name in left(api, mine=mine):
        with contextlib.suppress(APIError):  # the engine is at it, or cannot: tried again later
            api.remove_container(id, force=True, v=True)
            ended(id[:12])
            gone.append(name)
    return gone


def _folder() -> Path:
    return runtime.state_dir() / "builds"


def _of_the_dead(url: str) -> set[str]:
    """Those on this engine whose process has gone."""
    found = set()
    for file in _folder().glob("?" * 12):
        try:
            note = json.loads(file.read_text("utf-8"))
            if note["url"] == url and labels.is_orphan(note["owner"]):
                found.add(file.name)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue  # it is being written, or was cut off
    return found

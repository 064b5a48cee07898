"""Foreground containers whose kernel was killed: the next kernel removes them."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from course_magics import engine, labels

if TYPE_CHECKING:
    from docker import APIClient

_done: set[str] = set()
#: Containers that an engine could not remove because it had gone, by its url.
_abandoned: dict[str, set[str]] = {}


def abandon(id: str) -> None:
    """Remember a container that carries no label, to be removed when its engine is back."""
    _abandoned.setdefault(engine.current().url, set()).add(id)


def reap_once(api: APIClient) -> None:
    """Reap on this engine, once in this process; and what was abandoned on it since."""
    from docker.errors import APIError

    url = engine.current().url
    for id in _abandoned.pop(url, ()):
        with contextlib.suppress(APIError):
            api.remove_container(id, force=True)
    if url not in _done:
        _done.add(url)
        reap(api)


def reap(api: APIClient) -> list[str]:
    """Remove foreground containers whose process has gone; returns their names.

    Only this computer's: another's processes cannot be seen from here. One that has ended stays,
    as Docker's does, also when somebody has started it again since.
    """
    from docker.errors import APIError

    gone = []
    # Chosen here and not by a filter: Podman refuses to be asked for "restarting".
    alive = ("created", "running", "paused", "restarting")
    for found in api.containers(all=True, filters={"label": labels.OWNER}):
        if found["State"] in alive and labels.is_orphan(found["Labels"][labels.OWNER]):
            with contextlib.suppress(APIError):
                if _was_started_again(api.inspect_container(found["Id"])):
                    continue
                api.remove_container(found["Id"], force=True)
                gone.append(found["Names"][0].lstrip("/"))
    return gone


def _was_started_again(details: dict[str, Any]) -> bool:
    """Whether somebody, and not its restart policy, started it after its first end."""
    never = details["State"]["FinishedAt"].startswith("0001-")
    return not never and not details["RestartCount"]

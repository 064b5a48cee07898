"""Foreground containers whose kernel was killed: the next kernel removes them."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from course_magics import labels

if TYPE_CHECKING:
    from docker import APIClient

_done: set[str] = set()


def reap_once(api: APIClient) -> None:
    """Reap on this engine, once in this process."""
    if api.base_url not in _done:
        _done.add(api.base_url)
        reap(api)


def reap(api: APIClient) -> list[str]:
    """Remove running foreground containers whose process has gone; returns their names.

    Only this computer's: another's processes cannot be seen from here.
    """
    from docker.errors import APIError

    gone = []
    for found in api.containers(filters={"label": labels.OWNER}):
        if labels.is_orphan(found["Labels"][labels.OWNER]):
            with contextlib.suppress(APIError):
                api.remove_container(found["Id"], force=True)
                gone.append(found["Names"][0].lstrip("/"))
    return gone

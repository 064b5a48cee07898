"""Foreground containers whose kernel was killed: the next kernel removes them."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from course_magics import engine, labels
from course_magics.containers import ours, steps

if TYPE_CHECKING:
    from docker import APIClient

_done: set[str] = set()


def reap_once(api: APIClient) -> None:
    """Reap on this engine, once in this process; and what its own builds have left since."""
    url = engine.current().url
    steps.reap(api, mine=url in _done)
    if url not in _done:
        _done.add(url)
        reap(api)


def reap(api: APIClient) -> list[str]:
    """Remove foreground containers whose process has gone; returns their names.

    Only those of this user's processes that can be seen from here. One that has ended stays, as
    Docker's does, also when somebody has started it again since; and one that has the label from
    an image, which was made of such a container.
    """
    from docker.errors import APIError

    gone = []
    # Chosen here and not by a filter: Podman refuses to be asked for "restarting".
    alive = ("created", "running", "paused", "restarting")
    for found in api.containers(all=True, filters={"label": labels.OWNER}):
        if found["State"] in alive and labels.is_orphan(found["Labels"][labels.OWNER]):
            with contextlib.suppress(APIError):
                if ours.from_image(api, found, labels.OWNER):
                    continue
                if _was_started_again(api.inspect_container(found["Id"])):
                    continue
                api.remove_container(found["Id"], force=True)
                gone.append(found["Names"][0].lstrip("/"))
    return gone


def _was_started_again(details: dict[str, Any]) -> bool:
    """Whether somebody, and not its restart policy, started it after its first end."""
    never = details["State"]["FinishedAt"].startswith("0001-")
    return not never and not details["RestartCount"]

"""A container is removed by force, and has gone when the call returns."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from course_magics.patience import Patience

if TYPE_CHECKING:
    from docker import APIClient

#: How long an engine that is removing a container may refuse to be asked for it again (seconds).
_GOING = 5.0


def remove(api: APIClient, id: str, *, volumes: bool = False) -> bool:
    """Remove it, also where --rm has the engine at it already; False: there was none.

    volumes: those without a name, too. Raises APIError.
    """
    from docker.errors import APIError

    patience, was_there = Patience(_GOING), False
    while True:
        try:
            api.remove_container(id, force=True, v=volumes)
        except APIError as error:
            if error.status_code == 404:
                return was_there
            was_there = True
            if error.status_code == 409:  # Docker is at it: it says when it has done
                with contextlib.suppress(APIError):
                    api.wait(id, condition="removed")
                return True
            # Podman is at it, and stumbles over itself meanwhile (500): it is asked again.
            if error.status_code < 500 or patience.over:
                raise
            patience.saw()
            time.sleep(0.1)
        else:
            return True

"""Which of the engines that could be used answer: all asked at once, each for a second at most."""

from __future__ import annotations

import contextlib
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from course_magics.engine import connection, find, reasons, tunnel
from course_magics.errors import CourseError

#: How long each may take (seconds).
_PATIENCE = 1.0


def look() -> list[dict[str, Any]]:
    """What could be used: name (for `%engine use`), url, how it is known, state, current."""
    places = find.candidates()
    with ThreadPoolExecutor(max_workers=max(len(places), 1)) as pool:
        states = list(pool.map(_state, places))
    now = connection.in_use()
    return [
        {"name": p.name, "url": p.url, "how": p.how, "state": s, "current": _same(p, now)}
        for p, s in zip(places, states, strict=True)
    ]


def _same(place: find.Place, now: connection.Engine | None) -> bool:
    if now is None:
        return False
    return place.name == now.name or (place.name == "default" and place.url == now.url)


def _state(place: find.Place) -> str:
    try:
        if place.name == find.EMBEDDED:
            return _embedded()
        if place.url.startswith("ssh://"):
            return _ssh(place)
        return f"answers ({connection.reach(place, _PATIENCE).version})"
    except CourseError as error:
        return error.message
    except Exception as error:
        return f"does not answer: {reasons.reason(error)}"


def _ssh(place: find.Place) -> str:
    """Whether its sshd greets; logging in would take longer than this may."""
    with contextlib.suppress(OSError):
        where = tunnel.Address.read(place.url).computer
        with socket.create_connection(where, _PATIENCE) as connected:
            connected.settimeout(_PATIENCE)
            if connected.recv(4) == b"SSH-":
                return "ssh answers"
    return "does not answer" + (f": {place.hint}" if place.hint else "")


def _embedded() -> str:
    from course_magics.engine import embedded

    if missing := embedded.lacks():
        return f"cannot be had: it needs {', '.join(missing)}"
    return "runs" if embedded.socket_path().exists() else "%engine start starts it"

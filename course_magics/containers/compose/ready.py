"""Waiting until a project's services run and are healthy, told by the engine's events."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable
from typing import Any

from course_magics import engine
from course_magics.containers.compose import stack
from course_magics.patience import Patience

#: A service without a health check counts as running after this long (seconds); one that cannot
#: start has mostly ended by then. Compose looks for the first time after the same span.
_STEADY = 0.5
#: Without an event too it is looked, so often, whether anything has moved (seconds).
_LOOK = 1.0
#: A service that has been started anew this often does not get well by itself.
_RESTARTS = 3

Watch = Callable[[list[dict[str, Any]]], object]


class TooLong(Exception):
    """The services were not ready in time. rows: those that were not. still: None, or how long
    nothing had moved."""

    def __init__(self, rows: list[dict[str, Any]], still: float | None = None) -> None:
        super().__init__()
        self.rows = rows
        self.still = still


def wait(name: str, *, seconds: float | None, watch: Watch) -> list[dict[str, Any]]:
    """Wait for the project `name`. watch: called with the rows after each change.

    Returns the rows of the services that are not well: unhealthy, ended with a status other than
    0, or ending again and again. Raises TooLong after `seconds` (None: there is no limit), or
    when none of those that are waited for has moved for the setting `patience`; a health check
    that goes on is a move: it ends by its own numbers.
    """
    steady: dict[str, float] = {}
    patience = Patience()
    end = None if seconds is None else time.monotonic() + seconds
    with _Events(name) as events:
        while True:
            rows = stack.rows(name)
            watch(rows)
            bad = [row for row in rows if _is_bad(row)]
            if bad:
                return bad
            now = time.monotonic()
            waiting, pause = [], None
            for row in rows:
                left = _left(row, steady, now)
                if left is None or left > 0:
                    waiting.append(row)
                if left:
                    pause = left if pause is None else min(pause, left)
            if not waiting:
                return []
            if end is not None:
                if now > end:
                    raise TooLong(waiting)
                pause = end - now if pause is None else min(pause, end - now)
            checked = any(row["Health"] == "starting" for row in waiting)
            patience.saw(now if checked else [(r["ID"], r["State"], r["Restarts"]) for r in rows])
            if end is None and patience.over:
                raise TooLong(waiting, patience.seconds)
            events.wait(_LOOK if pause is None else min(pause, _LOOK))


def _is_bad(row: dict[str, Any]) -> bool:
    if row["State"] == "restarting" or row["Restarts"] >= _RESTARTS:
        return int(row["Restarts"]) >= _RESTARTS
    ended = row["State"].startswith(("exited", "dead"))
    return bool(ended and row["ExitCode"] != 0) or row["Health"] == "unhealthy"


def _left(row: dict[str, Any], steady: dict[str, float], now: float) -> float | None:
    """How long until this one counts as ready (seconds): 0 when it does, None: an event tells."""
    if row["State"] == "exited (0)":
        return 0
    if row["State"] not in ("running", "paused"):
        steady.pop(row["ID"], None)
        return None
    if row["Health"]:
        return 0 if row["Health"] == "healthy" else None
    return max(steady.setdefault(row["ID"], now) + _STEADY - now, 0)


class _Events:
    """The engine's events about a project, read by a thread: a wait for them can be interrupted."""

    def __init__(self, name: str) -> None:
        filters = {"label": f"{stack.PROJECT}={name}", "type": "container"}
        with engine.talking("docker compose events") as api:
            self._stream: Any = api.events(filters=filters, decode=True)
        self._queue: queue.SimpleQueue[str] = queue.SimpleQueue()

    def __enter__(self) -> _Events:
        threading.Thread(target=self._read, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def wait(self, seconds: float | None) -> None:
        """Until something happens, or so many seconds have passed."""
        with contextlib.suppress(queue.Empty):
            self._queue.get(timeout=seconds)

    def _read(self) -> None:
        try:
            for event in self._stream:
                if not event.get("Action", "").startswith("exec_"):  # each health check is some
                    self._queue.put(event["Action"])
        except Exception:  # the connection has gone: whoever waits asks the engine, and hears of it
            pass
        self._queue.put("")

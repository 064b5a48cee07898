"""A container's life from created to removed, followed by the engine's events."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from course_magics import engine
from course_magics.containers.events import read
from course_magics.display.lifecycle import EXITED, PAUSED, REMOVED, RUNNING, Moment
from course_magics.engine.stream import request
from course_magics.engine.watch import Connections
from course_magics.errors import EngineError
from course_magics.patience import Patience, limit

if TYPE_CHECKING:
    from docker import APIClient

    from course_magics.containers.container import Container

#: The engine's events that lead to another state (Podman has two words of its own).
_LEADS = {
    "start": RUNNING,
    "restart": RUNNING,
    "pause": PAUSED,
    "unpause": RUNNING,
    "die": EXITED,
    "died": EXITED,
    "destroy": REMOVED,
    "remove": REMOVED,
}
#: So long the wait for a state sleeps at most before it looks how long nothing moved (seconds).
_LOOK = 0.5
#: So many states of the past are kept, and so many lives are followed at once: each takes a thread
#: and a connection. A cell that is run again and again begins a new one each time.
_SEEN, _AT_ONCE = 8, 16
_followed: deque[Life] = deque()


class Life:
    """The life of one container. It has a connection of its own, to the engine it was found on."""

    def __init__(self, container: Container) -> None:
        """Raises EngineError when the engine does not answer."""
        self._id = container.id
        self._engine = engine.current()
        self._api: APIClient = self._engine.another(limit())
        self._connections = Connections(self._api)
        self._changed = threading.Condition()
        self._closed = False
        self._now = Moment(container.name, "unknown")
        self._tell: Callable[[], object] = lambda: None
        with engine.talking(f"docker inspect {container.name}"):
            self._look()

    @property
    def now(self) -> Moment:
        """What has been heard of it so far."""
        return self._now

    @property
    def here(self) -> bool:
        """Whether the engine in use is the one that the container is on."""
        return engine.current().url == self._engine.url

    def asked(self) -> Moment:
        """What the engine says now, which may be news. Raises EngineError."""
        if self._now.state == REMOVED:
            return self._now
        with engine.talking(f"docker inspect {self._now.name}"):
            self._look()
        return self._now

    def follow(self, tell: Callable[[], object]) -> None:
        """From now on, call `tell` after each change, in a thread. Raises EngineError.

        It ends with the container, with `close`, or with the kernel.
        """
        self._tell = tell
        path, only = "/events", {"type": ["container"], "container": [self._id]}
        with engine.talking(f"docker events --filter container={self._now.name}"):
            # The head of the answer comes at once: from here on nothing is missed.
            response = request(
                self._api, "GET", path, stream=True, timeout=limit(),
                params={"filters": json.dumps(only)},
            )  # fmt: skip
            raw: Any = response.raw
            raw._fp.fp.raw._sock.settimeout(None)
            self._look()
        _followed.append(self)
        if len(_followed) > _AT_ONCE:
            _followed.popleft().close()
        name = f"course-life-{self._now.name}"
        threading.Thread(target=self._listen, args=(raw,), name=name, daemon=True).start()

    def wait(self, state: str, seconds: float | None = None) -> Moment:
        """Wait until it has been heard that it is `state`.

        seconds: without a change of its state (default: the setting `patience`); then EngineError.
        """
        patience = Patience(seconds)
        with self._changed:
            while self._now.state != state:
                patience.saw(self._now)
                if patience.over:
                    raise EngineError(
                        f"{self._now.name} is not {state}: it is {self._now.words}, and has not "
                        f"changed for {patience.seconds:.0f} s"
                    )
                self._changed.wait(min(_LOOK, patience.seconds))
            return self._now

    def close(self) -> None:
        """Follow it no longer."""
        if not self._closed:
            self._closed = True
            self._connections.end()
            self._note("(no longer followed)")

    def _listen(self, raw: Any) -> None:
        try:
            for event in read(raw):
                self._take(event)
                if self._now.state == REMOVED:
                    break
            else:
                self._lost()
        except Exception as error:  # nobody would see what a thread raises
            self._lost(str(error))
        finally:
            if not self._closed:
                self._closed = True
                self._connections.end()
            if self in _followed:
                _followed.remove(self)

    def _lost(self, why: str = "") -> None:
        if not self._closed:
            because = f": {why}" if why else ""
            self._note(f"(the engine's events have ended{because}; this was its last known state)")

    def _take(self, event: dict[str, Any]) -> None:
        facts = (event.get("Actor") or {}).get("Attributes") or {}
        action = str(event.get("Action") or event.get("status") or "")
        if action == "rename":
            self._set(name=str(facts.get("name", "")).lstrip("/"))
        state = _LEADS.get(action)
        if state == EXITED:
            code = str(facts.get("exitCode", ""))
            self._set(state=state, code=int(code) if code.isdigit() else None)
        elif state:
            self._set(state=state)

    def _look(self) -> None:
        """Ask the engine (the main thread does)."""
        from docker.errors import NotFound

        try:
            details = self._engine.api.inspect_container(self._id)
        except NotFound:
            self._set(state=REMOVED)
            return
        found = details["State"]
        # dead, removing, restarting: it has ended, and the next event says what comes.
        state = str(found.get("Status", "unknown"))
        state = EXITED if state in ("dead", "removing", "restarting", "stopped") else state
        code = found.get("ExitCode") if state == EXITED else None
        self._set(name=details["Name"].lstrip("/"), state=state, code=code)

    def _set(
        self, *, name: str | None = None, state: str | None = None, code: int | None = None
    ) -> None:
        old = self._now
        state = state or old.state
        moved = state != old.state
        seen = (*old.seen, state)[-_SEEN:] if moved else old.seen
        code = code if moved or code is not None else old.code
        self._put(Moment(name or old.name, state, code, seen))

    def _note(self, words: str) -> None:
        old = self._now
        self._put(Moment(old.name, old.state, old.code, old.seen, words))

    def _put(self, moment: Moment) -> None:
        with self._changed:
            if moment == self._now:
                return
            self._now = moment
            self._changed.notify_all()
        self._tell()

"""Whether an engine that we wait for is still there.

An engine may take its time for an answer, and a stream may be silent for hours; an engine that
hangs looks the same. So while a call waits, the engine is asked for a sign of life on a connection
of its own. Where none comes for the setting `patience`, all connections are cut: the call ends
with an error, not never.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from course_magics import patience
from course_magics.patience import Patience

if TYPE_CHECKING:
    from docker import APIClient

#: A call that takes longer than this makes us look, and so often after that; one sign of life may
#: take so long before the next one is asked for (seconds).
_FIRST, _AGAIN, _SIGN = 2.5, 5.0, 10.0
_BETWEEN = 0.1


class Connections:
    """The open connections of one client, so that all of them can be cut."""

    def __init__(self, api: APIClient) -> None:
        self.cut = False
        self._sockets: weakref.WeakSet[Any] = weakref.WeakSet()
        self._pools: weakref.WeakSet[Any] = weakref.WeakSet()
        for adapter in {id(a): a for a in api.adapters.values()}.values():
            adapter.close()  # those that are open already are not known here
            self._follow(adapter)

    def end(self) -> None:
        """Cut all, and let no new one come about."""
        self.cut = True
        for each in list(self._sockets):
            with contextlib.suppress(OSError, AttributeError):
                # The plain one's: that of TLS would wait for an answer.
                socket.socket.shutdown(each, socket.SHUT_RDWR)

    def _follow(self, adapter: Any) -> None:
        """Learn of each connection that `adapter` (of requests) makes."""
        name = "get_connection_with_tls_context"
        if not hasattr(adapter, name):  # requests before 2.32
            name = "get_connection"
        pool_for = getattr(adapter, name)

        def followed(*args: Any, **options: Any) -> Any:
            pool = pool_for(*args, **options)
            if pool not in self._pools:
                self._pools.add(pool)
                make = pool._new_conn
                pool._new_conn = lambda: self._noted(make())
            return pool

        setattr(adapter, name, followed)

    def _noted(self, connection: Any) -> Any:
        connect = connection.connect

        def noting() -> None:
            if self.cut:
                raise ConnectionAbortedError("the engine does not answer")
            connect()
            with contextlib.suppress(TypeError):  # a named pipe of Windows
                self._sockets.add(connection.sock)

        connection.connect = noting
        return connection


class Watch:
    """One call that is being waited for. hung: the engine gave no sign of life."""

    def __init__(self) -> None:
        self.hung = False
        self.over = threading.Event()


@contextlib.contextmanager
def over(connections: Connections, alive: Callable[[float], bool]) -> Iterator[Watch]:
    """While the block runs, see to it that it does not wait for an engine that hangs.

    alive: asks for a sign of life, for so many seconds; called in a thread of its own.
    """
    watch = Watch()
    limit = patience.limit()

    def look() -> None:
        pause = _FIRST
        while not watch.over.wait(pause):
            pause = _AGAIN
            silent = Patience(limit)
            while not alive(min(_SIGN, limit)):
                silent.saw()
                if watch.over.wait(_BETWEEN):
                    return
                if silent.over:
                    watch.hung = True
                    connections.end()
                    return

    threading.Thread(target=look, name="course-engine-watch", daemon=True).start()
    try:
        yield watch
    finally:
        watch.over.set()

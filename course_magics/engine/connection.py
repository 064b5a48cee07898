"""The connection to one engine: made on first use, proved by a ping, kept for the kernel."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from course_magics.engine import progress
from course_magics.engine.advice import what_next
from course_magics.engine.find import EMBEDDED, Place, places
from course_magics.errors import CourseError, EngineError, Interrupted

if TYPE_CHECKING:
    from docker import APIClient

    from course_magics.engine.embedded import Lease

#: How long a ping may take (seconds). A socket answers in milliseconds; over ssh one has to log in
#: first, and an emulated machine can be busy.
_PING = 1
_PING_SLOW = 15
#: How long any other answer may take (seconds); streams are not bounded.
_ANSWER = 60


@dataclass
class Engine:
    """A Docker engine that has answered.

    name: "docker", "Podman", a context… url: where. how: how it was found. api: the SDK's
    low-level client, made on first use. info: the engine's own words about its version.
    lease: the hold on the embedded engine; None for any other.
    """

    name: str
    url: str
    how: str
    api: APIClient
    lease: Lease | None = None

    @cached_property
    def info(self) -> dict[str, Any]:
        """What `docker version` says of the server (asked once)."""
        return dict(self.api.version())

    def published(self, container: str) -> None:
        """See to it that the ports of a container that has just started are reached from here.

        Any other engine than the embedded one has done so itself. Raises EngineError where one of
        the ports is in use on this computer.
        """
        if self.lease is not None:
            self.lease.ask("publish", container=container)

    def mountable(self, path: str) -> None:
        """Raises EngineError where the engine does not see this computer's `path`, for `-v`."""
        if self.lease is None or path in ("/var/run/docker.sock", "/run/docker.sock"):
            return
        shared = self.lease.facts["shared"]
        if not any(path == folder or path.startswith(f"{folder}/") for folder in shared):
            raise EngineError(
                f"{path} cannot be mounted: the embedded engine's machine has its own {path}",
                hint=f"folders of this computer that it sees: {', '.join(shared)}\n"
                "%container cp copies any file into a container",
            )

    @contextlib.contextmanager
    def with_room(self) -> Iterator[None]:
        """For removing things: on a full disk the engine could not even do that."""
        if self.lease is not None:
            self.lease.ask("make room")
        try:
            yield
        finally:
            if self.lease is not None and self.lease.alive:
                self.lease.ask("keep room")

    @property
    def version(self) -> str:
        """The engine's version, such as "20.10.24"."""
        return str(self.info.get("Version", "?"))


_current: Engine | None = None
_chosen = ""


def current() -> Engine:
    """The engine in use; finds one on first use. Raises EngineError that lists what was tried."""
    global _current  # one engine per kernel is the point
    if _current is not None and _current.lease is not None and not _current.lease.alive:
        _current = None  # another kernel has stopped it, or it has crashed: start it again
    if _current is None:
        _current = connect(_chosen or _setting())
    return _current


def in_use() -> Engine | None:
    """The engine in use, or None: none is looked for."""
    return _current


def found() -> Engine | None:
    """The engine that answers already, or None: the embedded one is not started for it."""
    for place in places(_chosen or _setting()):
        if place.name != EMBEDDED:
            with contextlib.suppress(Exception):
                return _reach(place)
    return None


def use(name: str) -> Engine:
    """Switch to the engine `name`: a docker context or a URL; "" goes back to finding one.

    Raises EngineError and keeps the engine in use when `name` is unknown or does not answer.
    """
    global _current, _chosen
    engine = connect(name)
    _current, _chosen = engine, name
    return engine


def forget() -> None:
    """Drop the connection, so that the next use looks for an engine anew."""
    global _current
    _current = None


def connect(chosen: str = "") -> Engine:
    """The first engine that answers. chosen: a docker context or URL, or "" to look for one.

    Raises EngineError.
    """
    tried: list[str] = []
    for place in places(chosen):
        try:
            return _embedded(place) if place.name == EMBEDDED else _reach(place)
        except _CannotBeHad as lacking:
            tried.append(str(lacking))
        except Exception as error:
            if isinstance(error, CourseError):
                raise
            reason = _reason(error)
            if place.explicit:
                raise EngineError(
                    f"the Docker engine does not answer at {place.url} ({place.how})",
                    detail=reason,
                    hint=_how_to_start(),
                ) from None
            tried.append(f"{place.url.removeprefix('unix://')}: {reason}")
    raise EngineError("no Docker engine answers", detail="\n".join(tried), hint=_how_to_start())


@contextlib.contextmanager
def talking(command: str) -> Iterator[APIClient]:
    """The current engine's client; its errors become CourseErrors that carry `command`.

    A connection that breaks is dropped, so that the next cell looks for an engine anew.
    """
    import requests
    from docker.errors import APIError, DockerException
    from urllib3.exceptions import HTTPError

    engine = current()
    try:
        yield engine.api
    except APIError as error:
        words = str(error.explanation or error)
        raise EngineError(
            f"the engine refused: {words.strip().splitlines()[0] if words.strip() else error}",
            command=command,
            detail="\n".join(words.strip().splitlines()[1:]) or None,
            hint=what_next(words),
        ) from None
    except (requests.exceptions.RequestException, HTTPError, OSError, DockerException) as error:
        if isinstance(error, OSError) and error.filename is not None:
            raise  # a file of the reader's, not the connection
        forget()
        if engine.lease is not None:
            raise _lost(engine.lease, command, _reason(error)) from None
        raise EngineError(
            f"the connection to the Docker engine at {engine.url} broke",
            command=command,
            detail=_reason(error),
            hint=_how_to_start(),
        ) from None


def _lost(lease: Lease, command: str, reason: str) -> EngineError:
    """The error for an embedded engine that has gone in the middle of a command."""
    from course_magics.engine import embedded

    end = time.monotonic() + 5  # the keeper looks why, writes it down and goes
    while lease.alive and time.monotonic() < end:
        time.sleep(0.05)
    why = None if lease.alive else embedded.why_it_ended()
    return EngineError(
        f"the embedded engine stopped: {why}" if why else "the embedded engine stopped",
        command=command,
        detail=None if why else reason,
        hint="the next cell starts it again, with its images, containers and volumes",
    )


def _setting() -> str:
    from course_magics import settings

    return settings.current().engine


class _CannotBeHad(Exception):
    """The embedded engine lacks a program, and nobody has asked for it by name."""


def _embedded(place: Place) -> Engine:
    """The embedded engine, started where it does not run. Raises CourseError."""
    from course_magics.engine import embedded

    if not place.explicit and (missing := embedded.lacks()):
        raise _CannotBeHad(f"embedded: it needs {', '.join(missing)}")
    try:
        lease = embedded.start(progress.say)
    except KeyboardInterrupt:
        raise Interrupted(
            "interrupted while the embedded engine was starting", hint="the next cell goes on"
        ) from None
    socket = Place(EMBEDDED, f"unix://{embedded.socket_path()}", place.how)
    engine = _reach(socket)
    engine.lease = lease
    return engine


def _reach(place: Place) -> Engine:
    import docker
    from docker.tls import TLSConfig

    tls: Any = False
    if place.tls is not None:
        tls = TLSConfig(
            client_cert=(str(place.tls / "cert.pem"), str(place.tls / "key.pem")),
            ca_cert=str(place.tls / "ca.pem"),
            verify=True,
        )
    ssh = place.url.startswith("ssh://")
    api = docker.APIClient(
        base_url=place.url,
        version="auto",
        timeout=_PING_SLOW if ssh or place.name == EMBEDDED else _PING,
        tls=tls,
        use_ssh_client=ssh,
    )
    api.ping()
    api.timeout = _ANSWER
    return Engine(place.name, place.url, place.how, api)


def _reason(error: BaseException) -> str:
    """The innermost plain cause of a library's nested exception, in a few words."""
    inner: BaseException = error
    while True:
        following = inner.__cause__ or inner.__context__
        if following is None or following is inner:
            break
        inner = following
    if isinstance(inner, OSError) and inner.strerror:
        return inner.strerror
    return str(inner).splitlines()[0] if str(inner) else type(inner).__name__


def _how_to_start() -> str:
    start = {
        "darwin": "open Docker Desktop (or: colima start)",
        "win32": "open Docker Desktop",
    }.get(sys.platform, "start it: sudo systemctl start docker (in this project: make setup)")
    return f"{start}\n%doctor looks at every part and says what to fix"

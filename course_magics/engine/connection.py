"""The connection to one engine: made on first use, proved by a ping, kept for the kernel."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from course_magics import patience
from course_magics.engine import progress, tunnel, watch
from course_magics.engine.advice import what_next
from course_magics.engine.client import client, tls_options
from course_magics.engine.find import EMBEDDED, Place, places
from course_magics.engine.reasons import how_to_start, reason, unreachable
from course_magics.errors import (
    Conflict,
    CourseError,
    EngineError,
    EngineGone,
    Interrupted,
    NotFound,
)
from course_magics.storage import disk_full, is_full

if TYPE_CHECKING:
    from docker import APIClient

    from course_magics.engine.contexts import Tls
    from course_magics.engine.embedded import Lease
    from course_magics.engine.tunnel import Tunnel

#: How long the ping to an engine may take that nobody has named (seconds): a socket answers in
#: milliseconds. One that was named, or is a network away, is waited for as long as anything is.
_PING = 1
#: Variables that would lead a docker command elsewhere than `Engine.environment` does.
OTHERS = ("DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_TLS", "DOCKER_CERT_PATH")


@dataclass
class Engine:
    """A Docker engine that has answered.

    name: "docker", "Podman", a context… url: where. how: how it was found. api: the SDK's
    low-level client. info: the engine's own words about its version.
    lease: the hold on the embedded engine; tunnel: the way to one over ssh; tls: how TLS is spoken
    with it; None where there is no such thing.
    """

    name: str
    url: str
    how: str
    api: APIClient
    lease: Lease | None = None
    tunnel: Tunnel | None = None
    tls: Tls | None = None
    _again: Callable[[float], APIClient] | None = None

    @cached_property
    def info(self) -> dict[str, Any]:
        """What `docker version` says of the server (asked once)."""
        with talking_to(self, "docker version") as api:
            return dict(api.version())

    @property
    def socket(self) -> str:
        """The URL that this computer's own programs reach it by."""
        return f"unix://{self.tunnel.socket}" if self.tunnel is not None else self.url

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which a docker command (or compose, or buildx) talks to it too."""
        found = {"DOCKER_HOST": self.socket}
        if self.tls is not None:
            found["DOCKER_TLS_VERIFY" if self.tls.verify else "DOCKER_TLS"] = "1"
            if self.tls.folder is not None:
                found["DOCKER_CERT_PATH"] = str(self.tls.folder)
        return found

    @property
    def address(self) -> str:
        """The computer on which published ports are reached: "localhost" where it is this one."""
        if self.tunnel is not None:
            where = self.tunnel.address
            return "localhost" if where.is_here else where.computer[0]
        parts = urlsplit(self.url)
        return parts.hostname or "localhost" if parts.scheme in ("tcp", "http") else "localhost"

    @cached_property
    def connections(self) -> watch.Connections:
        """The client's open connections."""
        return watch.Connections(self.api)

    def another(self, timeout: float) -> APIClient:
        """A second client, whose answers may take `timeout` seconds. Raises what docker's does."""
        return self.api if self._again is None else self._again(timeout)

    def alive(self, seconds: float) -> bool:
        """Whether it gives a sign of life within `seconds`, on a connection of its own."""
        if self._again is None:
            return True
        try:
            asking = self._again(seconds)
            with contextlib.closing(asking):
                asking.ping()
                return True  # whatever it says
        except Exception as error:
            # A connection that is refused ends by itself what waits on another one.
            words = str(error).lower()
            return "timed out" not in words and "temporarily unavailable" not in words

    def published(self, container: str) -> None:
        """See to it that the ports of a container that has just started are reached from here.

        Raises EngineError where one of the ports is in use on this computer.
        """
        if self.lease is not None:
            self.lease.ask("publish", container=container)
        elif self.tunnel is not None and self.tunnel.address.is_here:
            # A machine without an address of its own: its ports come through the ssh session.
            with talking_to(self, f"docker inspect {container}") as api:
                ports = api.inspect_container(container)["NetworkSettings"].get("Ports") or {}
            for inside, bindings in ports.items():
                for bound in bindings or () if inside.endswith("/tcp") else ():
                    ip = bound["HostIp"]
                    any_address = ip in ("0.0.0.0", "::", "")
                    self.tunnel.forward("127.0.0.1" if any_address else ip, int(bound["HostPort"]))

    def mountable(self, path: str) -> None:
        """Raises EngineError where the engine does not see this computer's `path`, for `-v`."""
        if path in ("/var/run/docker.sock", "/run/docker.sock"):
            return
        if self.tunnel is not None and Path(path).exists() and not self.tunnel.has(path):
            host = self.tunnel.address.host
            raise EngineError(
                f"{path} cannot be mounted: it is on this computer, -v means a folder of {host}",
                hint=f"%container cp copies files into a container; ssh {host} mkdir -p {path} "
                "makes a folder there",
            )
        if self.lease is None:
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
    def is_podman(self) -> bool:
        """Whether Podman answers behind Docker's API."""
        return any("Podman" in part["Name"] for part in self.info.get("Components") or ())

    @property
    def product(self) -> str:
        """What it is, with its version: "Docker 20.10.24", "Podman 4.3.1"."""
        return f"{'Podman' if self.is_podman else 'Docker'} {self.version}"

    @property
    def version(self) -> str:
        """The engine's version, such as "20.10.24"."""
        return str(self.info.get("Version", "?"))


_current: Engine | None = None
_chosen = ""


def current() -> Engine:
    """The engine in use; finds one on first use. Raises EngineError that lists what was tried."""
    global _current  # one engine per kernel is the point
    for hold in (_current.lease, _current.tunnel) if _current is not None else ():
        if hold is not None and not hold.alive:
            _current = None  # it was stopped elsewhere, or it has crashed: start it again
    if _current is None:
        _current = connect(_chosen or _setting())
    return _current


def in_use() -> Engine | None:
    """The engine in use, or None: none is looked for, asked or started."""
    for hold in (_current.lease, _current.tunnel) if _current is not None else ():
        if hold is not None and not hold.alive:
            return None
    return _current


def found() -> Engine | None:
    """The engine that answers already, or None: the embedded one is not started for it."""
    for place in places(_chosen or _setting()):
        if place.name != EMBEDDED:
            with contextlib.suppress(Exception):
                return reach(place)
    return None


def use(name: str) -> Engine:
    """Switch to the engine `name`: a docker context or a URL; "" goes back to finding one.

    Raises EngineError and keeps the engine in use when `name` is unknown or does not answer.
    """
    global _current, _chosen
    engine = connect(name)
    _current, _chosen = engine, name
    return engine


def forget(*, chosen: bool = False) -> None:
    """Drop the connection, so that the next use looks for an engine anew.

    chosen: forget also what `use` has chosen.
    """
    global _current, _chosen
    _current = None
    if chosen:
        _chosen = ""


def connect(chosen: str = "") -> Engine:
    """The first engine that answers. chosen: a docker context or URL, or "" to look for one.

    Raises EngineError.
    """
    tried: list[str] = []
    for place in places(chosen):
        try:
            return _embedded(place) if place.name == EMBEDDED else reach(place)
        except _CannotBeHad as lacking:
            tried.append(str(lacking))
        except Exception as error:
            if isinstance(error, CourseError):
                error.hint = place.hint or error.hint
                raise
            if place.explicit:
                raise unreachable(place, error) from None
            tried.append(f"{place.url.removeprefix('unix://')}: {reason(error)}")
    raise EngineError("no Docker engine answers", detail="\n".join(tried), hint=how_to_start())


@contextlib.contextmanager
def talking(command: str) -> Iterator[APIClient]:
    """The current engine's client; its errors become CourseErrors that carry `command`.

    A connection that breaks is dropped, so that the next cell looks for an engine anew. So is an
    engine that hangs: whatever waits for it ends with an error once it has given no sign of life
    for the setting `patience`.
    """
    with talking_to(current(), command) as api:
        yield api


@contextlib.contextmanager
def talking_to(engine: Engine, command: str) -> Iterator[APIClient]:
    """The same for another engine than the current one."""
    with watched(engine, command), _errors(engine, command):
        yield engine.api


@contextlib.contextmanager
def watched(engine: Engine, command: str) -> Iterator[None]:
    """What waits for `engine` in the block ends with EngineError when it gives no sign of life."""
    seen = None
    limit = patience.limit()
    try:
        with watch.over(engine.connections, engine.alive) as seen:
            yield
    except Exception:
        if seen is None or not seen.hung:
            raise
    if seen.hung:
        forget()
        if engine.tunnel is not None:
            engine.tunnel.close()
        raise EngineGone(
            f"the Docker engine at {engine.url} does not answer any more: "
            f"no sign of life for {limit:.0f} s",
            command=command,
            hint="it hangs, or is very busy: try again, restart it, or use another one: %engine ls"
            f"\n{patience.LONGER}",
        )


def _near(api: APIClient, words: str) -> str | None:
    """ "did you mean …?" where the engine misses a name that is like one it has."""
    from course_magics.engine import names

    near = names.near(api, words)
    return f"did you mean {near}?" if near else None


@contextlib.contextmanager
def _errors(engine: Engine, command: str) -> Iterator[None]:
    import requests
    from docker.errors import APIError, DockerException
    from urllib3.exceptions import HTTPError

    try:
        yield
    except APIError as error:
        words = str(error.explanation or error)
        if words.strip() in ("Not Found", "page not found"):
            words = f"{engine.product} has no such request"
        kind = {404: NotFound, 409: Conflict}.get(error.status_code, EngineError)
        raise kind(
            f"the engine refused: {words.strip().splitlines()[0] if words.strip() else error}",
            command=command,
            detail="\n".join(words.strip().splitlines()[1:]) or None,
            hint=_near(engine.api, words) or what_next(words),
        ) from None
    except (requests.exceptions.RequestException, HTTPError, OSError, DockerException) as error:
        if is_full(error):
            raise disk_full(getattr(error, "filename", None), command=command) from None
        if isinstance(error, OSError) and error.filename is not None:
            raise  # a file of the reader's, not the connection
        forget()
        if engine.lease is not None:
            raise _lost(engine.lease, command, reason(error)) from None
        raise EngineGone(
            f"the connection to the Docker engine at {engine.url} broke",
            command=command,
            detail=reason(error),
            hint=how_to_start(engine.url),
        ) from None


def _lost(lease: Lease, command: str, reason: str) -> EngineGone:
    """The error for an embedded engine that has gone in the middle of a command."""
    from course_magics.engine import embedded

    patience.until(lambda: not lease.alive)  # the keeper looks why, writes it down and goes
    why = None if lease.alive else embedded.why_it_ended()
    return EngineGone(
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
    engine = reach(socket)
    engine.lease = lease
    return engine


def reach(place: Place, seconds: float | None = None) -> Engine:
    """The engine at `place`, which has answered. seconds: how long the ping may take."""
    way = tunnel.to(place.url) if place.url.startswith("ssh://") and tunnel.works_here() else None
    tls = place.tls if place.url.startswith("tcp://") else None
    options: dict[str, Any] = {
        "base_url": f"unix://{way.socket}" if way is not None else place.url,
        "tls": tls_options(tls) if tls is not None else False,
        "use_ssh_client": place.url.startswith("ssh://"),
    }
    slow = place.url.startswith("ssh://") or place.name == EMBEDDED
    # Podman starts two programs to tell its version: one that was named is worth a wait.
    far = place.explicit or place.url.startswith(("tcp://", "http"))
    ping = seconds or (patience.limit() if slow or far else _PING)
    api = client(version="auto", timeout=ping, **options)
    api.ping()
    # An answer may take its time as long as the engine gives signs of life (watch.py).
    api.timeout = None
    version = api.api_version

    def again(seconds: float) -> APIClient:
        return client(version=version, timeout=seconds, **options)

    return Engine(place.name, place.url, place.how, api, None, way, tls, again)

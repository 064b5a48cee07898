"""The connection to one engine: made on first use, proved by a ping, kept for the kernel."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from course_magics.engine.find import Place, places
from course_magics.errors import CourseError, EngineError

if TYPE_CHECKING:
    from docker import APIClient

#: How long a ping may take (seconds). A socket answers in milliseconds, ssh has to log in first.
_PING = 1
_PING_SSH = 15
#: How long any other answer may take (seconds); streams are not bounded.
_ANSWER = 60


@dataclass
class Engine:
    """A Docker engine that has answered.

    name: "docker", "Podman", a context… url: where. how: how it was found. api: the SDK's
    low-level client, made on first use. info: the engine's own words about its version.
    """

    name: str
    url: str
    how: str
    api: APIClient

    @cached_property
    def info(self) -> dict[str, Any]:
        """What `docker version` says of the server (asked once)."""
        return dict(self.api.version())

    @property
    def version(self) -> str:
        """The engine's version, such as "20.10.24"."""
        return str(self.info.get("Version", "?"))


_current: Engine | None = None
_chosen = ""


def current() -> Engine:
    """The engine in use; finds one on first use. Raises EngineError that lists what was tried."""
    global _current  # one engine per kernel is the point
    if _current is None:
        _current = connect(_chosen or _setting())
    return _current


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
            return _reach(place)
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
            hint=_what_next(words),
        ) from None
    except (requests.exceptions.RequestException, HTTPError, OSError, DockerException) as error:
        if isinstance(error, OSError) and error.filename is not None:
            raise  # a file of the reader's, not the connection
        forget()
        raise EngineError(
            f"the connection to the Docker engine at {engine.url} broke",
            command=command,
            detail=_reason(error),
            hint=_how_to_start(),
        ) from None


def _setting() -> str:
    from course_magics import settings

    return settings.current().engine


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
        timeout=_PING_SSH if ssh else _PING,
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


def _what_next(words: str) -> str | None:
    low = words.lower()
    if "no such image" in low or "not found: manifest" in low:
        return "%container images lists the images that are here; %container pull NAME fetches one"
    if "no such container" in low:
        return "%container ps -a lists the containers"
    if "is already in use by container" in low:
        return "choose another --name, or remove the old one: %container rm -f NAME"
    if "port is already allocated" in low or "address already in use" in low:
        return "choose another port before the colon: -p OTHER:80"
    return None


def _how_to_start() -> str:
    start = {
        "darwin": "open Docker Desktop (or: colima start)",
        "win32": "open Docker Desktop",
    }.get(sys.platform, "start it: sudo systemctl start docker (in this project: make setup)")
    return f"{start}\n%doctor looks at every part and says what to fix"

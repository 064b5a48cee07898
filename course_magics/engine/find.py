"""Where a Docker engine may be, in the order in which a docker user would expect it.

`COURSE_ENGINE` or `%engine use`, `DOCKER_HOST`, the current docker context, then the usual sockets
of Docker, Docker Desktop, rootless Docker, Colima, Rancher Desktop and Podman; at last the embedded
engine, which is started where it can be.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from course_magics.errors import EngineError, closest

#: The name of the engine that this package starts itself.
EMBEDDED = "embedded"


@dataclass(frozen=True)
class Place:
    """One place to try. url: as in DOCKER_HOST. how: how it was found, for the reader.

    explicit: somebody named it, so a failure is an error and nothing else is tried.
    tls: folder with ca.pem, cert.pem and key.pem, or None.
    """

    name: str
    url: str
    how: str
    explicit: bool = False
    tls: Path | None = None


def places(chosen: str = "") -> Iterator[Place]:
    """Every place, best first. chosen: a context name or URL, from `%engine use` or a setting."""
    if chosen:
        yield _named(chosen, f"chosen: {chosen}")
        return
    if named := os.environ.get("COURSE_ENGINE", ""):
        yield _named(named, f"COURSE_ENGINE={named}")
        return
    if host := os.environ.get("DOCKER_HOST", ""):
        tls = os.environ.get("DOCKER_CERT_PATH") if os.environ.get("DOCKER_TLS_VERIFY") else None
        yield Place("DOCKER_HOST", host, "DOCKER_HOST", True, Path(tls) if tls else None)
        return
    context = current_context()
    if context and context != "default":
        yield _context(context, f"current docker context {context!r}")
        return
    yield from _sockets()
    yield _embedded("no other engine answers")


def current_context() -> str:
    """The docker context in use: DOCKER_CONTEXT, else the docker config's; "" when none is set."""
    if name := os.environ.get("DOCKER_CONTEXT", ""):
        return name
    from docker.context.config import get_current_context_name

    return str(get_current_context_name())


def contexts() -> list[str]:
    """The names of the docker contexts of this user."""
    from docker.context import ContextAPI

    return [c.Name for c in ContextAPI.contexts()]


def _embedded(how: str, explicit: bool = False) -> Place:
    return Place(EMBEDDED, EMBEDDED, how, explicit)


def _named(name: str, how: str) -> Place:
    if name == EMBEDDED:
        return _embedded(how, True)
    if "://" in name:
        return Place(name, name, how, True)
    if name == "default":
        first = next(_sockets())
        return Place("default", first.url, how, True)
    return _context(name, how)


def _context(name: str, how: str) -> Place:
    from docker.context import ContextAPI
    from docker.errors import DockerException

    try:
        context = ContextAPI.get_context(name)
    except DockerException:
        context = None
    if context is None:
        known = contexts()
        near = closest(name, [EMBEDDED, *known])
        raise EngineError(
            f"no engine called {name!r}",
            hint=(f"did you mean {near}?\n" if near else "")
            + f"allowed: embedded, a docker context ({', '.join(known)}) or a URL such "
            "as unix:///var/run/docker.sock",
        )
    tls = context.TLSConfig
    folder = Path(tls.cert[0]).parent if tls is not None and tls.cert else None
    return Place(name, context.Host or "unix:///var/run/docker.sock", how, True, folder)


def _sockets() -> Iterator[Place]:
    if sys.platform == "win32":
        yield Place("docker", "npipe:////./pipe/docker_engine", "the usual named pipe")
        return
    home = Path.home()
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}")
    usual = (
        ("docker", Path("/var/run/docker.sock")),
        ("Docker Desktop", home / ".docker/run/docker.sock"),
        ("Docker Desktop", home / ".docker/desktop/docker.sock"),
        ("rootless docker", runtime / "docker.sock"),
        ("Colima", home / ".colima/default/docker.sock"),
        ("Rancher Desktop", home / ".rd/docker.sock"),
        ("Podman", runtime / "podman/podman.sock"),
        ("Podman", Path("/run/podman/podman.sock")),
    )
    for name, path in usual:
        yield Place(name, f"unix://{path}", f"its usual socket {path}")

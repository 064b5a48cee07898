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

from course_magics.engine import contexts, docker_config
from course_magics.engine.contexts import Tls
from course_magics.errors import EngineError, closest

#: The name of the engine that this package starts itself.
EMBEDDED = "embedded"


@dataclass(frozen=True)
class Place:
    """One place to try. url: as in DOCKER_HOST. how: how it was found, for the reader.

    explicit: somebody named it, so a failure is an error and nothing else is tried.
    tls: how to speak TLS with it; None where it does not. hint: what to do when it does not answer.
    """

    name: str
    url: str
    how: str
    explicit: bool = False
    tls: Tls | None = None
    hint: str = ""


def places(chosen: str = "") -> Iterator[Place]:
    """Every place, best first. chosen: a context name or URL, from `%engine use` or a setting."""
    if chosen:
        yield _named(chosen, f"chosen: {chosen}")
        return
    if named := os.environ.get("COURSE_ENGINE", ""):
        yield _named(named, f"COURSE_ENGINE={named}")
        return
    if host := os.environ.get("DOCKER_HOST", ""):
        yield Place("DOCKER_HOST", host, "DOCKER_HOST", True, _tls_of_environment(host))
        return
    context = contexts.current_name()
    if context != contexts.DEFAULT:
        yield _context(context, f"current docker context {context!r}")
        return
    yield from _sockets()
    yield _embedded("no other engine answers")


def candidates() -> list[Place]:
    """All that could be used by name: contexts, sockets that are there, the embedded engine.

    Their names are what `%engine use` takes.
    """
    found = [next(_sockets())]
    found[0] = Place(contexts.DEFAULT, found[0].url, found[0].how)
    if host := os.environ.get("DOCKER_HOST", ""):
        found.append(Place(host, host, "DOCKER_HOST", True, _tls_of_environment(host)))
    for name in contexts.names():
        if name != contexts.DEFAULT:
            found.append(_context(name, "docker context"))
    for place in _sockets():
        if place.url != found[0].url and Path(place.url.removeprefix("unix://")).exists():
            found.append(Place(place.url, place.url, place.name))
    return [*found, _embedded("started by this package")]


def _tls_of_environment(host: str) -> Tls | None:
    """How docker's own variables say that TLS is to be spoken with `host`."""
    verify = bool(os.environ.get("DOCKER_TLS_VERIFY"))
    if not host.startswith("tcp://") or not (verify or os.environ.get("DOCKER_TLS")):
        return None
    named = os.environ.get("DOCKER_CERT_PATH")
    return Tls(Path(named).expanduser() if named else docker_config.folder(), verify)


def _embedded(how: str, explicit: bool = False) -> Place:
    return Place(EMBEDDED, EMBEDDED, how, explicit)


def _named(name: str, how: str) -> Place:
    if name == EMBEDDED:
        return _embedded(how, True)
    if "://" in name:
        return Place(name, name, how, True, _tls_of_environment(name))
    if name == contexts.DEFAULT:
        first = next(_sockets())
        return Place(contexts.DEFAULT, first.url, how, True)
    return _context(name, how)


def _context(name: str, how: str) -> Place:
    known = contexts.names()
    if name not in known:
        near = closest(name, [EMBEDDED, *known])
        raise EngineError(
            f"no engine called {name!r}",
            hint=(f"did you mean {near}?\n" if near else "")
            + f"allowed: embedded, a docker context ({', '.join(known)}) or a URL such "
            "as unix:///var/run/docker.sock",
        )
    context = contexts.load(name)
    hint = f"course-magics host start {name}" if context.is_host else ""
    return Place(name, context.host or contexts.usual_host(), how, True, context.tls, hint)


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

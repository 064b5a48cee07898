"""The paths of requests: a name becomes one part of it, and nothing more."""

from __future__ import annotations

from urllib.parse import quote

from course_magics.errors import EngineError


def route(pattern: str, *names: str) -> str:
    """`pattern` with a name in each `{}`: route("/containers/{}/json", "web").

    A name that would lead elsewhere ("", "../x") raises EngineError; `?` and `#` stay part of it.
    """
    return pattern.format(*(quote(check(name), safe="/:@") for name in names))


def check(name: str) -> str:
    """The name. Raises EngineError where its parts would change the path around it.

    Image names have parts; the engine (and a client) leaves out "", "." and "..", and what is left
    is a request for something else.
    """
    if any(part in ("", ".", "..") for part in name.removeprefix("/").split("/")):
        raise EngineError(f"nothing is called {name!r}")
    return name

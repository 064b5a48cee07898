"""`docker attach` as a cell can have it: the output from now on, and the cell as its input."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from course_magics import engine
from course_magics.containers.lifecycle import known
from course_magics.display.finished import Finished, ended_badly
from course_magics.engine.routes import route
from course_magics.engine.stream import Attached, pump, request
from course_magics.errors import ContainerError, EngineError, Interrupted, OptionError
from course_magics.streams import Stream

if TYPE_CHECKING:
    from docker import APIClient

#: What there is to do about a container that cannot be attached to.
_NEXT = {
    "paused": "%container unpause {} first",
    "exited": "%container start -a {} starts it and shows its output",
    "created": "%container start -a {} starts it and shows its output",
    "restarting": "wait until it runs",
}


def attach(
    container: str,
    *,
    out: Stream | None = None,
    err: Stream | None = None,
    stdin: bytes | None = None,
    sig_proxy: bool = False,
    line: str = "",
) -> Finished:
    """Pass on what a running container prints from now on, until it ends.

    stdin: fed to it, then closed. An interrupt raises Interrupted and leaves the container
    running; sig_proxy: it gets the SIGINT. Raises ContainerError for a status other than 0 (with
    `.result`), EngineError, and OptionError when there is input and nobody who reads it.
    """
    out, err = out or Stream(), err or Stream()
    line = line or f"docker attach {container}"
    result = Finished(container, line, out, err)
    with engine.talking(line) as api:
        details = known(api, container)
        id, tty = details["Id"], bool(details["Config"]["Tty"])
        _check(container, details["State"]["Status"], line)
        if stdin is not None and not details["Config"]["OpenStdin"]:
            raise OptionError(
                f"{container} reads no standard input: it was made without -i",
                hint="make it with -i, or use %%container exec",
            )
        streams = {"stream": 1, "stdout": 1, "stderr": 1, "stdin": int(stdin is not None)}
        attached = Attached(api, route("/containers/{}/attach", id), params=streams)
        waiting = request(api, "POST", route("/containers/{}/wait", id), stream=True)
        try:
            if stdin is not None:
                # Podman does not keep StdinOnce.
                once = details["Config"]["StdinOnce"] or engine.current().is_podman
                attached.feed(stdin, end=bool(once))
            pump(attached.chunks(), out, err, tty=tty)
            result.exit_code = int(waiting.json()["StatusCode"])
        except KeyboardInterrupt:
            raise Interrupted(_let_go(api, id, container, sig_proxy), command=line) from None
        finally:
            attached.close()
            waiting.close()
            out.close()
            err.close()
    if result.exit_code:
        raise ended_badly(result, container, ContainerError)
    return result


def _check(container: str, state: str, line: str) -> None:
    if state != "running":
        raise EngineError(
            f"{container} is {state}: nothing can be attached to it",
            command=line,
            hint=_NEXT.get(state, "%container ps -a shows it").format(container),
        )


def _let_go(api: APIClient, id: str, container: str, sig_proxy: bool) -> str:
    if not sig_proxy:
        return f"stopped watching; {container} goes on"
    with contextlib.suppress(Exception):
        api.kill(id, "SIGINT")
    return f"interrupted: {container} was sent SIGINT"

"""`docker run`: in the foreground with live output, or detached."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from course_magics import engine, labels
from course_magics.containers import gone
from course_magics.containers.container import Container
from course_magics.containers.create import Say, create, free_name, quiet, show
from course_magics.containers.create import start as start_it
from course_magics.containers.image import familiar
from course_magics.containers.lifecycle import known, written_down
from course_magics.containers.options import RunOptions
from course_magics.containers.reap import reap_once
from course_magics.display.finished import Finished, ended_badly
from course_magics.engine.routes import route
from course_magics.engine.stream import Attached, pump, request
from course_magics.errors import ContainerError, EngineError, Interrupted
from course_magics.streams import Stream

if TYPE_CHECKING:
    from docker import APIClient


def run_detached(
    image: str,
    command: Sequence[str] = (),
    options: RunOptions | None = None,
    *,
    line: str = "",
    say: Say = quiet,
    start: bool = True,
) -> Container:
    """Create a container and start it in the background (`docker run -d`; start=False: `create`).

    A container without a name gets its image's and a number. Raises EngineError.
    """
    options = options or RunOptions()
    line = line or show(["docker", "run", "-d", image, *command])
    with engine.talking(line) as api:
        reap_once(api)
        named = options.name
        options.name = named or free_name(api, image)
        id = create(api, image, list(command), options, say=say, line=line)
        if start:
            try:
                start_it(api, id, options.publishes)
            except Exception as error:
                # Docker leaves the container as "created"; without a name it could not be found.
                if options.rm or not named:
                    _remove(api, id)
                raise start_error(error, line) from None
    return Container(options.name, id, image, line)


def run_foreground(
    image: str,
    command: Sequence[str] = (),
    options: RunOptions | None = None,
    *,
    out: Stream | None = None,
    err: Stream | None = None,
    stdin: bytes | None = None,
    line: str = "",
    say: Say = quiet,
) -> Finished:
    """Run a container, pass on its output as it comes, and wait for it (`docker run`).

    stdin: fed to the program, then closed. Returns what it left. Raises ContainerError for a status
    other than 0 (with `.result`), EngineError, and Interrupted after it has killed the container.
    """
    options = options or RunOptions()
    options.interactive = options.interactive or stdin is not None
    if options.attaches("stdin"):
        # Closing its input means nothing to a terminal: a shell would wait for ever. Docker's own
        # CLI refuses the two together unless somebody sits at a real terminal.
        options.tty = False
    out, err = out or Stream(), err or Stream()
    line = line or show(["docker", "run", image, *command])
    result = Finished(options.name or "", line, out, err)
    with engine.talking(line) as api:
        reap_once(api)
        id = None
        try:
            id = create(
                api, image, list(command), options, foreground=options.sig_proxy, say=say, line=line
            )
            result.exit_code = _follow(api, id, options, out, err, stdin, line)
        except KeyboardInterrupt:
            if id is None:
                _remove_just_made(api, image, options)
            said = _left(api, id) if id and not options.sig_proxy else _stop(api, id, options)
            raise Interrupted(said, command=line) from None
        except BaseException as error:
            if id is not None and options.rm:
                _remove(api, id)
            if isinstance(error, ContainerError):
                result.exit_code = error.status
                error.result = result
            raise
        finally:
            out.close()
            err.close()
    if result.exit_code:
        raise ended_badly(result, options.name or "the container", ContainerError)
    return result


def start_attached(
    container: str,
    *,
    out: Stream | None = None,
    err: Stream | None = None,
    stdin: bytes | None = None,
    line: str = "",
) -> Finished:
    """Start a stopped container, pass on its output and wait (`docker start -a`).

    Raises as `run_foreground` does; an interrupt kills the container.
    """
    out, err = out or Stream(), err or Stream()
    line = line or show(["docker", "start", "-a", container])
    with engine.talking(line) as api:
        details = known(api, container)
        options = RunOptions(
            name=container,
            tty=details["Config"]["Tty"],
            interactive=details["Config"]["OpenStdin"] and stdin is not None,
            rm=details["HostConfig"]["AutoRemove"],
            publish_all=bool(
                details["HostConfig"]["PortBindings"] or details["HostConfig"]["PublishAllPorts"]
            ),
        )
        result = Finished(container, line, out, err)
        try:
            result.exit_code = _follow(api, details["Id"], options, out, err, stdin, line)
        except KeyboardInterrupt:
            raise Interrupted(_stop(api, details["Id"], options), command=line) from None
        finally:
            out.close()
            err.close()
    if result.exit_code:
        raise ended_badly(result, container, ContainerError)
    return result


def _follow(
    api: APIClient,
    id: str,
    options: RunOptions,
    out: Stream,
    err: Stream,
    stdin: bytes | None,
    line: str,
) -> int:
    """Attach, start, pump, wait; in this order, or the beginning or the end may be missed."""
    feeds = options.attaches("stdin")
    streams = {s: int(options.attaches(s)) for s in ("stdin", "stdout", "stderr")} | {"stream": 1}
    try:
        attached = Attached(api, route("/containers/{}/attach", id), params=streams)
    except Exception as error:
        raise start_error(error, line) from None  # Podman looks for the program here already
    # Podman forgets the status of a container that it has removed.
    removed_first = options.rm and not engine.current().is_podman
    until = "removed" if removed_first else "next-exit"
    waiting = request(
        api, "POST", route("/containers/{}/wait", id), params={"condition": until}, stream=True
    )
    try:
        try:
            start_it(api, id, options.publishes)
        except Exception as error:
            raise start_error(error, line) from None
        if feeds:
            attached.feed(stdin or b"")
        pump(attached.chunks(), out, err, tty=options.tty)
        status = int(waiting.json()["StatusCode"])
        if options.rm and not removed_first:
            _remove(api, id)
        elif not options.rm:
            written_down(api, id)
        return status
    finally:
        attached.close()
        waiting.close()


def start_error(error: Exception, line: str) -> Exception:
    """The engine's refusal to start, as an error with the status that `docker run` would have."""
    from docker.errors import APIError

    if not isinstance(error, APIError):
        return error
    refusal: Exception = error
    words = str(error.explanation)
    low = words.lower()
    if "executable file " in low and "not found in $path" in low:  # also crun, which names no exec
        status, what = 127, "the program was not found in the container"
    elif "exec: " not in low:
        return refusal  # a mount, a limit…: not the program
    elif "no such file or directory" in low:
        status, what = 127, "the program was not found in the container"
    elif "permission denied" in low:
        status, what = 126, "the program cannot be executed"
    else:
        return refusal
    return ContainerError(what, command=line, status=status, detail=words)


def _remove_just_made(api: APIClient, image: str, options: RunOptions) -> None:
    """Remove the container whose id an interrupt kept from us: ours, never started."""
    for found in api.containers(
        filters={"label": f"{labels.OWNER}={labels.owner()}", "status": "created"}
    ):
        name = found["Names"][0].lstrip("/")
        same = familiar(found["Image"]) == familiar(image)
        if same and (options.name is None or options.name == name):
            _remove(api, found["Id"])


def _stop(api: APIClient, id: str | None, options: RunOptions) -> str:
    """Kill what the cell had started; returns what was done, for the reader."""
    if id is None:
        return "interrupted before the container was started"
    name = options.name or "the container"
    with contextlib.suppress(Exception):
        api.kill(id)
    if options.rm:
        _remove(api, id)
        return f"interrupted: {name} was killed and removed"
    return f"interrupted: {name} was killed"


def _left(api: APIClient, id: str) -> str:
    """With --sig-proxy=false an interrupt is not the container's business."""
    return f"stopped watching; {api.inspect_container(id)['Name'].lstrip('/')} goes on"


def _remove(api: APIClient, id: str) -> None:
    from docker.errors import APIError

    try:
        gone.remove(api, id)
    except APIError as error:
        raise EngineError(f"the container {id[:12]} could not be removed: {error}") from None

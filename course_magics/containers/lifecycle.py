"""start, stop, restart, kill, rm, wait: one word for several containers."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from course_magics import engine
from course_magics.containers import gone
from course_magics.containers.since import since
from course_magics.display import Block, Command, Grid, Line, Shown
from course_magics.engine.routes import route
from course_magics.errors import CourseError, EngineError, Interrupted, closest

if TYPE_CHECKING:
    from docker import APIClient


class Done(Shown):
    """What was done to which things. names: those it was done to; notes: the engine's warnings.

    absent: names of which there was nothing, where that is no fault.
    """

    def __init__(self, what: str, names: Sequence[str], command: str) -> None:
        self.what = what
        self.names = list(names)
        self.notes: list[str] = []
        self.absent: list[str] = []
        self.command = command

    def blocks(self) -> Sequence[Block]:
        lines = [Line(f"{self.what} {', '.join(self.names)}")] if self.names else []
        if self.absent:
            lines.append(Line(f"there was no {', no '.join(self.absent)}", "dim"))
        lines = lines or [Line("nothing to do")]
        return [*lines, *(Line(n, "warn") for n in self.notes), Command(self.command)]


def each(
    names: Sequence[str],
    what: str,
    act: Callable[[APIClient, str], object],
    line: str,
    *,
    containers: bool = True,
) -> Done:
    """Do `act` to every container in `names`. A failure does not stop the others.

    what: the past tense ("stopped"). containers: False for names of something else.
    Raises EngineError that lists all failures, after the rest.
    """
    done: list[str] = []
    failed: list[CourseError] = []
    for name in dict.fromkeys(names):
        try:
            with (
                engine.talking(line) as api,
                naming(api, name) if containers else contextlib.nullcontext(),
            ):
                act(api, name)
            done.append(name)
        except KeyboardInterrupt:
            rest = ", ".join(n for n in names if n not in done)
            raise Interrupted(f"interrupted: not {what}: {rest}", command=line) from None
        except EngineError as error:
            failed.append(error)
    result = Done(what, done, line)
    if failed:
        raise _together(failed, result, line)
    return result


def _together(failed: list[CourseError], result: Done, line: str) -> CourseError:
    first = failed[0]
    if len(failed) == 1 and not result.names:
        error: CourseError = first
    else:
        but = f"; {result.what}: {', '.join(result.names)}" if result.names else ""
        error = EngineError(
            f"{len(failed)} of {len(failed) + len(result.names)} failed{but}",
            command=line,
            detail="\n".join(e.message for e in failed),
            hint=first.hint,
        )
    error.result = result
    return error


def _check(name: str) -> None:
    """The name becomes part of a URL: "" or "a/b" would ask for something else."""
    if not re.fullmatch(r"/?[A-Za-z0-9][A-Za-z0-9_.-]*", name):
        raise EngineError(f"no such container: {name!r}", hint="%container ps -a lists them")


@contextlib.contextmanager
def naming(api: APIClient, name: str) -> Iterator[None]:
    """Requests for the container `name`: when there is none, the closest one is named."""
    from docker.errors import NotFound

    _check(name)
    try:
        yield
    except NotFound:
        known(api, name)
        raise


def known(api: APIClient, name: str) -> dict[str, Any]:
    """The container's details. Raises EngineError that names the closest one there is."""
    from docker.errors import NotFound

    _check(name)
    try:
        return dict(api.inspect_container(name))
    except NotFound:
        names = [n.lstrip("/") for c in api.containers(all=True) for n in c.get("Names") or ()]
        near = closest(name, names)
        raise EngineError(
            f"no such container: {name}",
            hint=f"did you mean {near}?" if near else "%container ps -a lists them",
        ) from None


def start(names: Sequence[str], line: str) -> Done:
    """Start stopped containers."""
    from course_magics.containers.create import start as start_it

    return each(names, "started", start_it, line)


def stop(names: Sequence[str], line: str, seconds: float | None, signal: str | None) -> Done:
    """Ask containers to end; kill after `seconds` (default: the container's own, or 10)."""

    def act(api: APIClient, name: str) -> None:
        _post(api, route("/containers/{}/stop", name), _grace(api, seconds, signal))
        written_down(api, name)

    return each(names, "stopped", act, line)


def written_down(api: APIClient, name: str) -> None:
    """Docker 26 says "ended" before its lists do; details come when the lists are true as well."""
    from docker.errors import NotFound

    with contextlib.suppress(NotFound):  # --rm
        api.inspect_container(name)


def _grace(api: APIClient, seconds: float | None, signal: str | None) -> dict[str, Any]:
    """How a container is asked to end. Raises EngineError for an engine that knows no signal."""
    params: dict[str, Any] = {} if seconds is None else {"t": int(seconds)}
    if signal:
        since(api, "--signal", "1.42")
        params["signal"] = signal
    return params


def restart(
    names: Sequence[str], line: str, seconds: float | None, signal: str | None = None
) -> Done:
    """Stop and start containers."""

    def act(api: APIClient, name: str) -> None:
        _post(api, route("/containers/{}/restart", name), _grace(api, seconds, signal))
        engine.current().published(name)

    return each(names, "restarted", act, line)


def kill(names: Sequence[str], line: str, signal: str | None) -> Done:
    """Send a signal (default: KILL)."""

    def act(api: APIClient, name: str) -> None:
        api.kill(name, signal)
        written_down(api, name)

    return each(names, "killed", act, line)


def remove(
    names: Sequence[str], line: str, *, force: bool, volumes: bool, link: bool = False
) -> Done:
    """Remove containers. force: also running ones, and no fault when there is none.

    link: the names are links (/web/db), of which only the link is removed.
    """
    from docker.errors import NotFound

    absent: list[str] = []

    def act(api: APIClient, name: str) -> None:
        if force and not link:
            if not gone.remove(api, name, volumes=volumes):
                absent.append(name)
            return
        try:
            api.remove_container(name, force=force, v=volumes, link=link)
        except NotFound:
            if not force:
                raise
            absent.append(name)

    done = each(names, "removed", act, line, containers=not link)
    done.absent = absent
    done.names = [name for name in done.names if name not in absent]
    return done


class Ended(Shown):
    """Containers that have ended. statuses: name → exit status."""

    def __init__(self, statuses: dict[str, int], command: str) -> None:
        self.statuses = statuses
        self.command = command

    def blocks(self) -> Sequence[Block]:
        rows = list(self.statuses.items())
        return [Grid(["container", "status"], rows, frozenset({"status"})), Command(self.command)]


def wait(names: Sequence[str], line: str) -> Ended:
    """Wait until containers have ended."""
    found: dict[str, int] = {}

    def act(api: APIClient, name: str) -> None:
        from course_magics.engine.stream import request

        answer = request(api, "POST", route("/containers/{}/wait", name)).json()
        found[name] = int(answer["StatusCode"])
        written_down(api, name)

    try:
        each(names, "ended", act, line)
    except CourseError as error:
        error.result = Ended(found, line)
        raise
    return Ended(found, line)


def _post(api: APIClient, path: str, params: dict[str, Any]) -> None:
    from course_magics.engine.stream import request

    request(api, "POST", path, params=params)

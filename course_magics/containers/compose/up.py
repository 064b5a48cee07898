"""`compose up`, in the background and in the foreground, and what ■ does to it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from course_magics import engine
from course_magics.containers.compose import program, ready, source, stack
from course_magics.containers.compose.failure import check_alive, ended, failed
from course_magics.containers.compose.logs import Lines, Sorter
from course_magics.containers.compose.progress import Progress
from course_magics.containers.compose.project import Project
from course_magics.display.finished import Finished, ended_badly
from course_magics.errors import ContainerError, EngineError, Interrupted
from course_magics.streams import Stream


class Watch(Protocol):
    """A view that is told how far it is."""

    def progress(self, progress: Progress) -> object:
        """Compose has changed something."""

    def rows(self, rows: list[dict[str, Any]]) -> object:
        """The containers are now like this."""


class Blind:
    """No view."""

    def progress(self, progress: Progress) -> None:
        """Nothing."""

    def rows(self, rows: list[dict[str, Any]]) -> None:
        """Nothing."""


def services(project: Project) -> list[str]:
    """The project's services: those of its file, or those that have containers."""
    return source.names(project.text or "", "services") or list(
        dict.fromkeys(c["Labels"].get(stack.SERVICE, "") for c in stack.listed(project.name))
    )


def up(
    project: Project,
    words: Sequence[str],
    line: str,
    *,
    wait: bool = False,
    seconds: float | None = None,
    watch: Watch | None = None,
) -> stack.Stack:
    """`compose up -d` with these words. wait: until every service is well, or `seconds` are over.

    A service is well when it runs and its health check, if it has one, says so; or when it has
    ended with status 0. Raises ContainerError with the last lines of a service that is not,
    OptionError with the line of a fault in the file, EngineError, Interrupted.
    """
    watch = watch or Blind()
    with _undone(project, line):
        progress = change(project, words, line, watch=watch)
        publish(project)
        if wait:
            try:
                bad = ready.wait(project.name, seconds=seconds, watch=watch.rows)
            except ready.TooLong as late:
                names = ", ".join(row["shown name"] for row in late.rows)
                still = f" (nothing has moved for {late.still:.0f} s)" if late.still else ""
                raise ContainerError(
                    f"not ready in time: {names}{still}",
                    command=line,
                    hint="%compose ps shows how far they are, %compose logs what they say",
                ) from None
            if bad:
                raise ended(project, line, bad)
    return stack.Stack(project, line, progress.warnings)


def attached(
    project: Project, words: Sequence[str], line: str, *, out: Stream, colour: bool, prefix: bool
) -> stack.Stack:
    """`compose up` in the foreground: the services' output, until all have ended or ■."""
    lines = Lines(out, services(project), colour=colour, prefix=prefix)
    progress = Progress()
    errors = Sorter(lines, progress)
    try:
        with _undone(project, line):
            status = program.run(project, words, out=lines, err=errors)
    finally:
        errors.close()
        progress.close()
        lines.close()
        out.close()
    if status and progress.rest:
        raise failed(project, line, status, progress.words)
    check_alive(line)
    if status:
        raise ContainerError(f"a service ended with status {status}", command=line, status=status)
    return stack.Stack(project, line, progress.warnings)


def change(
    project: Project, words: Sequence[str], line: str, *, watch: Watch | None = None
) -> Progress:
    """Run a word that changes something. Returns what it told; raises CourseError."""
    progress = Progress(watch.progress if watch else None)
    try:
        status = program.run(project, words, out=progress, err=progress)
    finally:
        progress.close()
    if status:
        raise failed(project, line, status, progress.words)
    return progress


def run(
    project: Project, words: Sequence[str], line: str, *, out: Stream, err: Stream, detach: bool
) -> Finished:
    """`compose run`: a program in a container of its own. Raises ContainerError for a bad end."""
    progress = Progress(other=err)
    try:
        with _undone(project, line, oneoff=True):
            status = program.run(project, words, out=Stream() if detach else out, err=progress)
    finally:
        progress.close()
        out.close()
        err.close()
    if status and not out.size:
        error = failed(project, line, status, progress.words)
        if not isinstance(error, EngineError) or "compose could not" not in error.message:
            raise error
    result = Finished(project.name, line, out, err)
    result.exit_code = status
    if status:
        raise ended_badly(result, "the command", ContainerError)
    publish(project)
    return result


def mounts(project: Project) -> list[str]:
    """The folders and files of this computer that the project's services mount, full paths."""
    status, out, _ = program.capture(project, ["config", "--format", "json"])
    services = json.loads(out).get("services") or {} if not status else {}
    found = (v for service in services.values() for v in service.get("volumes") or ())
    return sorted({v["source"] for v in found if v.get("type") == "bind"})


def check_mounts(project: Project) -> None:
    """Raises EngineError where the engine would not see a folder that is mounted."""
    current = engine.current()
    if current.lease is not None:
        for path in mounts(project):
            current.mountable(path)


def publish(project: Project) -> None:
    """The ports that its containers publish are reached from here, on the embedded engine too."""
    current = engine.current()
    if current.lease is not None:
        for found in stack.listed(project.name):
            if found["State"] == "running" and found.get("Ports"):
                current.published(found["Id"])


def built(project: Project, wanted: Sequence[str]) -> list[tuple[str, str]]:
    """Service and image of what `compose build` builds; all of them unless some are `wanted`."""
    services = source.data(project.text or "").get("services")
    found = services.items() if isinstance(services, dict) else ()
    return [
        (name, str(service.get("image") or f"{project.name}-{name}"))
        for name, service in found
        if isinstance(service, dict) and service.get("build") and (not wanted or name in wanted)
    ]


@contextlib.contextmanager
def _undone(project: Project, line: str, *, oneoff: bool = False) -> Iterator[None]:
    """On ■ the containers that have been started meanwhile are killed."""
    check_mounts(project)
    before = stack.listed(project.name, oneoff=True)
    try:
        yield
    except KeyboardInterrupt:
        names = _kill(project, before)
        if oneoff:
            what = "the container was killed and removed" if names else "nothing had been started"
        else:
            what = f"{', '.join(names)} stopped" if names else "no container had been started"
        raise Interrupted(
            f"interrupted: {what}",
            command=line,
            hint=None if oneoff else "%compose up -d goes on, %compose down removes the project",
        ) from None


_ALIVE = ("running", "restarting", "paused")


def _kill(project: Project, before: list[dict[str, Any]]) -> list[str]:
    """End what has come or been started since `before`; returns the services' names.

    What `compose run` had left before is not this cell's either.
    """
    kept = {c["Id"] for c in before if c["State"] in _ALIVE or stack.is_oneoff(c)}
    known = {c["Id"] for c in before}
    ended: set[str] = set()
    with contextlib.suppress(EngineError):
        for _ in range(3):  # the engine may still be starting what compose has asked for
            now = [c for c in stack.listed(project.name, oneoff=True) if c["Id"] not in kept]
            # Those that compose itself has stopped before it went are to be named too.
            new = [c for c in now if c["Id"] not in known and c["State"] == "exited"]
            fresh = [c for c in now if c["State"] in _ALIVE or stack.is_oneoff(c)]
            ended.update(c["Labels"].get(stack.SERVICE, "") for c in [*new, *fresh])
            if not fresh:
                break
            with ThreadPoolExecutor(8) as pool:
                for done in [pool.submit(_end, c) for c in fresh]:
                    with contextlib.suppress(Exception):
                        done.result()
    return sorted(ended)


def _end(container: dict[str, Any]) -> None:
    with engine.talking("docker kill") as api:
        if stack.is_oneoff(container):
            api.remove_container(container["Id"], force=True)
        else:
            api.kill(container["Id"])

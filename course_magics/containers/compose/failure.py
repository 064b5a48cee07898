"""Why compose failed, as an error: a fault of the file, a service that ended, or its own words."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from typing import Any

from course_magics import engine
from course_magics.containers.compose import source, stack
from course_magics.containers.compose.faults import fault
from course_magics.containers.compose.project import Project
from course_magics.errors import ContainerError, CourseError, EngineError
from course_magics.streams import Stream

#: How much of a failed service's log is shown (lines).
_TAIL = 10
_LOST = re.compile(
    r"Cannot connect to the Docker daemon|error during connect|connection refused|\bEOF$"
    r"|connect: no such file|broken pipe|connection reset",
    re.MULTILINE,
)
#: What compose says of a line in an env-file, and behind it the line's value: it may be a secret.
_OF_ENV_FILE = re.compile(
    r"(unterminated quoted value) .*|((?:^|failed to read [^\n]*: )Invalid template): .*",
    re.DOTALL | re.MULTILINE,
)
_HINTS = (
    ("port is already allocated", "choose another port before the colon under ports:"),
    ("address already in use", "choose another port before the colon under ports:"),
    ("no such host", "%container images lists the images that are here: name one of them"),
    ("pull access denied", "%container images lists the images that are here: name one of them"),
    ("is already in use by container", "%container rm -f removes the old one"),
    ("failed to read dockerfile", "build: FOLDER names the folder with the Dockerfile in it"),
    ("no containers for project", "%compose ps -a shows whether they have ended already"),
    ("no containers to", "%compose ps -a lists them; %compose up -d makes them"),
)


def failed(project: Project | None, line: str, status: int, words: str) -> CourseError:
    """The error for a compose that ended with `status` and these `words`."""
    words = _OF_ENV_FILE.sub(lambda found: found[1] or found[2], words)
    text = project.text if project is not None else None
    if text is not None and project is not None:
        found = fault(words, text, project.where, line)
        if found is not None:
            return found
    if _LOST.search(words):
        lost = _gone(line)
        if lost is not None:
            return lost
    lines = [re.sub(r"^Error response from daemon: ", "", w) for w in words.splitlines() if w]
    last = lines[-1] if lines else "it ended without a word"
    if match := re.match(r"no such service: (\S+)", last):
        known = source.names(text or "", "services")
        error: CourseError = stack.no_service(match[1], known)
        error.command = line
        return error
    if project is not None and (match := re.search(r"container (\S+) (is unhealthy|exited)", last)):
        return ended(project, line, [r for r in stack.rows(project.name) if r["Name"] == match[1]])
    if project is not None and (match := re.search(r'service "(\S+)" didn\'t complete', last)):
        rows = stack.rows(project.name)
        return ended(project, line, [r for r in rows if r["Service"] == match[1]])
    hint = next((hint for sign, hint in _HINTS if sign in words), None)
    return EngineError(
        f"compose could not do that: {last}",
        command=line,
        status=status,
        detail="\n".join(lines[:-1][-_TAIL:]) or None,
        hint=hint,
    )


def _gone(line: str) -> EngineError | None:
    """The error for an engine that does not answer any more; None where it does."""
    try:
        with engine.talking(line) as api:
            api.ping()
    except EngineError as error:
        return error
    return None


def check_alive(line: str) -> None:
    """Raises EngineError where the engine has gone: compose's streams then just end."""
    if (lost := _gone(line)) is not None:
        raise lost


def ended(project: Project, line: str, rows: Sequence[dict[str, Any]]) -> ContainerError:
    """The error for services that ended badly or are unhealthy, with the last lines of each."""
    what, details = [], []
    for row in rows:
        name = row["shown name"]
        if row["Health"] == "unhealthy" and row["State"] == "running":
            what.append(f"{name} is unhealthy")
            log = _last_check(row) or _log(row)
        else:
            again = " again and again" if row["State"] == "restarting" else ""
            what.append(f"{name} ended with status {row['ExitCode']}{again}")
            log = _log(row)
        details += [f"{name} | {text}" for text in log]
    error = ContainerError(
        "; ".join(what) or "a service did not start",
        command=line,
        status=next((r["ExitCode"] for r in rows if r["ExitCode"]), 1),
        detail="\n".join(details) or None,
        hint="%compose logs shows all of their output; %compose down removes the project",
    )
    with contextlib.suppress(CourseError):
        error.result = stack.Stack(project, line)
    return error


def _log(row: dict[str, Any]) -> list[str]:
    try:
        with engine.talking("docker compose logs") as api:
            text = api.logs(row["ID"], tail=_TAIL).decode("utf-8", "replace")
    except CourseError:
        return []
    return text.splitlines() or ["(it has printed nothing)"]


def _last_check(row: dict[str, Any]) -> list[str]:
    """What the health check itself printed at last."""
    checks = (row["details"]["State"].get("Health") or {}).get("Log") or []
    output = checks[-1].get("Output", "").strip() if checks else ""
    said = output.splitlines()[-3:]
    code = checks[-1].get("ExitCode") if checks else None
    return [f"health check: status {code}", *said, *_log(row)] if checks else []


def kept(words: str) -> Stream:
    """`words` as a stream, for results that hold one."""
    stream = Stream()
    stream.write(words.encode())
    return stream

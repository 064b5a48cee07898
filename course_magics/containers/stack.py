"""`docker stack`: a compose file on a swarm. It has no HTTP API: the real docker client does it."""

from __future__ import annotations

import contextlib
import json
import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from course_magics import engine, labels, process
from course_magics.containers.compose import program, source
from course_magics.containers.compose.faults import fault
from course_magics.containers.compose.progress import Changes, Progress
from course_magics.containers.listing import Lines
from course_magics.display import Shown, Table
from course_magics.errors import CourseError, EngineError, Interrupted, OptionError

_DONE = re.compile(r"^(Creating|Updating|Removing) (network|service|secret|config) (\S+)")
_PAST = {"Creating": "created", "Updating": "updated", "Removing": "removed"}
_COLUMNS = {
    "ls": {"NAME": "Name", "SERVICES": "Services"},
    "services": {
        "NAME": "Name",
        "MODE": "Mode",
        "REPLICAS": "Replicas",
        "IMAGE": "Image",
        "PORTS": "Ports",
    },
    "ps": {
        "NAME": "Name",
        "IMAGE": "Image",
        "NODE": "Node",
        "DESIRED": "DesiredState",
        "STATE": "shown state",
        "ERROR": "Error",
    },
}


def change(words: Sequence[str], line: str, *, text: str | None = None, where: str = "") -> Changes:
    """deploy and rm: what was created, updated and removed.

    text: the compose file, where there is one, to look a fault up in; where: what it is called.
    Raises OptionError with the line of a fault, EngineError in docker's words, Interrupted.
    """
    progress = Progress()
    for said in _ask(words, line, text, where).splitlines():
        if match := _DONE.match(said):
            progress.steps[match[2], match[3]] = _PAST[match[1]]
    return Changes(progress, line)


def table(kind: str, words: Sequence[str], line: str) -> Table:
    """ls, services and ps (`kind`): a table whose rows have docker's own keys."""
    rows = [json.loads(row) for row in _ask([*words, "--format", "{{json .}}"], line).splitlines()]
    for row in rows:
        row["shown state"] = str(row.get("CurrentState", "")).partition(" ")[0]
    rows.sort(key=lambda r: str(r.get("Name")))
    return Table(_COLUMNS[kind], rows, command=line)


def lines(words: Sequence[str], line: str, text: str | None = None, where: str = "") -> Shown:
    """What docker prints."""
    return Lines(_ask(words, line, text, where).rstrip("\n").splitlines(), line)


@contextlib.contextmanager
def files(cell: str | None, named: Sequence[str], *, labelled: bool) -> Iterator[list[str]]:
    """The flags that name the compose files: the cell, or those named, and one with our labels.

    The cell becomes a file in the notebook's folder for a moment, since relative paths begin there.
    """
    with contextlib.ExitStack() as after:
        if cell is not None:
            named = [after.enter_context(_written(cell))]
        texts = [Path(n).read_text("utf-8", "replace") for n in named]
        if labelled:
            named = [*named, after.enter_context(_written(json.dumps(_labels(texts))))]
        yield [word for name in named for word in ("-c", str(name))]


def _labels(texts: Sequence[str]) -> dict[str, Any]:
    """A file to lay over the others; of the same version, or docker refuses it."""
    ours: dict[str, Any] = {}
    for text in texts:
        if "version" in (found := source.data(text)):
            ours["version"] = str(found["version"])
        for kind, entries in source.with_labels(text, labels.lasting()).items():
            ours.setdefault(kind, {}).update(entries)
        for kind in ("secrets", "configs"):
            section = found.get(kind)
            for name, details in (section if isinstance(section, dict) else {}).items():
                if isinstance(details, dict) and not details.get("external"):
                    ours.setdefault(kind, {})[str(name)] = {"labels": labels.lasting()}
    for service in ours.get("services", {}).values():
        service.pop("build", None)
        service["deploy"] = {"labels": labels.lasting()}
    return ours


@contextlib.contextmanager
def _written(text: str) -> Iterator[str]:
    try:
        file = tempfile.NamedTemporaryFile("w", dir=Path.cwd(), prefix=".stack-", suffix=".yaml")  # noqa: SIM115
    except OSError:  # a folder that cannot be written to
        file = tempfile.NamedTemporaryFile("w", prefix=".stack-", suffix=".yaml")  # noqa: SIM115
    with file:
        file.write(text)
        file.flush()
        yield file.name


def _ask(words: Sequence[str], line: str, text: str | None = None, where: str = "") -> str:
    command = [str(program.docker()), "stack", *words]
    try:
        status, out, err = process.capture(command, env=program.environment())
    except KeyboardInterrupt:
        raise Interrupted(
            f"interrupted: docker stack {words[0]} was stopped before its end",
            command=line,
            hint="%container stack ls shows what is there, %container stack rm NAME removes it",
        ) from None
    if status:
        raise _failed(line, status, err or out, text, where)
    return out


def _failed(line: str, status: int, words: str, text: str | None, where: str) -> CourseError:
    if text is not None and (found := fault(words, text, where, line)) is not None:
        return found
    with engine.talking(line) as api:
        api.ping()  # one that has gone is told of in the usual words
    said = [w for w in words.strip().splitlines() if w] or ["it ended without a word"]
    hint = None
    if "not a swarm manager" in words:
        hint = "%container swarm init makes this engine a swarm of one"
    elif "nothing found in stack" in words.lower():
        hint = "%container stack ls lists the stacks"
    elif "unknown flag" in words or "is not a docker command" in words:
        hint = "the docker client on the PATH is older than this word"
    first = re.sub(r"^Error response from daemon: ", "", said[0])
    return EngineError(
        f"docker stack could not do that: {first}",
        command=line,
        status=status,
        detail="\n".join(said[1:6]) or None,
        hint=hint,
    )


def text_of(cell: str | None, named: Sequence[str]) -> tuple[str | None, str]:
    """The compose file's text and what it is called. Raises OptionError where there is none."""
    if cell is not None:
        return cell, "the cell"
    if not named:
        raise OptionError(
            "the compose file is missing",
            hint="-c FILE names it, or %%container stack deploy NAME has it below",
        )
    for name in named:
        if name == "-" or not Path(name).is_file():
            raise OptionError(f"there is no file {name}")
    return (
        (Path(named[0]).read_text("utf-8", "replace"), named[0]) if len(named) == 1 else (None, "")
    )

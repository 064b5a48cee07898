"""The other words of compose: each runs the real command, and gives a result with data."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from course_magics.containers.compose import program, stack
from course_magics.containers.compose.failure import check_alive, failed
from course_magics.containers.compose.logs import Lines as Prefixed
from course_magics.containers.compose.logs import Sorter
from course_magics.containers.compose.progress import Progress
from course_magics.containers.compose.project import Project
from course_magics.containers.compose.up import services
from course_magics.containers.lifecycle import Ended
from course_magics.containers.listing import Lines
from course_magics.display import Shown, Table
from course_magics.display.finished import Finished
from course_magics.errors import Interrupted
from course_magics.streams import Stream
from course_magics.units import show_bytes


def ask(project: Project | None, words: Sequence[str], line: str) -> str:
    """What compose prints for these words. Raises CourseError in its words, Interrupted."""
    try:
        status, out, err = program.capture(project, words)
    except KeyboardInterrupt:
        raise Interrupted("interrupted: compose was stopped", command=line) from None
    if status:
        progress = Progress()
        progress.write(err.encode())
        progress.close()
        raise failed(project, line, status, progress.words or out)
    return out


def text(project: Project | None, words: Sequence[str], line: str) -> Lines:
    """What compose prints, as lines."""
    return Lines(ask(project, words, line).rstrip("\n").splitlines(), line)


def _objects(out: str) -> list[dict[str, Any]]:
    """JSON as compose writes it: a list, or an object a line."""
    out = out.strip()
    if not out or out == "null":
        return []
    if out.startswith("["):
        return list(json.loads(out))
    return [json.loads(line) for line in out.splitlines() if line.startswith("{")]


def ps(project: Project, words: Sequence[str], line: str) -> Shown:
    """A `Table` of services, images, states, health and ports, with compose's own keys beside."""
    found = _objects(ask(project, [*words, "--format", "json"], line))
    for row in found:
        row["Number"] = _number(row["Name"])
        if row["State"] == "exited":
            row["shown state"] = f"exited ({row['ExitCode']})"
        else:
            row["shown state"] = row["State"]
        row["shown ports"] = _ports(row.get("Publishers") or ())
    found.sort(key=lambda r: (r["Service"], r["Number"]))
    columns = {
        **stack.COLUMNS,
        "STATE": "shown state",
        "HEALTH": "Health",
        "PORTS": "shown ports",
    }
    return Table(columns, stack.named(found), command=line, empty="(no containers)")


def _number(name: str) -> int:
    number = name.rpartition("-")[2]
    return int(number) if number.isdigit() else 0


def _ports(publishers: Sequence[dict[str, Any]]) -> str:
    from course_magics.containers.listing import ports_of

    return ports_of(
        [
            {
                "PrivatePort": p["TargetPort"],
                "Type": p["Protocol"],
                "PublicPort": p.get("PublishedPort") or None,
                "IP": p.get("URL", ""),
            }
            for p in publishers
        ],
        stable=True,
    )


def images(project: Project, words: Sequence[str], line: str) -> Table:
    """The images of the project's containers."""
    found = _objects(ask(project, [*words, "--format", "json"], line))
    for row in found:
        row["shown container"] = row["ContainerName"].removeprefix(f"{project.name}-")
        row["shown size"] = show_bytes(row["Size"])
    found.sort(key=lambda r: r["ContainerName"])
    columns = {
        "CONTAINER": "shown container",
        "REPOSITORY": "Repository",
        "TAG": "Tag",
        "SIZE": "shown size",
    }
    return Table(columns, found, command=line, right=["SIZE"], empty="(no containers)")


def ls(words: Sequence[str], line: str) -> Table:
    """The projects that run on the engine."""
    found = _objects(ask(None, [*words, "--format", "json"], line))
    return Table({"NAME": "Name", "STATUS": "Status"}, found, command=line, empty="(no projects)")


def stats(project: Project, words: Sequence[str], line: str) -> Table:
    """What the containers use now."""
    found = _objects(ask(project, [*words, "--no-stream", "--format", "json"], line))
    found.sort(key=lambda r: str(r.get("Name")))
    columns = {
        "NAME": "Name",
        "CPU": "CPUPerc",
        "MEMORY": "MemUsage",
        "NETWORK": "NetIO",
        "BLOCKS": "BlockIO",
        "PIDS": "PIDs",
    }
    return Table(columns, found, command=line, empty="(no containers)")


def top(project: Project, words: Sequence[str], line: str) -> Table:
    """The processes of each container, by service."""
    rows: list[dict[str, Any]] = []
    container = ""
    heads: list[str] = []
    for text in ask(project, words, line).splitlines():
        parts = text.split()
        if not parts:
            heads = []
        elif not heads and len(parts) > 1 and "PID" in parts:
            heads = parts
        elif not heads:
            container = text.strip()
        else:
            values = text.split(None, len(heads) - 1)
            row = dict(zip(heads, (v.strip() for v in values), strict=False))
            rows.append({"Container": container, **row})
    for row in rows:
        row["Service"] = re.sub(r"-\d+$", "", row["Container"].removeprefix(f"{project.name}-"))
    rows.sort(key=lambda r: (r["Container"], r.get("CMD", "")))
    columns = {"SERVICE": "Service", "USER": "UID", "COMMAND": "CMD"}
    return Table(columns, rows, command=line, empty="(no processes)")


def wait(project: Project, words: Sequence[str], line: str) -> Ended:
    """Wait for services to end."""
    out = ask(project, words, line)
    found = re.findall(r'container "(\w+)" exited with status code (\d+)', out)
    names = {c["Id"]: c["Names"][0].lstrip("/") for c in stack.listed(project.name, oneoff=True)}
    return Ended({names.get(id, id[:12]): int(code) for id, code in found}, line)


def logs(
    project: Project,
    words: Sequence[str],
    line: str,
    *,
    out: Stream,
    follow: bool,
    colour: bool,
    prefix: bool,
) -> Finished:
    """The services' output, each line with its service's name; with `follow` as it comes."""
    known = services(project)
    lines = Prefixed(out, known, colour=colour, grouped=not follow, prefix=prefix)
    progress = Progress()
    errors = Sorter(lines, progress)
    try:
        status = program.run(project, words, out=lines, err=errors)
    except KeyboardInterrupt:
        what = "stopped following the logs; the services go on" if follow else "interrupted"
        raise Interrupted(what, command=line) from None
    finally:
        errors.close()
        progress.close()
        lines.close()
        out.close()
    if status:
        raise failed(project, line, status, progress.words)
    if follow:
        check_alive(line)
    result = Finished(project.name, line, out, Stream())
    result.exit_code = 0
    return result


def follow(
    project: Project, words: Sequence[str], line: str, *, out: Stream, after: str
) -> Finished:
    """A word that goes on until ■: events, watch. after: what is said then."""
    progress = Progress(other=out)
    try:
        status = program.run(project, words, out=out, err=progress)
    except KeyboardInterrupt:
        raise Interrupted(after, command=line) from None
    finally:
        progress.close()
        out.close()
    if status:
        raise failed(project, line, status, progress.words)
    check_alive(line)
    result = Finished(project.name, line, out, Stream())
    result.exit_code = 0
    return result

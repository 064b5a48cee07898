"""`docker ps` and `docker images`: tables whose rows hold all that is known."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from course_magics import engine
from course_magics.containers.templates import render
from course_magics.display import Block, Command, Listed, Pre, Shown, Table
from course_magics.errors import OptionError, closest
from course_magics.units import show_bytes

#: Ports from here on are the engine's own choice (Linux's default ip_local_port_range).
_CHOSEN_BY_ENGINE = 32768
_CONTAINER_FILTERS = (
    *("ancestor", "before", "exited", "expose", "health", "id", "is-task", "isolation", "label"),
    *("name", "network", "publish", "since", "status", "volume"),
)
_IMAGE_FILTERS = ("before", "dangling", "label", "reference", "since")


class Lines(Listed):
    """Text lines as `--format` or `-q` made them. lines: the list; text: all of it.

    rows: what each line says where the lines are JSON objects, else {"line": …}.
    """

    def __init__(self, lines: Sequence[str], command: str) -> None:
        self.lines = list(lines)
        self.command = command

    @property
    def text(self) -> str:
        """The lines in one string."""
        return "\n".join(self.lines)

    @property
    def rows(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """The lines as data."""
        with contextlib.suppress(ValueError):
            found = [json.loads(line) for line in self.lines]
            if all(isinstance(row, dict) for row in found):
                return found
        return [{"line": line} for line in self.lines]

    def __len__(self) -> int:
        return len(self.lines)

    def __getitem__(self, index: int) -> str:
        return self.lines[index]

    def blocks(self) -> Sequence[Block]:
        return [Pre(self.text), Command(self.command)]


def formatted(rows: Sequence[dict[str, Any]], template: str, command: str) -> Shown:
    """`rows` through `--format TEMPLATE`, `--format "table TEMPLATE"` or `--format json`."""
    if template == "json":
        template = "{{json .}}"
    if template.startswith("table "):
        body = template.removeprefix("table ").strip().replace("\\t", "\t")
        parts = body.split("\t")
        heads = [_heading(p) for p in parts]
        data = [{h: render(p, r) for h, p in zip(heads, parts, strict=True)} for r in rows]
        return Table({h: h for h in heads}, data, command=command)
    return Lines([render(template, r) for r in rows], command)


def _heading(part: str) -> str:
    """CreatedAt → CREATED AT, as docker heads its tables."""
    names = re.findall(r"\.(\w+)", part)
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", names[-1]).upper() if names else part.strip()


def filters(given: Sequence[str], allowed: Sequence[str]) -> dict[str, list[str]]:
    """`--filter NAME=VALUE` as the engine takes them. Raises OptionError for an unknown one."""
    found: dict[str, list[str]] = {}
    for item in given:
        name, equals, value = item.partition("=")
        if name not in allowed or not equals:
            near = closest(name, allowed)
            if equals and near:
                hint = f"did you mean {near}={value}?"
            else:
                hint = f"allowed: {', '.join(allowed)}"
            raise OptionError(f"--filter takes NAME=VALUE, not {item!r}", hint=hint)
        found.setdefault(name, []).append(value)
    return found


def ago(seconds: float) -> str:
    """A span as docker words it: "3 minutes", "About an hour"."""
    minutes = seconds / 60
    hours = minutes / 60
    days = hours / 24
    words = (
        (seconds < 1, "Less than a second"),
        (seconds < 2, "1 second"),
        (seconds < 60, f"{int(seconds)} seconds"),
        (minutes < 2, "About a minute"),
        (minutes < 60, f"{int(minutes)} minutes"),
        (int(hours + 0.5) == 1, "About an hour"),
        (hours < 48, f"{int(hours + 0.5)} hours"),
        (days < 14, f"{int(days)} days"),
        (days < 60, f"{int(days / 7)} weeks"),
        (days < 730, f"{int(days / 30)} months"),
    )
    return next((word for fits, word in words if fits), f"{int(days / 365)} years")


def stamp(seconds: float) -> str:
    """Unix seconds as docker prints a moment, in the local zone: 2030-01-31 12:00:00 +0000 UTC."""
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S %z %Z")


def ports_of(ports: Sequence[dict[str, Any]], *, stable: bool) -> str:
    """Ports as `docker ps` writes them. stable: a port that the engine chose becomes `*`."""
    seen: list[str] = []
    for port in sorted(ports or (), key=lambda p: (p["PrivatePort"], str(p.get("IP")))):
        inside = f"{port['PrivatePort']}/{port['Type']}"
        public = port.get("PublicPort")
        if public is None:
            text = inside
        elif stable:
            ip = port.get("IP", "")
            place = "" if ip in ("0.0.0.0", "::", "") else f"{ip}:"
            text = f"{place}{public if public < _CHOSEN_BY_ENGINE else '*'}->{inside}"
        else:
            text = f"{port.get('IP', '')}:{public}->{inside}"
        if text not in seen:
            seen.append(text)
    return ", ".join(seen)


def _container_row(found: dict[str, Any], *, full: bool) -> dict[str, Any]:
    """One container under docker's own field names, and the stable ones that we show."""
    names = sorted(n.lstrip("/") for n in found.get("Names") or () if n.count("/") == 1)
    command = found.get("Command", "")
    short = command if full or len(command) <= 20 else command[:19] + "…"
    mounts = [m.get("Name") or m.get("Source", "") for m in found.get("Mounts") or ()]
    status = found.get("Status", "")
    code = re.search(r"Exited \((\d+)\)", status)
    health = re.search(r"\((healthy|unhealthy|health: starting)\)", status)
    shown = found.get("State", "")
    shown += f" ({code[1]})" if code else f", {health[1]}" if health else ""
    size = show_bytes(found.get("SizeRw", 0)).replace(" ", "")
    whole = show_bytes(found.get("SizeRootFs", 0)).replace(" ", "")
    return {
        "ID": found["Id"] if full else found["Id"][:12],
        "Names": ",".join(names),
        "Image": found["Image"],
        "Command": f'"{short}"',
        "CreatedAt": stamp(found["Created"]),
        "RunningFor": ago(datetime.now(UTC).timestamp() - found["Created"]) + " ago",
        "Ports": ports_of(found.get("Ports") or (), stable=False),
        "State": found.get("State", ""),
        "Status": status,
        "Size": f"{size} (virtual {whole})",
        "Labels": ",".join(f"{k}={v}" for k, v in sorted((found.get("Labels") or {}).items())),
        "Mounts": ",".join(mounts),
        "Networks": ",".join(sorted((found.get("NetworkSettings") or {}).get("Networks") or ())),
        "LocalVolumes": str(sum(m.get("Driver") == "local" for m in found.get("Mounts") or ())),
        "shown state": shown,
        "shown ports": ports_of(found.get("Ports") or (), stable=True),
        "shown command": short,
        "shown size": show_bytes(found.get("SizeRw", 0)),
    }


def ps(
    *,
    all: bool = False,
    filter: Sequence[str] = (),
    last: int = -1,
    size: bool = False,
    full: bool = False,
    quiet: bool = False,
    template: str | None = None,
    line: str = "docker ps",
) -> Shown:
    """The containers: a `Table` of names, images, commands, states and ports, or `Lines`.

    last: only the newest so many. full: nothing shortened. template: as `--format`.
    """
    given = filters(filter, _CONTAINER_FILTERS)
    with engine.talking(line) as api:
        found = api.containers(all=all, limit=last, size=size, filters=given)
    rows = [_container_row(c, full=full) for c in found]
    if quiet:
        return Lines([r["ID"] for r in rows], line)
    if template:
        return formatted(rows, template, line)
    columns = {
        "NAMES": "Names",
        "IMAGE": "Image",
        "COMMAND": "shown command",
        "STATE": "shown state",
        "PORTS": "shown ports",
    }
    if size:
        columns["SIZE"] = "shown size"
    if full:
        columns = {"CONTAINER ID": "ID", **columns}
    return Table(columns, rows, command=line, empty="(no containers)")


def _image_rows(found: dict[str, Any], *, full: bool) -> list[dict[str, Any]]:
    id = found["Id"] if full else found["Id"].removeprefix("sha256:")[:12]
    digests = [d for d in found.get("RepoDigests") or () if "<none>" not in d]
    by_name = dict(d.split("@", 1) for d in digests)
    tags = [t for t in found.get("RepoTags") or () if t != "<none>:<none>"]
    pairs = [t.rpartition(":")[::2] for t in tags] or [
        (n, "<none>") for n in by_name or ("<none>",)
    ]
    return [
        {
            "Repository": repository,
            "Tag": tag,
            "ID": id,
            "Digest": by_name.get(repository, "<none>"),
            "CreatedSince": ago(datetime.now(UTC).timestamp() - found["Created"]) + " ago",
            "CreatedAt": stamp(found["Created"]),
            "Size": show_bytes(found["Size"]).replace(" ", ""),
            "SharedSize": "N/A",
            "UniqueSize": "N/A",
            "VirtualSize": show_bytes(found["Size"]).replace(" ", ""),
            "Containers": "N/A",
            "Labels": found.get("Labels") or {},
            "shown size": show_bytes(found["Size"]),
            "bytes": found["Size"],
        }
        for repository, tag in pairs
    ]


def images(
    name: str | None = None,
    *,
    all: bool = False,
    filter: Sequence[str] = (),
    full: bool = False,
    digests: bool = False,
    quiet: bool = False,
    template: str | None = None,
    line: str = "docker images",
) -> Shown:
    """The images that are here: a `Table` of repository, tag and size, or `Lines`.

    name: only this repository, `repo:tag`, or a pattern such as `course/*`.
    """
    given = filters(filter, _IMAGE_FILTERS)
    if name:
        given["reference"] = [*given.get("reference", []), name]
    with engine.talking(line) as api:
        found = api.images(all=all, filters=given)
    rows = [row for image in found for row in _image_rows(image, full=full)]
    if quiet:
        return Lines(list(dict.fromkeys(r["ID"] for r in rows)), line)
    if template:
        return formatted(rows, template, line)
    rows.sort(key=lambda r: (r["Repository"], r["Tag"]))
    columns = {"REPOSITORY": "Repository", "TAG": "Tag"}
    if digests:
        columns["DIGEST"] = "Digest"
    if full:
        columns["IMAGE ID"] = "ID"
    columns["SIZE"] = "shown size"
    return Table(columns, rows, command=line, right=["SIZE"], empty="(no images)")

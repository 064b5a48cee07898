"""`docker system df`: what images, containers, volumes and the build cache take on the disk.

The sums are the docker CLI's own (its cli/command/formatter/disk_usage.go).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from course_magics import engine
from course_magics.containers.listing import ago, formatted
from course_magics.display import Block, Command, Grid, Line, Listed, Shown
from course_magics.engine.stream import request
from course_magics.units import show_bytes

_ACTIVE = ("running", "paused", "restarting")


class DiskUsage(Listed):
    """rows: one a kind of thing. images, containers, volumes, build_cache: one a thing.

    Each row has docker's field names; sizes in bytes are under `bytes`.
    """

    def __init__(self, data: dict[str, Any], command: str, *, verbose: bool = False) -> None:
        self._data = data
        self.command = command
        self.verbose = verbose
        self.images = [_image(i) for i in data.get("Images") or ()]
        self.containers = [_container(c) for c in data.get("Containers") or ()]
        self.volumes = [_volume(v) for v in data.get("Volumes") or ()]
        self.build_cache = [_cache(c) for c in data.get("BuildCache") or ()]
        self.rows = _summary(data)

    @property
    def data(self) -> dict[str, Any]:
        """What the engine said."""
        return self._data

    def blocks(self) -> Sequence[Block]:
        if not self.verbose:
            heads = {
                "TYPE": "Type",
                "TOTAL": "TotalCount",
                "ACTIVE": "Active",
                "SIZE": "Size",
                "RECLAIMABLE": "Reclaimable",
            }
            return [_grid(heads, self.rows), Command(self.command)]
        parts = (
            (
                "images",
                {
                    "REPOSITORY": "Repository",
                    "TAG": "Tag",
                    "SIZE": "Size",
                    "SHARED SIZE": "SharedSize",
                    "UNIQUE SIZE": "UniqueSize",
                    "CONTAINERS": "Containers",
                },
                self.images,
            ),
            (
                "containers",
                {
                    "NAMES": "Names",
                    "IMAGE": "Image",
                    "LOCAL VOLUMES": "LocalVolumes",
                    "SIZE": "Size",
                    "STATE": "State",
                },
                self.containers,
            ),
            ("volumes", {"NAME": "Name", "LINKS": "Links", "SIZE": "Size"}, self.volumes),
            (
                "build cache",
                {
                    "TYPE": "CacheType",
                    "DESCRIPTION": "shown",
                    "SIZE": "Size",
                    "IN USE": "InUse",
                    "SHARED": "Shared",
                },
                self.build_cache,
            ),
        )
        found: list[Block] = []
        for title, columns, rows in parts:
            found += [Line(f"{title}:"), _grid(columns, rows)]
        return [*found, Command(self.command)]


def _grid(columns: dict[str, str], rows: Sequence[dict[str, Any]]) -> Grid:
    numbers = {"TOTAL", "ACTIVE", "SIZE", "SHARED SIZE", "UNIQUE SIZE", "CONTAINERS", "LINKS"}
    cells = [[row[key] for key in columns.values()] for row in rows]
    return Grid(list(columns), cells, frozenset({*numbers, "LOCAL VOLUMES"}))


def _size(value: float) -> str:
    return show_bytes(max(value, 0)).replace(" ", "")


def _whole(image: dict[str, Any]) -> int:
    return int(image.get("VirtualSize", image.get("Size", 0)))


def _image(found: dict[str, Any]) -> dict[str, Any]:
    name = (found.get("RepoTags") or ["<none>:<none>"])[0]
    repository, _, tag = name.rpartition(":")
    shared = max(int(found.get("SharedSize", 0)), 0)
    return {
        "Repository": repository,
        "Tag": tag,
        "ID": found["Id"].removeprefix("sha256:")[:12],
        "Size": _size(_whole(found)),
        "SharedSize": _size(shared),
        "UniqueSize": _size(_whole(found) - shared),
        "Containers": str(max(found.get("Containers", 0), 0)),
        "CreatedSince": _since(found["Created"]),
        "bytes": _whole(found),
    }


def _since(created: float) -> str:
    return ago(datetime.now(UTC).timestamp() - created) + " ago"


def _container(found: dict[str, Any]) -> dict[str, Any]:
    return {
        "ID": found["Id"][:12],
        "Names": ",".join(sorted(n.lstrip("/") for n in found.get("Names") or ())),
        "Image": found["Image"],
        "Command": found.get("Command", ""),
        "LocalVolumes": str(sum(m.get("Type") == "volume" for m in found.get("Mounts") or ())),
        "Size": _size(found.get("SizeRw") or 0),
        "State": found["State"],
        "Status": found["Status"],
        "CreatedSince": _since(found["Created"]),
        "bytes": found.get("SizeRw") or 0,
    }


def _volume(found: dict[str, Any]) -> dict[str, Any]:
    usage = found.get("UsageData") or {}
    size = int(usage.get("Size", -1))
    return {
        "Name": found["Name"],
        "Driver": found["Driver"],
        "Links": str(usage.get("RefCount", 0)),
        "Size": "N/A" if size < 0 else _size(size),
        "bytes": max(size, 0),
    }


def _cache(found: dict[str, Any]) -> dict[str, Any]:
    text = str(found.get("Description", ""))
    return {
        "ID": found["ID"],
        "CacheType": found["Type"],
        "Size": _size(found["Size"]),
        "InUse": str(found["InUse"]).lower(),
        "Shared": str(found["Shared"]).lower(),
        "Description": text,
        "shown": text if len(text) <= 50 else text[:49] + "…",
        "bytes": found["Size"],
    }


def _summary(data: dict[str, Any]) -> list[dict[str, Any]]:
    images, containers = data.get("Images") or (), data.get("Containers") or ()
    volumes, cache = data.get("Volumes") or (), data.get("BuildCache") or ()
    layers = int(data.get("LayersSize") or 0)
    used = sum(
        _whole(i) - i["SharedSize"]
        for i in images
        if i.get("Containers") and i.get("SharedSize", -1) != -1
    )
    sizes = [c.get("SizeRw") or 0 for c in containers]
    idle = [c.get("SizeRw") or 0 for c in containers if c["State"] not in _ACTIVE]
    known = [v["UsageData"] for v in volumes if (v.get("UsageData") or {}).get("Size", -1) != -1]
    # Since API 1.42 the engine leaves this sum to its clients.
    built = int(data.get("BuilderSize") or sum(c["Size"] for c in cache if not c["Shared"]))
    busy = sum(c["Size"] for c in cache if c["InUse"] and not c["Shared"])
    return [
        _line(
            "Images",
            len(images),
            sum(i.get("Containers", 0) > 0 for i in images),  # -1: the engine has not counted
            layers,
            layers - used,
        ),
        _line("Containers", len(containers), len(containers) - len(idle), sum(sizes), sum(idle)),
        _line(
            "Local Volumes",
            len(volumes),
            sum((v.get("UsageData") or {}).get("RefCount", 0) > 0 for v in volumes),
            sum(u["Size"] for u in known),
            sum(u["Size"] for u in known if not u["RefCount"]),
        ),
        _line("Build Cache", len(cache), sum(c["InUse"] for c in cache), built, built - busy),
    ]


def _line(kind: str, total: int, active: int, size: int, free: int) -> dict[str, Any]:
    share = f" ({free * 100 // size}%)" if size and kind != "Build Cache" else ""
    return {
        "Type": kind,
        "TotalCount": str(total),
        "Active": str(active),
        "Size": _size(size),
        "Reclaimable": _size(free) + share,
        "bytes": size,
        "reclaimable bytes": max(free, 0),
    }


def usage(line: str, *, verbose: bool = False, template: str | None = None) -> Shown:
    """What takes how much on the engine's disk. verbose: each thing by itself.

    template: as `--format`, for each kind; with verbose for the whole.
    """
    with engine.talking(line) as api:
        data = request(api, "GET", "/system/df").json()
    found = DiskUsage(data, line, verbose=verbose)
    if not template or template == "table":
        return found
    if not verbose:
        return formatted(found.rows, template, line)
    whole = {
        "Images": found.images,
        "Containers": found.containers,
        "Volumes": found.volumes,
        "BuildCache": found.build_cache,
    }
    return formatted([whole], template, line)

"""Devices and limits as docker's flags write them, and as the engine takes them."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from typing import Any

from course_magics.errors import OptionError
from course_magics.units import read_bytes

_ULIMITS = (
    *("core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile"),
    *("nproc", "rss", "rtprio", "rttime", "sigpending", "stack"),
)


def ulimit(item: str) -> dict[str, Any]:
    """`--ulimit NAME=SOFT[:HARD]`. Raises OptionError."""
    match = re.fullmatch(r"([a-z]+)=(-?\d+)(?::(-?\d+))?", item)
    if not match or match[1] not in _ULIMITS:
        raise OptionError(
            f"--ulimit takes NAME=SOFT[:HARD], such as nofile=1024, not {item!r}",
            hint=f"the names: {', '.join(_ULIMITS)}",
        )
    soft, hard = int(match[2]), int(match[3] or match[2])
    if hard != -1 and (soft > hard or soft == -1):
        raise OptionError(f"--ulimit: the soft limit is above the hard one: {item!r}")
    return {"Name": match[1], "Soft": soft, "Hard": hard}


def device(item: str) -> dict[str, str]:
    """`--device /dev/HERE[:/dev/THERE[:rwm]]`. Raises OptionError."""
    parts = item.split(":")
    rights = parts.pop() if len(parts) > 1 and re.fullmatch("[rwm]{1,3}", parts[-1]) else "rwm"
    if len(parts) > 2 or not all(p.startswith("/") for p in parts):
        raise OptionError(f"--device takes /dev/HERE[:/dev/THERE[:rwm]], not {item!r}")
    return {
        "PathOnHost": parts[0],
        "PathInContainer": parts[-1],
        "CgroupPermissions": rights,
    }


def weights(items: Sequence[str]) -> list[dict[str, Any]]:
    """`--blkio-weight-device /dev/X:WEIGHT`. Raises OptionError."""
    found = []
    for item in items:
        path, weight = _of_device(item, "--blkio-weight-device", "WEIGHT")
        if not weight.isdigit() or not (int(weight) == 0 or 10 <= int(weight) <= 1000):
            raise OptionError(
                f"--blkio-weight-device: a weight is 0, or from 10 to 1000, not {weight!r}"
            )
        found.append({"Path": path, "Weight": int(weight)})
    return found


def rates(items: Sequence[str], flag: str, *, sizes: bool) -> list[dict[str, Any]]:
    """`--device-read-bps /dev/X:1mb` (sizes) and `--device-read-iops /dev/X:100`.

    Raises OptionError.
    """
    found = []
    for item in items:
        path, text = _of_device(item, flag, "RATE")
        try:
            rate = read_bytes(text) if sizes else int(text)
        except ValueError:
            form = "a size such as 1mb" if sizes else "a whole number"
            raise OptionError(f"{flag}: a rate is {form}, not {text!r}") from None
        found.append({"Path": path, "Rate": rate})
    return found


def _of_device(item: str, flag: str, what: str) -> tuple[str, str]:
    path, colon, value = item.partition(":")
    if not path.startswith("/dev/") or not colon or not value:
        raise OptionError(f"{flag} takes /dev/NAME:{what}, not {item!r}")
    return path, value


def gpus(text: str) -> dict[str, Any]:
    """`--gpus all`, `--gpus 2` or `--gpus device=0,capabilities=utility`. Raises OptionError."""
    asked: dict[str, Any] = {"Options": {}, "Capabilities": [["gpu"]]}
    seen: set[str] = set()
    for part in next(csv.reader([text]), []):
        key, equals, value = part.partition("=")
        key, value = (key, value) if equals else ("count", key)
        if key in seen:
            raise OptionError(f"--gpus: {key} is there twice: {text!r}")
        seen.add(key)
        if key == "count":
            asked["Count"] = _count(value)
        elif key == "driver":
            asked["Driver"] = value
        elif key == "device":
            asked["DeviceIDs"] = value.split(",")
        elif key == "capabilities":
            asked["Capabilities"] = [[*value.split(","), "gpu"]]
        elif key == "options":
            asked["Options"] = dict(o.partition("=")[::2] for o in next(csv.reader([value]), []))
        else:
            raise OptionError(
                f"--gpus: unknown key {key!r}",
                hint="allowed: all, a number, count, device, driver, capabilities, options",
            )
    if "count" not in seen and "device" not in seen:
        asked["Count"] = 1
    return asked


def _count(text: str) -> int:
    if text == "all":
        return -1
    if not text.isdigit():
        raise OptionError(f"--gpus takes all, a number or device=…, not {text!r}")
    return int(text)

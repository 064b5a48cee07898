"""How much memory there is left, in a container too: what the kernel has, or the group's limit."""

from __future__ import annotations

import contextlib
from pathlib import Path

#: The limit of this process's group and what it uses, in control groups of either version.
_GROUPS = (
    ("memory.max", "memory.current"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
)


def available(
    meminfo: Path = Path("/proc/meminfo"), groups: Path = Path("/sys/fs/cgroup")
) -> int | None:
    """Bytes that new programs may take; None where the kernel does not say (other than Linux)."""
    try:
        lines = meminfo.read_text().splitlines()
        free = next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        return None
    found = [free * 1024]
    for limit, used in _GROUPS:
        with contextlib.suppress(OSError, ValueError):  # no such file; "max": no limit
            found.append(int((groups / limit).read_text()) - int((groups / used).read_text()))
    return max(0, min(found))

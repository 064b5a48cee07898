"""`docker stats`: what containers use of the computer, once or again and again.

How the numbers follow from the engine's counters is docker's own way
(https://docs.docker.com/reference/api/engine/, "Get container stats based on resource usage").
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from course_magics import engine
from course_magics.containers.lifecycle import known
from course_magics.containers.listing import formatted
from course_magics.display import Shown, Table
from course_magics.engine.routes import route
from course_magics.engine.stream import request
from course_magics.errors import Interrupted
from course_magics.patience import limit
from course_magics.units import show_bytes

if TYPE_CHECKING:
    from docker import APIClient

#: An answer takes the engine one or two seconds, since it compares two moments; a stopped
#: container's comes at once, and must not be asked for all the time (seconds).
_LEAST = 1.0
_COLUMNS = {
    "NAME": "Name",
    "CPU %": "CPUPerc",
    "MEM USAGE / LIMIT": "MemUsage",
    "MEM %": "MemPerc",
    "NET I/O": "NetIO",
    "BLOCK I/O": "BlockIO",
    "PIDS": "PIDs",
}


def stats(
    names: Sequence[str] = (),
    *,
    all: bool = False,
    full: bool = False,
    template: str | None = None,
    watch: Callable[[Table], object] | None = None,
    line: str = "docker stats",
) -> Shown:
    """What containers use: a `Table`, or `Lines` as `template` says.

    names: of which containers; none: of all that run (all: also of those that do not).
    watch: None asks once. Else it is called with each new table until none of the containers runs
    any more; an interrupt raises Interrupted, with the last table as its `.result`.
    Raises EngineError for an unknown name.
    """
    last = _table([], line, full)
    pool = ThreadPoolExecutor(max_workers=16)
    try:
        with engine.talking(line) as api:
            ids = [str(known(api, name)["Id"]) for name in names]
            while True:
                begun = time.monotonic()
                found = _containers(api, ids, all)
                rows = pool.map(lambda c: _row(c, _ask(api, c), full=full), found)
                last = _table(sorted(rows, key=lambda r: str(r["Name"])), line, full)
                if watch is None:
                    break
                watch(last)
                if not any(c["State"] in ("running", "paused", "restarting") for c in found):
                    break
                time.sleep(max(_LEAST - (time.monotonic() - begun), 0))
    except KeyboardInterrupt:
        error = Interrupted("stopped watching; the containers go on", command=line)
        error.result = last
        raise error from None
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return formatted(last.rows, template, line) if template else last


def _containers(api: APIClient, ids: Sequence[str], all: bool) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.containers(all=all or bool(ids))
    return [c for c in found if c["Id"] in ids] if ids else found


def _ask(api: APIClient, container: dict[str, Any]) -> dict[str, Any]:
    """The engine's counters; empty for a container that has gone, or does not answer in time."""
    from docker.errors import APIError
    from requests import exceptions

    # When a container ends meanwhile, the engine's answer may stop in the middle.
    gone = (
        APIError,
        exceptions.Timeout,
        exceptions.ChunkedEncodingError,
        exceptions.JSONDecodeError,
    )
    try:
        path = route("/containers/{}/stats", container["Id"])
        answer = request(api, "GET", path, params={"stream": "false"}, timeout=limit())
        return dict(answer.json())
    except gone:
        return {}


def _table(rows: Sequence[dict[str, Any]], line: str, full: bool) -> Table:
    columns = {"CONTAINER ID": "ID", **_COLUMNS} if full else _COLUMNS
    right = [c for c in columns if c not in ("NAME", "CONTAINER ID")]
    return Table(columns, rows, command=line, right=right, empty="(no containers)")


def _row(container: dict[str, Any], said: dict[str, Any], *, full: bool) -> dict[str, Any]:
    """One container under docker's field names; numbers under names of our own."""
    id, name = container["Id"], container["Names"][0].lstrip("/")
    memory = said.get("memory_stats") or {}
    used, limit = _memory(memory), int(memory.get("limit") or 0)
    share = 100 * used / limit if limit else 0.0
    cpu = _cpu(said)
    networks = (said.get("networks") or {}).values()
    received = sum(n.get("rx_bytes", 0) for n in networks)
    sent = sum(n.get("tx_bytes", 0) for n in networks)
    read, written = _disk(said, "read"), _disk(said, "write")
    pids = int((said.get("pids_stats") or {}).get("current") or 0)
    return {
        "Container": id if full else id[:12],
        "ID": id if full else id[:12],
        "Name": name,
        "CPUPerc": f"{cpu:.2f}%",
        "MemUsage": f"{_binary(used)} / {_binary(limit)}",
        "MemPerc": f"{share:.2f}%",
        "NetIO": f"{_decimal(received)} / {_decimal(sent)}",
        "BlockIO": f"{_decimal(read)} / {_decimal(written)}",
        "PIDs": str(pids),
        "cpu": cpu,
        "memory": used,
        "memory limit": limit,
        "received": received,
        "sent": sent,
        "read": read,
        "written": written,
    }


def _cpu(said: dict[str, Any]) -> float:
    now, before = said.get("cpu_stats") or {}, said.get("precpu_stats") or {}
    if "system_cpu_usage" not in now:
        return 0.0
    spent = now["cpu_usage"]["total_usage"] - before["cpu_usage"]["total_usage"]
    passed = now["system_cpu_usage"] - before.get("system_cpu_usage", 0)
    count = now.get("online_cpus") or len(now["cpu_usage"].get("percpu_usage") or ())
    return 100.0 * count * spent / passed if spent > 0 and passed > 0 else 0.0


def _memory(said: dict[str, Any]) -> int:
    """What it uses, without the files that the kernel keeps for it and could drop at once."""
    used, details = int(said.get("usage") or 0), said.get("stats") or {}
    cached = int(details.get("total_inactive_file", details.get("inactive_file", 0)))
    return used - cached if cached < used else used


def _disk(said: dict[str, Any], what: str) -> int:
    entries = (said.get("blkio_stats") or {}).get("io_service_bytes_recursive") or ()
    return sum(int(e["value"]) for e in entries if e["op"].lower() == what)


def _decimal(size: float) -> str:
    return show_bytes(size).replace(" ", "")


def _binary(size: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.4g}{unit}"
        size /= 1024
    return f"{size:.4g}TiB"

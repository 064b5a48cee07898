"""Waiting until a service is as it was asked for, or saying which task is not, and why."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from course_magics import settings
from course_magics.containers.swarm.talk import name_of, names
from course_magics.containers.swarm.tasks import error_of, label, tasks
from course_magics.engine.routes import route
from course_magics.engine.stream import request
from course_magics.errors import EngineError, Interrupted

if TYPE_CHECKING:
    from docker import APIClient

_PAUSE = 0.25
#: How long all must run before it counts, where the service does not say (docker's own, seconds).
_MONITOR = 5.0
_DEAD = ("failed", "rejected", "orphaned", "remove", "shutdown", "complete")


@dataclass
class Progress:
    """How far a service is. wanted, ready: tasks; others: those that do not run yet, and why."""

    name: str
    wanted: int = 0
    ready: int = 0
    others: list[tuple[str, str, str]] = field(default_factory=list)
    #: What the swarm says about an update that it stopped or took back.
    note: str = ""
    stopped: bool = False


Watch = Callable[[Progress], object]


def look(api: APIClient, service: str) -> Progress:
    """How far the service with the id `service` is at this moment."""
    found = request(api, "GET", route("/services/{}", service)).json()
    nodes = {n["ID"]: n for n in request(api, "GET", "/nodes").json()}
    alive = {i for i, n in nodes.items() if n["Status"]["State"] == "ready"}
    progress = Progress(name_of("service", found))
    mode = found["Spec"]["Mode"]
    given = {"service": [service], "_up-to-date": ["true"]}
    newest: dict[object, dict[str, Any]] = {}
    for task in sorted(tasks(api, given), key=lambda t: str(t["CreatedAt"])):
        if task.get("NodeID") in alive or not task.get("NodeID"):
            newest[task.get("Slot") or task.get("NodeID")] = task
    job = "ReplicatedJob" in mode or "GlobalJob" in mode
    done = "complete" if job else "running"
    live = [t for t in newest.values() if job or t["DesiredState"] not in _DEAD]
    if "Replicated" in mode:
        progress.wanted = mode["Replicated"].get("Replicas", 1)
    elif "ReplicatedJob" in mode:
        progress.wanted = mode["ReplicatedJob"].get("TotalCompletions", 1)
    else:
        progress.wanted = len(live)
    progress.ready = sum(t["Status"]["State"] == done for t in live)
    hosts = {i: name_of("node", n) for i, n in nodes.items()}
    for task in newest.values():
        if task["Status"]["State"] != done:
            where = label(task, progress.name, hosts)
            progress.others.append((where, task["Status"]["State"], error_of(task)))
    update = found.get("UpdateStatus") or {}
    state = update.get("State", "")
    if "paused" in state or state == "rollback_completed":
        progress.note = str(update.get("Message", ""))
        progress.stopped = "paused" in state
    elif state in ("updating", "rollback_started"):
        progress.ready = min(progress.ready, max(progress.wanted - 1, 0))
    return progress


def wait(api: APIClient, service: str, line: str, watch: Watch | None = None) -> Progress:
    """Wait until the service has converged: all tasks run, and go on for its monitor time.

    The limit is the setting `service_wait`. Raises EngineError that says which task does not run
    and why, and Interrupted; the service stays in both cases.
    """
    limit = settings.current().service_wait
    spec = request(api, "GET", route("/services/{}", service)).json()["Spec"]
    monitor = (spec.get("UpdateConfig") or {}).get("Monitor", 0) / 1e9 or _MONITOR
    end = time.monotonic() + limit
    since: float | None = None
    progress = Progress(name_of("service", {"Spec": spec}))
    try:
        while True:
            progress = look(api, service)
            if watch is not None:
                watch(progress)
            now = time.monotonic()
            whole = progress.wanted > 0 or "Replicated" in spec["Mode"]
            since = (since or now) if whole and progress.ready == progress.wanted else None
            if progress.stopped:
                raise _failed(api, progress, f"its update is paused: {progress.note}", line)
            jobs = "ReplicatedJob" in spec["Mode"] or "GlobalJob" in spec["Mode"]
            if since is not None and (jobs or now - since >= monitor):
                return progress
            if now > end and since is None:
                words = f"{progress.ready} of {progress.wanted} tasks run after {limit} s"
                raise _failed(api, progress, words, line)
            time.sleep(_PAUSE)
    except KeyboardInterrupt:
        raise Interrupted(
            f"interrupted: stopped waiting; the service {progress.name} stays",
            command=line,
            hint=f"%container service ps {progress.name} shows how far it is",
        ) from None


def _failed(api: APIClient, progress: Progress, words: str, line: str) -> EngineError:
    detail = [
        f"{name}: {state}" + (f": {why}" if why else "") for name, state, why in progress.others
    ]
    name = progress.name
    seen = {d for d in detail if ": " in d}
    if not any(why for _, _, why in progress.others):
        found = names(api, "service")
        own = [i for i, n in found.items() if n == name]
        for task in tasks(api, {"service": own}):
            if why := error_of(task):
                seen.add(f"{label(task, name, {})}: {task['Status']['State']}: {why}")
    first = next((f"; {n}: {why}" for n, _, why in progress.others if why), "")
    hint = f"the service stays: %container service ps {name}, or: %container service rm {name}"
    if "port already in use" in first:
        hint = f"one node has such a port once: fewer replicas, or another port\n{hint}"
    return EngineError(
        f"the service {name}: {words}{first}",
        command=line,
        detail="\n".join(sorted(seen)[:8]) or None,
        hint=f"{hint}\n%config CourseMagics.service_wait is how long it waits; --detach does not",
    )

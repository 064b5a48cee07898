"""Waiting until a service is as it was asked for, or saying which task is not, and why."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from course_magics.containers.swarm.talk import name_of, names
from course_magics.containers.swarm.tasks import error_of, label, tasks
from course_magics.engine.routes import route
from course_magics.engine.stream import request
from course_magics.errors import EngineError, Interrupted
from course_magics.patience import LONGER, Patience

if TYPE_CHECKING:
    from docker import APIClient

_PAUSE = 0.25
#: How long all must run before it counts, where the service does not say (docker's own, seconds).
_MONITOR = 5.0
_DEAD = ("failed", "rejected", "orphaned", "remove", "shutdown", "complete")
#: A task's way; a task that ends badly is followed by another one, which begins anew.
_WAY = (
    *("new", "allocated", "pending", "assigned", "accepted", "preparing", "ready", "starting"),
    *("running", "complete"),
)
#: A job that has failed this often in one place does not move by being tried again.
_FAILURES = 3


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
    #: How far each task of each change has come, as a place on its way; where tasks still end.
    reached: dict[tuple[object, ...], int] = field(default_factory=dict)
    #: A task of a job computes: that takes as long as it takes.
    working: bool = False
    #: Seconds that nothing has moved, and for how long the service itself lets nothing move.
    still: float = 0.0
    pause: float = 0.0


Watch = Callable[[Progress], object]


def look(api: APIClient, service: str) -> Progress:
    """How far the service with the id `service` is at this moment."""
    found = request(api, "GET", route("/services/{}", service)).json()
    nodes = {n["ID"]: n for n in request(api, "GET", "/nodes").json()}
    alive = {i for i, n in nodes.items() if n["Status"]["State"] == "ready"}
    progress = Progress(name_of("service", found))
    mode = found["Spec"]["Mode"]
    every = sorted(tasks(api, {"service": [service]}), key=lambda t: str(t["CreatedAt"]))
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
    change = (update.get("StartedAt"), state)
    for key, task in newest.items():
        way = task["Status"]["State"]
        progress.reached[(*change, key)] = _WAY.index(way) if way in _WAY else 0
    ending = sum(
        t["DesiredState"] in _DEAD
        and t["Status"]["State"] in _WAY[:-1]
        and t.get("NodeID") in alive
        for t in every
    )
    progress.reached[(*change, "ended")] = -ending
    progress.pause = pause_of(found["Spec"], state, live, ending)
    progress.working = job and any(
        t["Status"]["State"] == "running" and _failures(t, every) < _FAILURES for t in live
    )
    if "paused" in state or state == "rollback_completed":
        progress.note = str(update.get("Message", ""))
        progress.stopped = "paused" in state
    elif state in ("updating", "rollback_started"):
        progress.ready = min(progress.ready, max(progress.wanted - 1, 0))
    return progress


def _failures(task: dict[str, Any], every: list[dict[str, Any]]) -> int:
    """How many tasks have failed in the place of this one."""
    here = (task.get("Slot"), task.get("NodeID") if not task.get("Slot") else None)
    return sum(
        t["Status"]["State"] in ("failed", "rejected")
        and (t.get("Slot"), t.get("NodeID") if not t.get("Slot") else None) == here
        for t in every
    )


def pause_of(spec: dict[str, Any], state: str, live: list[dict[str, Any]], ending: int) -> float:
    """For how long nothing may move because the service itself says so (seconds).

    state: that of its update. live: its tasks. ending: how many old ones have not ended yet.
    """
    template = spec["TaskTemplate"]
    box = template.get("ContainerSpec") or {}
    found = [0.0]
    if state in ("updating", "rollback_started"):
        for change in (spec.get("UpdateConfig") or {}, spec.get("RollbackConfig") or {}):
            found += [change.get("Delay") or 0, change.get("Monitor") or _MONITOR * 1e9]
    if ending:
        grace = box.get("StopGracePeriod")
        found.append(10e9 if grace is None else grace)
    if any(t["DesiredState"] == "ready" for t in live):  # one that failed is started anew
        delay = (template.get("RestartPolicy") or {}).get("Delay")
        found.append(5e9 if delay is None else delay)
    health = box.get("Healthcheck") or {}
    if any(t["Status"]["State"] == "starting" for t in live) and health:
        each = (health.get("Interval") or 30e9) + (health.get("Timeout") or 30e9)
        found.append((health.get("StartPeriod") or 0) + (health.get("Retries") or 3) * each)
    return max(found) / 1e9


class _Moves:
    """The furthest that each task has come: a task that fails and is tried again does not move."""

    def __init__(self) -> None:
        self._best: dict[tuple[object, ...], int] = {}
        self._most = 0
        self._work = 0

    def sign(self, progress: Progress) -> tuple[int, ...]:
        """A value that changes when the service gets on."""
        for key, place in progress.reached.items():
            self._best[key] = max(place, self._best.get(key, place))
        self._most = max(self._most, progress.ready)
        self._work += progress.working
        return (len(self._best), sum(self._best.values()), self._most, self._work)


def wait(api: APIClient, service: str, line: str, watch: Watch | None = None) -> Progress:
    """Wait until the service has converged: all tasks run, and go on for its monitor time.

    It goes on as long as a task gets further than one in its place has been before. Raises
    EngineError that says which task stands still and why, and Interrupted; the service stays in
    both cases.
    """
    spec = request(api, "GET", route("/services/{}", service)).json()["Spec"]
    monitor = (spec.get("UpdateConfig") or {}).get("Monitor", 0) / 1e9 or _MONITOR
    patience, moves = Patience(), _Moves()
    limit = patience.seconds
    since: float | None = None
    progress = Progress(name_of("service", {"Spec": spec}))
    try:
        while True:
            progress = look(api, service)
            patience.saw(moves.sign(progress))
            progress.still = patience.still
            patience.seconds = limit + progress.pause
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
            if patience.over and since is None:
                words = f"{progress.ready} of {progress.wanted} tasks run, and nothing has moved "
                words += f"for {patience.still:.0f} s"
                raise _failed(api, progress, words, line, longer=True)
            time.sleep(_PAUSE)
    except KeyboardInterrupt:
        raise Interrupted(
            f"interrupted: stopped waiting; the service {progress.name} stays",
            command=line,
            hint=f"%container service ps {progress.name} shows how far it is",
        ) from None


def _failed(
    api: APIClient, progress: Progress, words: str, line: str, *, longer: bool = False
) -> EngineError:
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
    if longer:
        first = first or next((f"; {n}: {state}" for n, state, _ in progress.others), "")
        hint = f"{hint}\n{LONGER}; --detach does not wait"
    return EngineError(
        f"the service {name}: {words}{first}",
        command=line,
        detail="\n".join(sorted(seen)[:8]) or None,
        hint=hint,
    )

"""pause, unpause, rename, update, commit: what is done with a container that is there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from course_magics import engine
from course_magics.containers.image import Image, changes, repository_and_tag
from course_magics.containers.lifecycle import Done, each, naming
from course_magics.containers.options import restart_policy, swap
from course_magics.engine.routes import route
from course_magics.engine.stream import request
from course_magics.errors import Interrupted, OptionError

if TYPE_CHECKING:
    from docker import APIClient


def pause(names: Sequence[str], line: str) -> Done:
    """Freeze the processes of containers."""
    return each(names, "paused", lambda api, n: api.pause(n), line)


def unpause(names: Sequence[str], line: str) -> Done:
    """Let the processes of paused containers go on."""
    return each(names, "unpaused", lambda api, n: api.unpause(n), line)


def rename(old: str, new: str, line: str) -> Done:
    """Give a container another name."""
    with engine.talking(line) as api, naming(api, old):
        api.rename(old, new)
    return Done(f"{old} is now", [new], line)


#: Key of a flag of `docker update` → the engine's name of the limit.
_LIMITS = {
    "blkio_weight": "BlkioWeight",
    "cpu_period": "CpuPeriod",
    "cpu_quota": "CpuQuota",
    "cpu_rt_period": "CpuRealtimePeriod",
    "cpu_rt_runtime": "CpuRealtimeRuntime",
    "cpu_shares": "CpuShares",
    "cpuset_cpus": "CpusetCpus",
    "cpuset_mems": "CpusetMems",
    "kernel_memory": "KernelMemory",
    "memory": "Memory",
    "memory_reservation": "MemoryReservation",
    "memory_swap": "MemorySwap",
    "pids_limit": "PidsLimit",
}
#: The flags that `docker update` takes, by their keys.
UPDATABLE = frozenset({*_LIMITS, "cpus", "restart"})


def update(names: Sequence[str], wishes: dict[str, Any], line: str) -> Done:
    """Change limits and restart policy of containers. wishes: by the keys in `UPDATABLE`.

    Raises OptionError when nothing is wished, EngineError.
    """
    if not wishes:
        raise OptionError(
            "update: nothing to change", hint="for instance: %container update --memory 64m NAME"
        )
    body: dict[str, Any] = {_LIMITS[k]: v for k, v in wishes.items() if k in _LIMITS}
    if "memory_swap" in wishes:
        body["MemorySwap"] = swap(wishes["memory_swap"])
    if "cpus" in wishes:
        body["NanoCpus"] = round(wishes["cpus"] * 1e9)
    if "restart" in wishes:
        body["RestartPolicy"] = restart_policy(wishes["restart"])
    warnings: list[str] = []

    def act(api: APIClient, name: str) -> None:
        answer = request(api, "POST", route("/containers/{}/update", name), json=body).json()
        warnings.extend(answer.get("Warnings") or ())

    done = each(names, "updated", act, line)
    done.notes = list(dict.fromkeys(warnings))
    return done


def commit(
    container: str,
    name: str | None,
    line: str,
    *,
    author: str | None = None,
    change: Sequence[str] = (),
    message: str | None = None,
    pause: bool = True,
) -> Image:
    """Make an image of a container's files. change: Dockerfile instructions such as `CMD ["sh"]`.

    Raises OptionError, EngineError, Interrupted.
    """
    repository, tag = repository_and_tag(name)
    params = {
        "container": container,
        "repo": repository,
        "tag": tag,
        "author": author or "",
        "comment": message or "",
        "pause": int(pause),
        "changes": changes(change),
    }
    with engine.talking(line) as api, naming(api, container):
        try:
            id = request(api, "POST", "/commit", params=params, json={}).json()["Id"]
        except KeyboardInterrupt:
            raise Interrupted(
                f"interrupted: no image was made of {container}", command=line
            ) from None
    # Podman gives the bare number.
    return Image(name or "", f"sha256:{id.removeprefix('sha256:')}", container, line)

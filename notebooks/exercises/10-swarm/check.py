"""Is there a service `duty_clock` with three replicas that updates by starting first?"""

from collections.abc import Iterator
from typing import Any

from course_magics.lessons import Finding, State, expect

NAME = "duty_clock"


def check(state: State) -> Iterator[Finding]:
    own = state.on("duty-1")
    swarm = own if own.answers else state
    yield expect(
        swarm.nodes(),
        "there is a swarm, and its manager answers",
        "neither duty-1 nor the engine in use is a swarm's manager",
        hint="swarm",
    )
    if not swarm.nodes():
        return
    service = swarm.service(NAME)
    yield expect(
        service is not None,
        f"there is a service {NAME}",
        f"the swarm has no service {NAME}",
        hint="service",
    )
    if service is None:
        return
    spec = service["Spec"]
    wanted = (spec["Mode"].get("Replicated") or {}).get("Replicas")
    yield expect(
        wanted == 3,
        "three replicas are wanted",
        f"not three replicas are wanted, but {wanted}"
        if wanted is not None
        else "it is a global service: one replica on each node",
        hint="replicas",
    )
    yield expect(
        _program(spec) == ("course/busybox", "sleep 3600"),
        "each runs sleep 3600 from course/busybox",
        "a replica runs {1!r} from {0}".format(*_program(spec)),
        hint="service",
    )
    order = (spec.get("UpdateConfig") or {}).get("Order") or "stop-first"
    yield expect(
        order == "start-first",
        "an update starts the new replica before it stops the old one",
        f"an update goes {order}",
        hint="order",
    )
    run = [t for t in swarm.tasks(NAME) if t["DesiredState"] == t["Status"]["State"] == "running"]
    yield expect(
        len(run) == 3,
        "three replicas run",
        f"{len(run)} of them run",
        hint="replicas",
    )


def _program(spec: dict[str, Any]) -> tuple[str, str]:
    """The image, without a tag that says nothing, and the whole command line."""
    container = spec["TaskTemplate"]["ContainerSpec"]
    image = container["Image"].partition("@")[0].removesuffix(":latest")
    return image, " ".join([*(container.get("Command") or ()), *(container.get("Args") or ())])

"""A change of a service while the manager itself counts up the service's version.

The manager's answer is injected: it gives it only where the end of another update falls between
our reading and our sending.
"""

from types import SimpleNamespace
from typing import Any

import pytest
from docker.errors import APIError

from course_magics.containers.swarm import services

SEQUENCE = "rpc error: code = Unknown desc = update out of sequence"


def sent(monkeypatch: pytest.MonkeyPatch, refusals: int) -> list[int]:
    """Roll back a service whose version grows with each look; how often is it refused?"""
    versions: list[int] = []
    looks = iter(range(100))

    def find(api: Any, kind: str, name: str) -> dict[str, Any]:
        image = {"ContainerSpec": {"Image": "course/busybox"}}
        return {"ID": "1", "Version": {"Index": next(looks)}, "Spec": {"TaskTemplate": image}}

    def request(api: Any, method: str, path: str, **words: Any) -> Any:
        versions.append(words["params"]["version"])
        if len(versions) <= refusals:
            raise APIError("refused", response=None, explanation=SEQUENCE)
        return SimpleNamespace()

    monkeypatch.setattr(services, "find", find)
    monkeypatch.setattr(services, "request", request)
    monkeypatch.setattr(services, "_auth", lambda *words: {})
    services._sent(None, "web", None, "docker service rollback web", {})  # type: ignore[arg-type]
    return versions


def test_a_version_that_was_counted_up_meanwhile_is_read_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert sent(monkeypatch, refusals=2) == [0, 1, 2]


def test_a_manager_that_always_refuses_is_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(APIError, match="out of sequence"):
        sent(monkeypatch, refusals=99)

"""A container that is being removed already: asked for once more, it is removed, and no fault.

The engine is a fake: Podman's 500 while a container goes cannot be had on demand.
"""

from __future__ import annotations

from typing import Any

import docker
import pytest
import requests
from docker.errors import APIError

from course_magics.containers import gone, run
from course_magics.errors import EngineError


class Engine:
    """Answers each removal with the next status; 204: it is done."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.waited = False

    def remove_container(self, id: str, **options: Any) -> None:
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        if status != 204:
            answer = requests.Response()
            answer.status_code = status
            kind = docker.errors.NotFound if status == 404 else APIError
            raise kind("no", answer)

    def wait(self, id: str, condition: str) -> None:
        self.waited = True


@pytest.mark.parametrize(
    ("statuses", "there"),
    [((204,), True), ((404,), False), ((500, 500, 404), True), ((500, 204), True), ((409,), True)],
)
def test_what_is_removed_already(statuses: tuple[int, ...], there: bool) -> None:
    engine: Any = Engine(*statuses)
    assert gone.remove(engine, "x") is there
    assert engine.waited == (statuses[-1] == 409)


@pytest.mark.parametrize("status", [400, 500])
def test_a_refusal_that_stays_is_told(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gone, "_GOING", 0.3)
    engine: Any = Engine(status)
    with pytest.raises(EngineError, match="could not be removed"):
        run._remove(engine, "x")

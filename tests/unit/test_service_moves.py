"""What counts as progress of a service, and for how long it lets nothing move by itself."""

from typing import Any

import pytest

from course_magics.containers.swarm.converge import Progress, _Moves, pause_of
from course_magics.widgets.service import render


def _seen(moves: _Moves, *reached: int, ready: int = 0) -> tuple[int, ...]:
    places: dict[tuple[object, ...], int] = {(None, "", n): p for n, p in enumerate(reached)}
    return moves.sign(Progress("web", len(reached), ready, reached=places))


def test_a_task_that_gets_further_moves_and_one_that_begins_anew_does_not() -> None:
    moves = _Moves()
    first = _seen(moves, 2, 2)
    further = _seen(moves, 7, 2)
    assert further != first
    assert _seen(moves, 2, 2) == further, "it failed, and is tried again"
    assert _seen(moves, 7, 2) == further, "as far as the one before"
    assert _seen(moves, 8, 2, ready=1) != further


SPEC = {
    "TaskTemplate": {
        "ContainerSpec": {
            "StopGracePeriod": 20 * 10**9,
            "Healthcheck": {
                "StartPeriod": 60 * 10**9, "Interval": 10**9, "Timeout": 10**9, "Retries": 5,
            },
        },
        "RestartPolicy": {"Delay": 0},
    },
    "UpdateConfig": {"Delay": 90 * 10**9},
}  # fmt: skip


@pytest.mark.parametrize(
    ("state", "task", "wanted", "ending", "seconds"),
    [
        ("", "pending", "running", 0, 0),
        ("", "preparing", "running", 2, 20),
        ("", "starting", "running", 0, 70),
        ("", "ready", "ready", 0, 0),
        ("updating", "running", "running", 0, 90),
        ("completed", "running", "running", 0, 0),
    ],
)
def test_its_own_pauses(state: str, task: str, wanted: str, ending: int, seconds: int) -> None:
    live: list[dict[str, Any]] = [{"DesiredState": wanted, "Status": {"State": task}}]
    assert pause_of(SPEC, state, live, ending) == seconds


def test_the_view_shows_what_stands_still() -> None:
    found = Progress("web", 4, 1, [("web.2", "pending", "no <suitable> node")], still=12.3)
    shown = render(found)
    assert "web: 1 of 4 tasks run, nothing has moved for 12 s" in shown
    assert '<progress value="1" max="4">' in shown
    assert "no &lt;suitable&gt; node" in shown
    found.still = 1
    assert "nothing has moved" not in render(found)

"""The exercises that boot machines, played as in test_exercises.py, in a worker of their own."""

import pytest

from course_magics.lessons.exercise import Exercise
from course_magics.lessons.play import needs_machine, play

from .test_exercises import WHOLE


@pytest.mark.engine
@pytest.mark.machine
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("exercise", [e for e in WHOLE if needs_machine(e)], ids=lambda e: e.name)
def test_its_check_tells_right_from_wrong(exercise: Exercise) -> None:
    played = play(exercise)
    assert not played.faults, "\n\n".join(["", *played.faults])

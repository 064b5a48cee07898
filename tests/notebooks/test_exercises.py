"""Each exercise of the course is played in a real kernel: its check tells right from wrong.

Those that boot machines are in test_exercises_machines.py: pytest's workers share the work by file.
"""

from pathlib import Path

import pytest

from course_magics.lessons.exercise import Exercise, lacks
from course_magics.lessons.play import needs_machine, play
from course_magics.lessons.quiz import load

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
EXERCISES = sorted(p for p in (NOTEBOOKS / "exercises").iterdir() if p.is_dir())
WHOLE = [Exercise(p.name, p) for p in EXERCISES if not lacks(p)]
QUIZZES = sorted((NOTEBOOKS / "quizzes").glob("*.yaml"))


def test_there_are_exercises_and_quizzes() -> None:
    assert EXERCISES
    assert QUIZZES


@pytest.mark.parametrize("folder", EXERCISES, ids=lambda p: p.name)
def test_an_exercise_is_whole(folder: Path) -> None:
    assert lacks(folder) == []


@pytest.mark.parametrize("path", QUIZZES, ids=lambda p: p.stem)
def test_a_quiz_can_be_asked(path: Path) -> None:
    quiz = load(path)
    assert 2 <= len(quiz.questions) <= 6
    for question in quiz.questions:
        for choice in question.choices:
            assert choice.because.endswith((".", "?")), choice.because


def test_the_right_answer_has_no_usual_place() -> None:
    """Whoever always takes the same number learns nothing, and must not pass."""
    single = [q for path in QUIZZES for q in load(path).questions if not q.many]
    for place in range(1, 5):
        assert sum(q.right == {place} for q in single) <= 0.6 * len(single), place


@pytest.mark.engine
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "exercise", [e for e in WHOLE if not needs_machine(e)], ids=lambda e: e.name
)
def test_its_check_tells_right_from_wrong(exercise: Exercise) -> None:
    played = play(exercise)
    assert not played.faults, "\n\n".join(["", *played.faults])

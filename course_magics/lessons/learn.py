"""Begin an exercise, have it checked, take a hint, see a solution: what the magics call."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from course_magics.display import Block, Line, Markdown, Shown
from course_magics.errors import CheckError, CourseError, LessonError
from course_magics.lessons import find, progress
from course_magics.lessons.exercise import Exercise, Hint
from course_magics.lessons.finding import Finding
from course_magics.lessons.state import State

#: The current exercise's name. The labels of what is made from now on have it from there.
_CURRENT = "COURSE_LESSON"


class Task(Shown):
    """An exercise that is begun. exercise: its name; task: Markdown."""

    def __init__(self, exercise: Exercise) -> None:
        self.exercise = exercise.name
        self.task = exercise.task

    def blocks(self) -> Sequence[Block]:
        return [Markdown(self.task), Line("%check looks at what you have made; %hint helps", "dim")]


class Report(Shown):
    """What a check found. passed: all is as wanted. hint: the one that fits, or ""."""

    def __init__(self, exercise: Exercise, findings: Sequence[Finding], note: str = "") -> None:
        self.exercise = exercise.name
        self.findings = list(findings)
        self.note = note

    @property
    def passed(self) -> bool:
        """Whether all is as wanted."""
        return not self.missing

    @property
    def missing(self) -> list[Finding]:
        """What is not as wanted."""
        return [f for f in self.findings if not f.ok]

    @property
    def hint(self) -> str:
        """The hint for the first thing that is missing."""
        return self.missing[0].hint if self.missing else ""

    @property
    def data(self) -> dict[str, object]:
        """The findings as plain values."""
        return {
            "exercise": self.exercise,
            "passed": self.passed,
            "hint": self.hint,
            "findings": [{"ok": f.ok, "words": f.words, "hint": f.hint} for f in self.findings],
        }

    def blocks(self) -> Sequence[Block]:
        lines = [
            Line(f"✔ {f.words}", "good") if f.ok else Line(f"✘ {f.words}", "bad")
            for f in self.findings
        ]
        lines.append(Line(self.next, "good" if self.passed else "plain"))
        return [*lines, Line(self.note, "warn")] if self.note else lines

    @property
    def next(self) -> str:
        """One line: what to do now."""
        if self.passed:
            return f"{self.exercise} is done"
        said = f"{self.exercise} is not done yet"
        if not self.hint:
            return said
        sign = "%hint" if self.exercise == current() else f"%hint {self.exercise}"
        return f"{said}; the hint “{self.hint}” fits: {sign} shows it"


class Step(Shown):
    """A step of a hint. words: what is missing. step: its number, of `steps`."""

    def __init__(self, missing: Finding, hint: Hint, step: int, note: str) -> None:
        self.missing = missing.words
        self.hint = hint.name
        self.step, self.steps = step, len(hint.steps)
        self.text = hint.steps[step - 1]
        self.note = note

    def blocks(self) -> Sequence[Block]:
        after = "%hint once more tells more"
        if self.step == self.steps:
            after = "that was its last step; %solution shows one way"
        blocks: list[Block] = [
            Line(f"✘ {self.missing}", "bad"),
            Line(f"hint “{self.hint}”, step {self.step} of {self.steps}", "dim"),
            Markdown(self.text),
            Line(after, "dim"),
        ]
        return [*blocks, Line(self.note, "warn")] if self.note else blocks


class Said(Shown):
    """A line or two, with what was in the way of keeping the progress."""

    def __init__(self, *lines: str, note: str = "") -> None:
        self.lines = [line for line in lines if line]
        self.note = note

    def blocks(self) -> Sequence[Block]:
        lines = [Line(line) for line in self.lines]
        return [*lines, Line(self.note, "warn")] if self.note else lines


class Solution(Shown):
    """One way to solve an exercise, as Markdown."""

    def __init__(self, exercise: Exercise, other: bool, note: str) -> None:
        self.exercise = exercise.name
        self.text = exercise.other_way if other else exercise.solution
        self.note = note
        self._other = other

    def blocks(self) -> Sequence[Block]:
        blocks: list[Block] = [Markdown(self.text)]
        if not self._other:
            blocks.append(Line("%solution --other-way shows another way to the same state", "dim"))
        return [*blocks, Line(self.note, "warn")] if self.note else blocks


def current() -> str:
    """The name of the exercise that was begun in this kernel, or ""."""
    return os.environ.get(_CURRENT, "")


def begin(name: str) -> Task:
    """Make the exercise `name` the current one; what is made from now on carries its label."""
    exercise = find.exercise(name)
    shown = Task(exercise)
    os.environ[_CURRENT] = exercise.name
    return shown


def check(name: str = "", *, strict: bool = False) -> Report:
    """Judge the state of things. name: the exercise, or the current one. Passing is kept.

    strict: raise CheckError (with `.result`) where something is missing.
    """
    exercise = chosen(name, "%check")
    findings = exercise.judge(State())
    passed = all(f.ok for f in findings)

    def kept(book: progress.Book) -> None:
        done = book.exercise(exercise.name)
        done.checks += 1
        if passed and not done.passed:  # a later check that fails takes nothing away
            done.passed = progress.now()

    report = Report(exercise, findings, progress.change(kept))
    if strict and not passed:
        error = CheckError(
            f"{exercise.name} is not done yet",
            detail="\n".join(f"{'✔' if f.ok else '✘'} {f.words}" for f in findings),
            hint=report.next.partition("; ")[2] or None,
        )
        error.result = report
        raise error
    return report


def hint(name: str = "") -> Shown:
    """The next step of the hint that fits the state of things; which were shown is kept."""
    exercise = chosen(name, "%hint")
    first = next((f for f in exercise.judge(State()) if not f.ok), None)
    if first is None:
        return Said("all is as wanted: no hint is needed; %check says so too")
    if not first.hint:
        return Said(f"✘ {first.words}", "there is no hint for this; %solution shows one way")
    found = exercise.hints[first.hint]
    step = 0

    def kept(book: progress.Book) -> None:
        nonlocal step
        shown = book.exercise(exercise.name).hints
        step = min(shown.get(found.name, 0) + 1, len(found.steps))
        shown[found.name] = step

    note = progress.change(kept)
    return Step(first, found, step, note)


def solution(name: str = "", *, other: bool = False) -> Solution:
    """One way to solve the exercise (other: a different one); that it was shown is kept."""
    exercise = chosen(name, "%solution")

    def kept(book: progress.Book) -> None:
        done = book.exercise(exercise.name)
        done.solution = done.solution or progress.now()

    return Solution(exercise, other, progress.change(kept))


def reset(name: str, play: Callable[[str], object]) -> Said:
    """Play the exercise's reset cells, and forget its progress. play: runs a cell, or raises."""
    from course_magics.lessons.overview import forget

    exercise = chosen(name, "%lesson reset")
    for number, cell in enumerate(exercise.reset, 1):
        try:
            play(cell)
        except CourseError as error:
            error.hint = f"cell {number} of reset.md of {exercise.name} failed; " + (
                error.hint or "run its line by hand"
            )
            raise
    said, note = forget(exercise.name)
    count = len(exercise.reset)
    made = f"{exercise.name}: what it had made is removed ({count} cell{'s' * (count != 1)} run)"
    return Said(made, said, note=note)


def chosen(name: str, sign: str) -> Exercise:
    """The exercise `name`, or the current one. Raises LessonError that says what to type."""
    if not (name or current()):
        raise LessonError(
            f"{sign}: which exercise? None was begun in this notebook",
            hint=f"%lesson ls lists them, %lesson NAME begins one, {sign} NAME is about that one",
        )
    return find.exercise(name or current())

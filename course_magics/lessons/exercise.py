"""An exercise: a folder with a task, a check, hints, two solutions and the way back."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_magics.errors import CourseError, LessonError, fault_of
from course_magics.lessons.finding import Finding

if TYPE_CHECKING:
    from course_magics.lessons.state import State

#: What every exercise has, beside hints/.
FILES = ("task.md", "check.py", "solution.md", "other-way.md", "reset.md")

#: A fenced block: its word and what it holds.
_FENCE = re.compile(r"^(`{3,})(\w[\w-]*)[ \t]*\n(.*?)^\1[ \t]*$", re.DOTALL | re.MULTILINE)
#: Between the cells of a ```state block, and between the steps of a hint.
_NEXT_CELL = re.compile(r"^# ---[ \t]*$", re.MULTILINE)
_NEXT_STEP = re.compile(r"^---[ \t]*$", re.MULTILINE)


@dataclass(frozen=True)
class Hint:
    """A hint. state: the cells that bring about what it is for. steps: weakest first."""

    name: str
    state: tuple[str, ...]
    steps: tuple[str, ...]


@dataclass(frozen=True)
class Exercise:
    """A whole exercise. name: its folder's."""

    name: str
    folder: Path

    @cached_property
    def task(self) -> str:
        """The task, as Markdown."""
        return self.read("task.md")

    @property
    def title(self) -> str:
        """The task's heading."""
        first = self.task.strip().partition("\n")[0]
        return first.lstrip("#").strip() or self.name

    @cached_property
    def solution(self) -> str:
        """The solution, as Markdown."""
        return self.read("solution.md")

    @cached_property
    def other_way(self) -> str:
        """Another way to the same state, as Markdown."""
        return self.read("other-way.md")

    @cached_property
    def reset(self) -> list[str]:
        """The cells that remove all that the exercise may have left."""
        return cells(self.read("reset.md"))

    @cached_property
    def hints(self) -> dict[str, Hint]:
        """The hints by name. Raises LessonError for one without a state or without steps."""
        found = {}
        for path in sorted((self.folder / "hints").glob("*.md")):
            found[path.stem] = self._hint(path.stem, self.read(f"hints/{path.name}"))
        return found

    def judge(self, state: State) -> list[Finding]:
        """What check.py says of `state`.

        Raises LessonError where check.py itself is at fault, EngineError and MachineError where
        what it looks at does not answer.
        """
        check = self._check()
        try:
            with state.watched(f"%check {self.name}"):
                findings = list(check(state))
        except CourseError:
            raise
        except (Exception, SystemExit) as error:
            raise self._at_fault(error) from None
        for finding in findings:
            if not isinstance(finding, Finding):
                raise self._faulty(f"it yields {finding!r}, not what expect() makes")
            if finding.hint and str(finding.hint) not in self.hints:
                raise self._faulty(f"it names the hint {finding.hint!r}, which is not in hints/")
        if not findings:
            raise self._faulty("it yields nothing")
        return findings

    def _check(self) -> Callable[[State], Iterable[Any]]:
        """The function of check.py, read anew each time: its author is still at it."""
        path = self.folder / "check.py"
        names: dict[str, Any] = {"__name__": "check", "__file__": str(path)}
        try:
            exec(compile(self.read("check.py"), str(path), "exec", dont_inherit=True), names)
        except CourseError:
            raise
        except (Exception, SystemExit) as error:
            raise self._at_fault(error) from None
        check = names.get("check")
        if not callable(check):
            raise self._faulty("it has no function `check`")
        return check  # type: ignore[no-any-return]

    def _at_fault(self, error: BaseException) -> LessonError:
        """What went wrong in check.py, with the line of it where it did."""
        path, line = str(self.folder / "check.py"), getattr(error, "lineno", None)
        trace = error.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == path:
                line = trace.tb_lineno
            trace = trace.tb_next
        return self._faulty(fault_of(error), line)

    def _faulty(self, words: str, line: int | None = None) -> LessonError:
        where = f", line {line}" if line else ""
        return LessonError(
            f"check.py of {self.name} is at fault{where}",
            detail=words,
            hint="it is not your work: tell whoever wrote the exercise",
        )

    def _hint(self, name: str, text: str) -> Hint:
        found = _FENCE.search(text)
        if found is None or found[2] != "state":
            raise LessonError(
                f"hints/{name}.md of {self.name} does not begin with a ```state block"
            )
        states = tuple(s.strip("\n") for s in _NEXT_CELL.split(found[3]) if s.strip())
        steps = tuple(s.strip() for s in _NEXT_STEP.split(text[found.end() :]) if s.strip())
        if not steps:
            raise LessonError(f"hints/{name}.md of {self.name} has no step after its ```state")
        return Hint(name, states, steps)

    def read(self, name: str) -> str:
        """One of its files. Raises LessonError."""
        try:
            return (self.folder / name).read_text("utf-8")
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "it is not UTF-8"
            raise LessonError(f"{name} of {self.name} cannot be read: {why}") from None


def cells(text: str) -> list[str]:
    """The ```cell blocks of a Markdown text, in order."""
    return [m[3].strip("\n") for m in _FENCE.finditer(text) if m[2] == "cell"]


def lacks(folder: Path) -> list[str]:
    """What a folder lacks to be an exercise."""
    missing = [name for name in FILES if not (folder / name).is_file()]
    return missing if any((folder / "hints").glob("*.md")) else [*missing, "hints/NAME.md"]

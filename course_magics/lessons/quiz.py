"""A quiz: questions with choices, each choice with the reason why it is right or wrong."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from course_magics.errors import LessonError, fault_of

_ID = re.compile(r"[a-z0-9][a-z0-9-]*")
_KEYS = {
    "quiz": {"title", "questions"},
    "question": {"id", "ask", "choices", "many"},
    "choice": {"text", "right", "because"},
}


@dataclass(frozen=True)
class Choice:
    """An answer that can be chosen. because: why it is right or wrong."""

    text: str
    right: bool
    because: str


@dataclass(frozen=True)
class Question:
    """A question. many: any number of its choices may be right."""

    id: str
    ask: str
    choices: tuple[Choice, ...]
    many: bool = False

    @property
    def right(self) -> frozenset[int]:
        """The numbers of the right choices, from 1."""
        return frozenset(n for n, c in enumerate(self.choices, 1) if c.right)


@dataclass(frozen=True)
class Quiz:
    """A quiz. name: its file's, without `.yaml`."""

    name: str
    title: str
    questions: tuple[Question, ...]

    def question(self, id: str) -> Question:
        """The question `id`. Raises LessonError where there is none."""
        for question in self.questions:
            if question.id == id:
                return question
        ids = ", ".join(q.id for q in self.questions)
        raise LessonError(f"the quiz {self.name} has no question {id!r}", hint=f"it has: {ids}")


@dataclass(frozen=True)
class Verdict:
    """What an answer is worth. chosen: the numbers of the choices, from 1."""

    question: Question
    chosen: frozenset[int]

    @property
    def right(self) -> bool:
        """Whether just the right choices were chosen."""
        return self.chosen == self.question.right

    def reasons(self) -> list[tuple[bool, str, str]]:
        """(right, the choice, why) for each one chosen, then for the right ones that were not."""
        choices = self.question.choices
        order = [*sorted(self.chosen), *sorted(self.question.right - self.chosen)]
        return [(choices[n - 1].right, choices[n - 1].text, choices[n - 1].because) for n in order]


def judge(question: Question, chosen: Iterable[int]) -> Verdict:
    """The verdict on the choices `chosen` (from 1). Raises LessonError for an impossible number."""
    numbers = frozenset(chosen)
    most = len(question.choices)
    if not numbers:
        raise LessonError(f"{question.id}: nothing is chosen", hint=f"choose from 1 to {most}")
    if bad := sorted(n for n in numbers if not 1 <= n <= most):
        raise LessonError(f"{question.id} has no choice {bad[0]}", hint=f"choose from 1 to {most}")
    if len(numbers) > 1 and not question.many:
        raise LessonError(f"{question.id} takes one choice", hint=f"for instance {question.id}=1")
    return Verdict(question, numbers)


def load(path: Path) -> Quiz:
    """Read a quiz. Raises LessonError that says what in the file is wrong, and where."""
    import yaml

    try:
        return _Reader(path).quiz(yaml.safe_load(path.read_text("utf-8")))
    except LessonError:
        raise
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8"
        raise LessonError(f"the quiz {path.stem} cannot be read: {why}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        words = str(getattr(error, "problem", "") or error).splitlines()[0]
        raise LessonError(f"{path.name}{where} is not YAML: {words}") from None
    except Exception as error:  # yaml's own on a date or a number that is none, or too deep a nest
        raise LessonError(f"{path.name} is not a quiz: {fault_of(error)}") from None


class _Reader:
    """Turns what YAML gives into a quiz; says where something is not as it must be."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def quiz(self, found: Any) -> Quiz:
        table = self._table(found, "quiz", "")
        title = self._text(table, "title", "")
        entries = self._list(table, "questions", "")
        questions = tuple(self._question(e, n) for n, e in enumerate(entries, 1))
        ids = [q.id for q in questions]
        if twice := next((i for i in ids if ids.count(i) > 1), None):
            raise self._wrong("", f"two questions have the id {twice}")
        return Quiz(self.path.stem, title, questions)

    def _question(self, found: Any, number: int) -> Question:
        where = f"question {number}"
        table = self._table(found, "question", where)
        id = self._text(table, "id", where)
        if not _ID.fullmatch(id):
            raise self._wrong(where, f"its id {id!r} is not of small letters, digits and -")
        where = f"question {number} ({id})"
        many = table.get("many", False)
        if not isinstance(many, bool):
            raise self._wrong(where, "`many` is true or false")
        entries = self._list(table, "choices", where)
        if len(entries) < 2:
            raise self._wrong(where, "it needs two choices or more")
        choices = tuple(self._choice(e, f"{where}, choice {n}") for n, e in enumerate(entries, 1))
        texts = [c.text for c in choices]
        if len(set(texts)) < len(texts):
            raise self._wrong(where, "two choices have the same text")
        right = sum(c.right for c in choices)
        if not right or (right > 1 and not many):
            count = "none is" if not right else f"{right} are"
            raise self._wrong(
                where, f"{count} `right: true`", "one must be, or any number with `many: true`"
            )
        return Question(id, self._text(table, "ask", where), choices, many)

    def _choice(self, found: Any, where: str) -> Choice:
        table = self._table(found, "choice", where)
        right = table.get("right", False)
        if not isinstance(right, bool):
            raise self._wrong(where, "`right` is true or false")
        text = self._text(table, "text", where)
        return Choice(text, right, self._text(table, "because", where))

    def _table(self, found: Any, kind: str, where: str) -> dict[str, Any]:
        keys = _KEYS[kind]
        if not isinstance(found, dict):
            raise self._wrong(where, f"a {kind} has {', '.join(sorted(keys))}")
        if unknown := sorted(str(k) for k in found if k not in keys):
            raise self._wrong(where, f"unknown: {unknown[0]}", f"a {kind} has {_listed(keys)}")
        return found

    def _text(self, table: dict[str, Any], key: str, where: str) -> str:
        value = table.get(key)
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise self._wrong(where, f"`{key}` is missing or not a text")
        if not (text := " ".join(str(value).split())):
            raise self._wrong(where, f"`{key}` is empty")
        return text

    def _list(self, table: dict[str, Any], key: str, where: str) -> list[Any]:
        value = table.get(key)
        if not isinstance(value, list) or not value:
            raise self._wrong(where, f"`{key}` is missing or not a list")
        return value

    def _wrong(self, where: str, words: str, hint: str | None = None) -> LessonError:
        place = f", {where}" if where else ""
        return LessonError(f"{self.path.name}{place}: {words}", hint=hint)


def _listed(keys: set[str]) -> str:
    return ", ".join(sorted(keys))

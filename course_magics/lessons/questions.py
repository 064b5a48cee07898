"""Quizzes as results: shown as text, answered by a line, kept in the progress."""

from __future__ import annotations

import re
from collections.abc import Sequence

from course_magics.display import Block, Line, Numbered, Sentence, Shown
from course_magics.errors import LessonError, OptionError
from course_magics.lessons import find, progress
from course_magics.lessons.overview import quizzes
from course_magics.lessons.quiz import Question, Quiz, Verdict, judge, load

#: The name of the quiz that takes one question of each of the others.
ALL = "all"


class Sheet(Shown):
    """A quiz on paper: its questions, and how they are answered without widgets."""

    def __init__(self, quiz: Quiz, sign: str) -> None:
        self.quiz = quiz
        self._sign = sign

    @property
    def data(self) -> list[dict[str, object]]:
        """The questions and choices; not which are right."""
        return [
            {"id": q.id, "ask": q.ask, "many": q.many, "choices": [c.text for c in q.choices]}
            for q in self.quiz.questions
        ]

    def blocks(self) -> Sequence[Block]:
        count = len(self.quiz.questions)
        blocks: list[Block] = [
            Line(f"{self.quiz.title}: {count} question{'s' * (count != 1)}"),
        ]
        for question in self.quiz.questions:
            more = " (any number may be right)" if question.many else ""
            blocks.append(Sentence(f"{question.id}: {question.ask}{more}"))
            blocks.append(Numbered([c.text for c in question.choices]))
        first = self.quiz.questions[0]
        example = f"{first.id}={'1,2' if first.many else '1'}"
        return [*blocks, Line(f"{self._sign} --answer {example} answers with a number", "dim")]


class Marked(Shown):
    """Answers that were judged. right: how many of them were."""

    def __init__(self, verdicts: Sequence[Verdict], note: str) -> None:
        self.verdicts = list(verdicts)
        self.right = sum(v.right for v in verdicts)
        self.note = note

    @property
    def data(self) -> list[dict[str, object]]:
        """The answers by question."""
        return [
            {"id": v.question.id, "chosen": sorted(v.chosen), "right": v.right}
            for v in self.verdicts
        ]

    def blocks(self) -> Sequence[Block]:
        blocks: list[Block] = []
        for verdict in self.verdicts:
            blocks += marked(verdict)
        return [*blocks, Line(self.note, "warn")] if self.note else blocks


def marked(verdict: Verdict) -> list[Block]:
    """Whether it is right, and the reason of each choice that was taken or should have been."""
    head = "right" if verdict.right else "not right"
    blocks: list[Block] = [
        Line(f"{verdict.question.id}: {head}", "good" if verdict.right else "bad")
    ]
    for n, (right, text, because) in enumerate(verdict.reasons()):
        missed = n >= len(verdict.chosen)
        sign = "→" if missed else "✔" if right else "✘"
        blocks.append(Sentence(f"{sign} {text}: {because}", "good" if right else "bad"))
    return blocks


def opened(name: str) -> Quiz:
    """The quiz `name`; "all" is one question of each. Raises LessonError."""
    return of_all() if name == ALL else load(find.quiz_file(name))


def of_all() -> Quiz:
    """One question of each quiz: the first. Its id is NUMBER-ID, so that all are different."""
    questions = []
    for quiz in quizzes():
        first = quiz.questions[0]
        number = re.match(r"\d+", quiz.name)
        id = f"{number[0] if number else quiz.name}-{first.id}"
        questions.append(Question(id, first.ask, first.choices, first.many))
    if not questions:
        raise LessonError("there is no quiz here")
    return Quiz(ALL, "A question from each notebook", tuple(questions))


def sheet(name: str) -> Sheet:
    """The quiz on paper."""
    return Sheet(opened(name), "%quiz --all" if name == ALL else f"%quiz {name}")


def answer(name: str, texts: Sequence[str]) -> Marked:
    """Judge answers as typed ("layers=2", "tags=1,3"), and keep them."""
    quiz = opened(name)
    verdicts = []
    for text in texts:
        id, equals, numbers = text.partition("=")
        parts = [n.strip() for n in numbers.split(",")]
        if not equals or not all(re.fullmatch(r"[0-9]{1,3}", n) for n in parts):
            first = quiz.questions[0].id
            raise OptionError(
                f"--answer {text}: not of the form QUESTION=NUMBER",
                hint=f"for instance --answer {first}=1, or {first}=1,3 for several choices",
            )
        verdicts.append(judge(quiz.question(id.strip()), [int(n) for n in parts]))
    return Marked(verdicts, keep(name, verdicts))


def keep(name: str, verdicts: Sequence[Verdict]) -> str:
    """Note answers in the progress; returns what was in the way, or ""."""

    def kept(book: progress.Book) -> None:
        for verdict in verdicts:
            entry = book.question(name, verdict.question.id)
            entry.tries += 1
            entry.first = verdict.right if entry.tries == 1 else entry.first
            entry.right = verdict.right

    return progress.change(kept)

"""What there is to do, and how far it is done: lists, progress, its export, the certificate."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from course_magics.display import Block, Facts, Grid, Line, Listed, Shown, Table
from course_magics.display.data import csv_cell
from course_magics.errors import LessonError, OptionError
from course_magics.lessons import find, learn, progress
from course_magics.lessons.exercise import Exercise, lacks
from course_magics.lessons.progress import Book
from course_magics.lessons.quiz import Quiz, load
from course_magics.storage import write_named


@dataclass
class Part:
    """A notebook's exercise and quiz. exercise, quiz: their names, "" where there is none.

    right, asked: questions answered right, and all of them.
    """

    notebook: str
    exercise: str = ""
    quiz: str = ""
    passed: str = ""
    right: int = 0
    asked: int = 0
    hints: int = 0
    solution: bool = False

    def row(self, passed: str) -> tuple[object, ...]:
        """Its row in a table. passed: how that is told of its exercise, "" where it is not."""
        return (
            self.notebook,
            (passed or "not yet") if self.exercise else "-",
            f"{self.right} of {self.asked}" if self.quiz else "-",
            self.hints,
            "shown" if self.solution else "",
        )


class Current(Shown):
    """The current exercise and how far it is."""

    def __init__(self, exercise: Exercise, book: Book, note: str) -> None:
        done = book.exercises.get(exercise.name, progress.Done())
        self.exercise = exercise.name
        self.task = exercise.title
        self.passed = bool(done.passed)
        self.checks = done.checks
        self.hints = done.hints_used
        self.solution = bool(done.solution)
        self.note = note

    def blocks(self) -> Sequence[Block]:
        facts = Facts(
            [
                ("exercise", self.exercise),
                ("task", self.task),
                ("passed", "yes" if self.passed else "not yet"),
                ("checks", self.checks),
                ("hints shown", self.hints),
                ("solution", "was shown" if self.solution else "not shown"),
            ]
        )
        return [facts, Line(self.note, "warn")] if self.note else [facts]


class Overview(Listed):
    """How far each notebook's exercise and quiz are. parts: one `Part` a notebook."""

    def __init__(self, parts: Sequence[Part], note: str = "") -> None:
        self.parts = list(parts)
        self.note = note

    @property
    def rows(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """The same as plain data."""
        return [{**p.__dict__, "passed": bool(p.passed)} for p in self.parts]

    @property
    def summary(self) -> str:
        """One line: how many exercises and questions."""
        exercises = [p for p in self.parts if p.exercise]
        passed = sum(bool(p.passed) for p in exercises)
        right, asked = sum(p.right for p in self.parts), sum(p.asked for p in self.parts)
        return f"{passed} of {len(exercises)} exercises passed, {right} of {asked} questions right"

    def blocks(self) -> Sequence[Block]:
        if not self.parts:
            none = find.not_used()[0] or "there are no exercises and no quizzes here"
            return [Line(none), *([Line(self.note, "warn")] if self.note else [])]
        rows = [p.row("passed" if p.passed else "") for p in self.parts]
        columns = ["notebook", "exercise", "quiz", "hints", "solution"]
        blocks: list[Block] = [Grid(columns, rows, frozenset({"hints"})), Line(self.summary)]
        return [*blocks, Line(self.note, "warn")] if self.note else blocks


class Certificate(Shown):
    """What was done and what is missing, by the learner's own file of progress."""

    def __init__(self, overview: Overview, name: str = "") -> None:
        self.name = name
        self.parts = overview.parts
        self.summary = overview.summary if overview.parts else "nothing to do was found"
        self.missing = [
            what
            for p in overview.parts
            for what in (
                f"{p.notebook}: exercise" if p.exercise and not p.passed else "",
                f"{p.notebook}: {p.asked - p.right} of {p.asked} questions"
                if p.quiz and p.right < p.asked
                else "",
            )
            if what
        ]

    @property
    def complete(self) -> bool:
        """Whether nothing is missing."""
        return bool(self.parts) and not self.missing

    def blocks(self) -> Sequence[Block]:
        rows = [p.row(p.passed[:10]) for p in self.parts]
        columns = ["notebook", "exercise passed", "quiz", "hints", "solution"]
        whole = "The whole course is done." if self.complete else "Not the whole course is done."
        blocks: list[Block] = [
            Line("Containers and virtual machines: what was done"),
            *([Line(f"by {self.name}")] if self.name else []),
            Grid(columns, rows, frozenset({"hints"})),
            Line(self.summary),
            Line(whole, "good" if self.complete else "plain"),
        ]
        if self.missing:
            blocks.append(Line("Missing: " + "; ".join(self.missing)))
        own = "This is what the learner's own file of progress says; nobody has watched."
        return [*blocks, Line(own, "dim")]

    def page(self) -> str:
        """The same as a page of HTML of its own."""
        title = "Containers and virtual machines"
        body = "".join(b.html() for b in self.blocks()[1:])
        who = f" – {escape(self.name)}" if self.name else ""
        return (
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            f"<title>{title}{who}</title>\n<style>\n"
            "body { font-family: sans-serif; max-width: 46em; margin: 3em auto }\n"
            "table { border-collapse: collapse; margin: 1em 0 }\n"
            "th, td { padding: 0.2em 1em 0.2em 0; border-bottom: 1px solid #ccc }\n"
            f"</style>\n</head>\n<body>\n<h1>{title}: what was done</h1>\n{body}\n"
            "</body>\n</html>\n"
        )

    def write(self, file: str) -> Path:
        """Write the page. Raises LessonError where that cannot be done."""
        place = Path(file).expanduser()
        try:
            write_named(place, self.page())
        except OSError as error:
            raise LessonError(f"{file} cannot be written: {error.strerror}") from None
        return place


def listed() -> Table:
    """The exercises there are; one that is not whole says what it lacks."""
    rows = []
    for name in find.exercises():
        place = (find.root() or Path()) / "exercises" / name
        missing = lacks(place)
        task = f"not whole: {', '.join(missing)} missing" if missing else ""
        try:
            task = task or Exercise(name, place).title
        except LessonError as error:
            task = error.message
        rows.append({"exercise": name, "task": task})
    columns = {"exercise": "exercise", "task": "task"}
    none = find.not_used()[0] or "no exercises here: COURSE_LESSONS names their folder"
    return Table(columns, rows, empty=f"({none})")


def now() -> Shown:
    """The current exercise and how far; the list where there is none."""
    name = learn.current()
    if not name:
        return listed()
    return Current(find.exercise(name), *progress.load())


def overview() -> Overview:
    """How far everything is, a row a notebook."""
    book, note = progress.load()
    place = find.root()
    notebooks = sorted(p.stem for p in place.glob("*.ipynb")) if place is not None else []
    parts: dict[str, Part] = {}

    def part(name: str) -> Part:
        number = re.match(r"\d+", name)
        key = number[0] if number else name
        if key not in parts:
            same = [n for n in notebooks if n == key or n.startswith(f"{key}-")]
            parts[key] = Part(same[0] if same else name)
        return parts[key]

    for name in find.exercises():
        one, done = part(name), book.exercises.get(name, progress.Done())
        one.exercise, one.passed = name, done.passed
        one.hints += done.hints_used
        one.solution = one.solution or bool(done.solution)
    for name in find.quizzes():
        one, answers = part(name), book.quizzes.get(name, {})
        one.quiz = name
        try:
            questions = load(find.quiz_file(name)).questions
        except LessonError:
            continue  # %quiz says what is wrong with it
        one.asked += len(questions)
        one.right += sum(answers[q.id].right for q in questions if q.id in answers)
    return Overview([parts[k] for k in sorted(parts)], note)


def forget(name: str = "") -> tuple[str, str]:
    """Forget the progress of the exercise and the quiz `name`, or all; what was forgotten, a note.

    Raises LessonError for a name that nothing has.
    """
    known = {*find.exercises(), *find.quizzes()}
    gone: list[str] = []

    def kept(book: Book) -> None:
        if name and name not in known | set(book.exercises) | set(book.quizzes):
            raise LessonError(f"no exercise or quiz is called {name!r}")
        for kind, entries in (("exercise", book.exercises), ("quiz", book.quizzes)):
            for each in [name] if name else sorted(entries):
                if entries.pop(each, None) is not None:
                    gone.append(f"{kind} {each}")

    note = progress.change(kept)
    return (f"forgotten: {', '.join(gone)}" if gone else "there was no progress to forget"), note


def export(kind: str) -> str:
    """All progress as "json" or "csv", for an instructor. Raises LessonError: damaged."""
    book, note = progress.load()
    if note and not (book.exercises or book.quizzes):
        raise LessonError(note)
    if kind == "json":
        return (
            json.dumps(progress.as_data(book), indent=1, ensure_ascii=False, sort_keys=True) + "\n"
        )
    if kind != "csv":
        raise OptionError(f"the format is json or csv, not {kind!r}")
    columns = ["kind", "name", "question", "passed", "checks", "hints", "solution"]
    columns += ["right", "first", "tries"]
    out = io.StringIO()
    table = csv.DictWriter(out, columns, lineterminator="\n")
    table.writeheader()

    def add(row: dict[str, Any]) -> None:
        table.writerow({column: csv_cell(value) for column, value in row.items()})

    for name, done in sorted(book.exercises.items()):
        add(
            {
                "kind": "exercise",
                "name": name,
                "passed": done.passed,
                "checks": done.checks,
                "hints": done.hints_used,
                "solution": done.solution,
            }
        )
    for name, answers in sorted(book.quizzes.items()):
        for id, a in sorted(answers.items()):
            row = {"kind": "question", "name": name, "question": id, "tries": a.tries}
            add({**row, "right": int(a.right), "first": int(a.first)})
    return out.getvalue()


def quizzes() -> list[Quiz]:
    """All quizzes that can be read, in order."""
    found = []
    for name in find.quizzes():
        found.append(load(find.quiz_file(name)))
    return found

"""A learner's progress: one JSON file of the user's, which no two kernels write at once.

Where it cannot be written, what was done counts for this kernel, and a line says so.
"""

from __future__ import annotations

import contextlib
import copy
import errno
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from course_magics import runtime, storage
from course_magics.alone import alone
from course_magics.errors import CourseError
from course_magics.patience import Patience

#: The form of the file. Another number is another form, and kept aside.
_FORM = 1


@dataclass
class Done:
    """What was done of one exercise. Times are "2026-11-25T23:10:04Z", "" where it has not been.

    checks: how often it was checked. hints: a hint's name → how many of its steps were shown.
    """

    passed: str = ""
    checks: int = 0
    hints: dict[str, int] = field(default_factory=dict)
    solution: str = ""

    @property
    def hints_used(self) -> int:
        """The steps of hints that were shown."""
        return sum(self.hints.values())


@dataclass
class Answered:
    """A question that was answered. right: the last time; first: the first time. tries: times."""

    right: bool = False
    first: bool = False
    tries: int = 0


@dataclass
class Book:
    """All progress. exercises: by name; quizzes: by name, then by the question's id."""

    exercises: dict[str, Done] = field(default_factory=dict)
    quizzes: dict[str, dict[str, Answered]] = field(default_factory=dict)

    def exercise(self, name: str) -> Done:
        """The exercise's entry, made where it is missing."""
        return self.exercises.setdefault(name, Done())

    def question(self, quiz: str, id: str) -> Answered:
        """The question's entry, made where it is missing."""
        return self.quizzes.setdefault(quiz, {}).setdefault(id, Answered())

    def joined(self, other: Book) -> Book:
        """All that either of the two has: what was done is done."""
        book = Book()
        for one in (self, other):
            for name, done in one.exercises.items():
                kept = book.exercise(name)
                kept.passed = min(filter(None, (kept.passed, done.passed)), default="")
                kept.solution = min(filter(None, (kept.solution, done.solution)), default="")
                kept.checks = max(kept.checks, done.checks)
                for hint, steps in done.hints.items():
                    kept.hints[hint] = max(kept.hints.get(hint, 0), steps)
            for quiz, answers in one.quizzes.items():
                for id, answer in answers.items():
                    if answer.tries >= book.question(quiz, id).tries:
                        book.quizzes[quiz][id] = replace(answer)
        return book


#: What could not be written, by its file: what that held (None: unknown), and what it should hold.
_unkept: dict[Path, tuple[Book | None, Book]] = {}


def path() -> Path:
    """The file: $COURSE_PROGRESS, else in $XDG_DATA_HOME/course-magics, else in ~/.local/share/…"""
    own = os.environ.get("COURSE_PROGRESS")
    if own:
        return Path(own).expanduser().absolute()
    return runtime.xdg_folder("XDG_DATA_HOME", ".local/share") / "progress.json"


def load() -> tuple[Book, str]:
    """The progress, and a line where the file could not be read or written (else "").

    A damaged file is left where it is: the next change puts it aside.
    """
    file = path()
    try:
        found = _read(file)
    except (_Damaged, OSError) as error:
        return _with_unkept(file, None), f"the progress in {file} cannot be read: {_why(error)}"
    return _with_unkept(file, found), _only_here(file) if file in _unkept else ""


def change(alter: Callable[[Book], object]) -> str:
    """Let `alter` change the progress and keep it; returns "" or a line on what was in the way.

    A damaged file is put aside. Nothing is written over one that cannot be read.
    """
    file = path()
    said, found, book = "", None, None
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with _alone(file):
            try:
                found = _read(file)
            except _Damaged as error:
                said = f"the progress was damaged ({error}); it is kept as {_aside(file)}"
                found = Book()
            book = _with_unkept(file, found)
            alter(book)
            _write(file, book)
            _unkept.pop(file, None)
            return said
    except OSError:
        if book is None:
            with contextlib.suppress(_Damaged, OSError):
                found = _read(file)
            book = _with_unkept(file, found)
            alter(book)
        _unkept[file] = found, book
        return "\n".join(filter(None, (said, _only_here(file))))


def now() -> str:
    """The time as it is written down."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def as_data(book: Book) -> dict[str, Any]:
    """The progress as the file holds it."""
    return {"form": _FORM, **asdict(book)}


class _Damaged(Exception):
    """The file is not what we have written."""


def _only_here(file: Path) -> str:
    return f"your progress counts in this notebook only: {file} cannot be written"


def _why(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else "") or str(error)


def _with_unkept(file: Path, found: Book | None) -> Book:
    """What the file holds (None: unknown), with what could not be written into it."""
    before, mine = _unkept.get(file, (None, None))
    if mine is None:
        return copy.deepcopy(found) if found else Book()
    if found is None or found == before:
        return mine
    return mine.joined(found)  # another kernel has written meanwhile, or it can be read again


def _read(file: Path) -> Book:
    """Raises _Damaged, and OSError; nothing there is an empty book."""
    try:
        text = file.read_text("utf-8")
    except FileNotFoundError:
        return Book()
    except UnicodeDecodeError:
        raise _Damaged("it is not text") from None
    try:
        data = json.loads(text)
        form = data["form"]
        book = _book(data) if form == _FORM else Book()
        json.dumps(as_data(book), ensure_ascii=False).encode()  # it can be written again
    except Exception:  # whatever else is in it, that is the file's fault
        raise _Damaged("it is not what the course has written") from None
    if form != _FORM:
        raise _Damaged(f"it has the form {form!r}, not {_FORM}")
    return book


def _book(data: Any) -> Book:
    """Types are not checked by a dataclass; what is used later is. Raises anything."""
    book = Book()
    for name, entry in data["exercises"].items():
        done = book.exercises[name] = Done(**entry)
        done.hints = {str(k): int(v) for k, v in done.hints.items()}
        done.passed, done.solution = done.passed + "", done.solution + ""
        done.checks = int(+done.checks)
    for name, answers in data["quizzes"].items():
        for id, entry in answers.items():
            answer = book.quizzes.setdefault(name, {})[id] = Answered(**entry)
            answer.right, answer.first = bool(answer.right), bool(answer.first)
            answer.tries = int(+answer.tries)
    return book


def _write(file: Path, book: Book) -> None:
    """In one step: whoever reads meanwhile sees the old progress or the new."""
    text = json.dumps(as_data(book), indent=1, ensure_ascii=False, sort_keys=True)
    storage.write_atomic(file, text + "\n")


def _aside(file: Path) -> Path:
    """Move a damaged file to a name that nothing has yet."""
    number = 1
    while (place := file.with_name(f"{file.stem}.damaged-{number}{file.suffix}")).exists():
        number += 1
    return file.replace(place)


def _written(file: Path) -> object:
    """What changes whenever `file` is written."""
    with contextlib.suppress(OSError):
        about = file.stat()
        return about.st_ino, about.st_mtime_ns
    return None


@contextlib.contextmanager
def _alone(file: Path) -> Iterator[None]:
    """Nobody else writes meanwhile. A file beside it is locked, for the file itself is replaced."""
    beside = file.with_name(f"{file.name}.lock")
    patience = Patience()  # as long as others write it, it moves
    try:
        while (lock := storage.lock(beside, wait=False)) is None:
            patience.saw(_written(file))
            if patience.over:
                raise BlockingIOError(errno.EAGAIN, "another notebook holds it")
            time.sleep(0.01)
    except CourseError:  # a file system without locks: then one on this computer's own disk
        with alone(file):
            yield
        return
    with lock:
        yield

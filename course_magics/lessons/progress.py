"""A learner's progress: one JSON file of the user's, which no two kernels write at once.

Where it cannot be written, what was done counts for this kernel, and a line says so.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from course_magics import runtime, storage
from course_magics.alone import alone
from course_magics.errors import CourseError

#: The form of the file. Another number is another form, and kept aside.
_FORM = 1
#: Another kernel writes for milliseconds; this long we wait for it (seconds).
_PATIENCE = 5.0


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


#: What could not be written, by the file that it belongs to.
_unkept: dict[Path, Book] = {}


def path() -> Path:
    """The file: $COURSE_PROGRESS, else in $XDG_DATA_HOME/course-magics, else in ~/.local/share/…"""
    own = os.environ.get("COURSE_PROGRESS")
    if own:
        return Path(own).expanduser().absolute()
    return runtime.xdg_folder("XDG_DATA_HOME", ".local/share") / "progress.json"


def load() -> tuple[Book, str]:
    """The progress, and a line where the file could not be read (else "").

    A damaged file is left where it is: the next change puts it aside.
    """
    if (kept := _unkept.get(path())) is not None:
        return kept, _only_here(path())
    try:
        return _read(path()), ""
    except _Damaged as error:
        return Book(), f"the progress in {path()} cannot be read: {error}"
    except OSError as error:
        return Book(), f"the progress in {path()} cannot be read: {error.strerror}"


def change(alter: Callable[[Book], object]) -> str:
    """Let `alter` change the progress and keep it; returns "" or a line on what was in the way."""
    file = path()
    said = ""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with _alone(file):
            try:
                book = _unkept.get(file) or _read(file)
            except _Damaged as error:
                book = Book()
                said = f"the progress was damaged ({error}); it is kept as {_aside(file)}"
            alter(book)
            _write(file, book)
            _unkept.pop(file, None)
    except OSError:
        with contextlib.suppress(_Damaged, OSError):
            _unkept.setdefault(file, _read(file))
        alter(_unkept.setdefault(file, Book()))
        return _only_here(file)
    return said


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


def _read(file: Path) -> Book:
    """Raises _Damaged, and OSError; nothing there is an empty book."""
    try:
        text = file.read_text("utf-8")
    except FileNotFoundError:
        return Book()
    except UnicodeDecodeError:
        raise _Damaged("it is not text") from None
    try:
        found = json.loads(text)
        if found["form"] != _FORM:
            raise _Damaged(f"it has the form {found['form']!r}, not {_FORM}")
        book = Book(
            {name: Done(**entry) for name, entry in found["exercises"].items()},
            {
                name: {id: Answered(**answer) for id, answer in answers.items()}
                for name, answers in found["quizzes"].items()
            },
        )
        # Types are not checked by a dataclass; what is used later is.
        for done in book.exercises.values():
            done.hints = {str(k): int(v) for k, v in done.hints.items()}
            done.passed, done.solution, done.checks = (
                done.passed + "",
                done.solution + "",
                +done.checks,
            )
        for answers in book.quizzes.values():
            for answer in answers.values():
                answer.tries = +answer.tries
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise _Damaged("it is not what the course has written") from None
    return book


def _write(file: Path, book: Book) -> None:
    """In one step: whoever reads meanwhile sees the old progress or the new."""
    text = json.dumps(as_data(book), indent=1, ensure_ascii=False, sort_keys=True)
    storage.write_atomic(file, f"{text}\n")


def _aside(file: Path) -> Path:
    """Move a damaged file to a name that nothing has yet."""
    number = 1
    while (place := file.with_name(f"{file.stem}.damaged-{number}{file.suffix}")).exists():
        number += 1
    return file.replace(place)


@contextlib.contextmanager
def _alone(file: Path) -> Iterator[None]:
    """Nobody else writes meanwhile. A file beside it is locked, for the file itself is replaced."""
    beside = file.with_name(f"{file.name}.lock")
    end = time.monotonic() + _PATIENCE
    try:
        while (lock := storage.lock(beside, wait=False)) is None:
            if time.monotonic() > end:
                raise BlockingIOError(errno.EAGAIN, "another notebook holds it")
            time.sleep(0.01)
    except CourseError:  # a file system without locks: then one on this computer's own disk
        with alone(file):
            yield
        return
    with lock:
        yield

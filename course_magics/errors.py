"""What can go wrong, said in a few lines a reader can act on.

Every fault that a cell can meet is a `CourseError`. It fails the cell and shows no traceback of
ours: IPython asks an exception for `_render_traceback_` and prints what that returns.
IPython's own `UsageError` is never raised: a cell that ends with it passes nbval and nbmake.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, ClassVar

from course_magics.text import clean

_RED, _DIM, _RESET = "\x1b[1;31m", "\x1b[2m", "\x1b[0m"


class CourseError(Exception):
    """A fault of the engine, the machine or the cell's own text.

    message: what was wrong, one line. command: the docker or vagrant line that failed.
    status: its exit status. detail: the engine's own words. hint: what to type or do next.
    result: what there is in spite of it, such as a build as far as it got; else None.
    """

    #: The class that a reader sees: a finer one is for the code that catches it.
    shown: ClassVar[str] = ""

    def __init__(
        self,
        message: str,
        *,
        command: str | None = None,
        status: int | None = None,
        detail: str | None = None,
        hint: str | None = None,
    ) -> None:
        message = " ".join(message.splitlines()) or type(self).__name__
        super().__init__(message)
        self.message = message
        self.command = command
        self.status = status
        self.detail = detail
        self.hint = hint
        self.result: Any = None

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword-only arguments do not survive Exception's own pickling.
        return (_rebuild, (type(self), self.message, self.__dict__))

    def lines(self) -> list[str]:
        """The message as plain lines: what, the engine's words, the command, what next."""
        lines = [self.message]
        if self.detail:
            lines += [f"  | {line}" for line in self.detail.strip("\n").splitlines()]
        if self.command:
            ended = f"  (exit status {self.status})" if self.status is not None else ""
            lines.append(f"  $ {self.command}{ended}")
        if self.hint:
            lines += [
                f"  {'→' if i == 0 else ' '} {h}" for i, h in enumerate(self.hint.split("\n"))
            ]
        # The engine's words can hold what a container chose: no escape sequence gets through.
        return [clean(line) for line in lines]

    def _render_traceback_(self) -> list[str]:
        first, *rest = self.lines()
        name = self.shown or type(self).__name__
        # "interrupted: the container was killed" says by itself what it is.
        first = first.removeprefix(f"{name.lower()}: ")
        return [f"{_RED}{name}{_RESET}: {first}", *rest]


def _rebuild(kind: type[CourseError], message: str, state: dict[str, object]) -> CourseError:
    error = kind(message)
    error.__dict__.update(state)
    return error


class OptionError(CourseError):
    """The cell's own words: an unknown word or flag, a missing or impossible value."""


class EngineError(CourseError):
    """The Docker engine: not found, not answering, or it refused what was asked."""


class NotFound(EngineError):
    """The engine has no such thing (its status 404)."""

    shown = "EngineError"


class Conflict(EngineError):
    """The engine has it in use, or under that name already (its status 409)."""

    shown = "EngineError"


class EngineGone(EngineError):
    """The engine was there and does not answer any more."""

    shown = "EngineError"


class DiskFull(CourseError):
    """A disk of this computer is full, or the user's share of it: no fault of the engine."""


class BuildError(CourseError):
    """A step of a Dockerfile failed."""


class ContainerError(CourseError):
    """A container's program ended with a status other than 0."""


class CheckError(CourseError):
    """What was looked at falls short of what was asked for: a Dockerfile, an image."""


class MachineError(CourseError):
    """Vagrant or one of its machines: not installed, refused, or a command in it failed."""


class RegistryError(CourseError):
    """The class's own registry: it runs already, does not run, or did not start."""


class LessonError(CourseError):
    """An exercise or a quiz: none of this name, or a file of it is at fault."""


class Interrupted(CourseError, KeyboardInterrupt):
    """The reader pressed ■. The message says what was stopped.

    Also a KeyboardInterrupt, so that `except KeyboardInterrupt` around a magic still works.
    """


def fault_of(error: BaseException) -> str:
    """An exception of Python's in a few words: what reading a faulty file has raised."""
    words = " ".join(str(error).split())
    return f"{type(error).__name__}: {words}" if words else type(error).__name__


def closest(word: str, allowed: Iterable[str]) -> str | None:
    """The allowed word most like `word`, or None when nothing is near."""
    words = list(allowed)
    begun = [w for w in words if len(word.strip("-")) > 1 and w.startswith(word)]
    if begun:
        return min(begun, key=len)
    near = get_close_matches(word, words, n=1, cutoff=0.6)
    return near[0] if near else None

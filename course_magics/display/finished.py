"""A program that has ended, in a container or in a machine: its output and its exit status."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from course_magics.display import Block, Command, Line, Shown
from course_magics.errors import CourseError
from course_magics.streams import Stream

#: What the usual statuses above 124 mean (docker run's documentation; signals are 128 + number).
_MEANING = {
    125: "it could not be run",
    126: "the program cannot be executed",
    127: "the program was not found",
    130: "interrupted",
    137: "killed from outside, or because it needed more memory than it may use",
    139: "it crashed: segmentation fault",
    143: "asked to end (SIGTERM)",
}


class Finished(Shown):
    """What a program left: exit_code, stdout and stderr as text, and as bytes.

    where: the container or machine it ran in. command: the line for a terminal.
    """

    def __init__(self, where: str, command: str, out: Stream, err: Stream) -> None:
        self.where = where
        self.command = command
        self.exit_code: int | None = None
        self._out, self._err = out, err

    @property
    def stdout(self) -> str:
        """What it wrote to standard output; broken UTF-8 as U+FFFD."""
        return self._out.text

    @property
    def stderr(self) -> str:
        """What it wrote to standard error."""
        return self._err.text

    @property
    def stdout_bytes(self) -> bytes:
        """Standard output as it came."""
        return self._out.data

    @property
    def stderr_bytes(self) -> bytes:
        """Standard error as it came."""
        return self._err.data

    @property
    def data(self) -> dict[str, Any]:
        """What it left, plain."""
        return {
            "where": self.where,
            "command": self.command,
            "exit_code": self.exit_code,
            "stdout": self.stdout,
            "stderr": self.stderr,
        }

    def blocks(self) -> Sequence[Block]:
        line = Command(self.command)
        return [line] if not self.exit_code else [Line(f"status {self.exit_code}", "bad"), line]


def ended_badly(result: Finished, who: str, kind: type[CourseError]) -> CourseError:
    """The error, of class `kind`, for a program (`who`) that ended with a status other than 0."""
    meaning = _MEANING.get(result.exit_code or 0)
    error = kind(
        f"{who} ended with status {result.exit_code}" + (f" ({meaning})" if meaning else ""),
        command=result.command,
        status=result.exit_code,
        hint="its output is above; --no-raise lets the cell pass",
    )
    error.result = result
    return error

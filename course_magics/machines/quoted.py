"""Values as words of the languages that we write files in: Ruby, and ssh's configuration."""

from __future__ import annotations

import glob
from pathlib import Path

from course_magics.errors import MachineError


def ruby(value: str | Path) -> str:
    """A string literal of Ruby's in which nothing is evaluated."""
    return "'" + str(value).replace("\\", "\\\\").replace("'", "\\'") + "'"


def ssh(path: Path, pattern: str = "", *, include: bool = False) -> str:
    """A path as one word of an ssh configuration.

    pattern: a file name below it, in which `*` counts. include: for `Include`, which takes all of
    it for a pattern, and no `%` for a token. Raises MachineError for a path that cannot be written.
    """
    text = str(path)
    if "${" in text or any(sign < " " for sign in text):
        raise MachineError(
            f"ssh cannot be told of files in the folder {text!r}",
            hint="COURSE_STATE names another one",
        )
    # In a pattern a backslash takes a sign's meaning away once more.
    pattern_of = glob.escape(text.replace("\\", "\\\\"))
    text = pattern_of if include else text.replace("%", "%%")
    text = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}/{pattern}"' if pattern else f'"{text}"'

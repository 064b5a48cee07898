"""Two things that IPython would do to a cell before a magic sees it, undone.

`%container run?` shows the word's help: IPython's own `?` looks for a Python object called `run`.
An empty `%%` cell reaches the magic: IPython raises UsageError for it, which nbval lets pass.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from course_magics.magics import MAGICS

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_ASKED = re.compile(rf"^\s*%%?({'|'.join(MAGICS)})\s*((?:[\w-]+\s*)*?)\s*\?{{1,2}}\s*$")


_CELL = re.compile(rf"%%({'|'.join(MAGICS)})\b")


def rewrite(lines: list[str]) -> list[str]:
    """The cell's lines: `%magic word?` as `%magic word --help`, an empty body as an empty line."""
    if lines and _CELL.match(lines[0]) and not any(line.strip() for line in lines[1:]):
        asked = _line(lines[0])
        return [asked] if asked != lines[0] else [lines[0].rstrip("\n") + "\n", "\n"]
    if lines and lines[0].startswith("%%"):
        return lines  # the body of a cell is not ours to read
    return [_line(line) if "?" in line else line for line in lines]


def _line(line: str) -> str:
    match = _ASKED.match(line)
    return f"%{match[1]} {match[2].strip()} --help\n".replace("  ", " ") if match else line


def register(shell: InteractiveShell) -> None:
    """Add the rewriting to the input transformers."""
    if rewrite not in shell.input_transformers_cleanup:
        shell.input_transformers_cleanup.append(rewrite)


def unregister(shell: InteractiveShell) -> None:
    """Take it away again."""
    if rewrite in shell.input_transformers_cleanup:
        shell.input_transformers_cleanup.remove(rewrite)

"""`%container run?` shows the word's help, as `%magic?` does for a magic.

IPython's own `?` looks for a Python object called `run`; this rewrites the line before it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from course_magics.magics import MAGICS

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_ASKED = re.compile(rf"^\s*%%?({'|'.join(MAGICS)})\s*((?:[\w-]+\s*)*?)\s*\?{{1,2}}\s*$")


def rewrite(lines: list[str]) -> list[str]:
    """The cell's lines, `%magic word?` turned into `%magic word --help`."""
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

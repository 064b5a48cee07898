"""Lines on a terminal: what comes from a notebook, a file or an engine cannot steer it."""

from __future__ import annotations

import re
import sys
from typing import TextIO

from course_magics.text import clean


def plain(text: object) -> str:
    """`text` without control characters but the ends of its lines."""
    return "\n".join(clean(line.removesuffix("\r")) for line in str(text).split("\n"))


def say(text: object = "", *, error: bool = False) -> None:
    """Print `text` as `plain` gives it, at once. error: to standard error."""
    out: TextIO = sys.stderr if error else sys.stdout
    print(plain(text), file=out, flush=True)


def show(text: str) -> None:
    """Print a piece of a program's output; how it ends and overwrites its lines stays."""
    pieces = re.split(r"([\r\n\t])", text)
    sys.stdout.write("".join(p if p in ("\r", "\n", "\t") else clean(p) for p in pieces))

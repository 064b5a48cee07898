"""Lines on a terminal: what comes from a notebook, a file or an engine cannot steer it."""

from __future__ import annotations

import sys
from typing import TextIO

from course_magics.display.blocks import clean


def say(text: object = "", *, error: bool = False) -> None:
    """Print `text`, at once; no control character in it but the ends of its lines gets through.

    error: to standard error.
    """
    out: TextIO = sys.stderr if error else sys.stdout
    lines = str(text).split("\n")
    print("\n".join(clean(line.removesuffix("\r")) for line in lines), file=out, flush=True)

"""Vagrant's text on its way to the reader, without the lines that come and go by chance."""

from __future__ import annotations

import re

from course_magics.streams import Sink

#: How often a machine that boots is asked in vain depends on the moment, a progress bar on the
#: network, and whether ssh's usual port is free on who else has machines.
_LEFT_OUT = re.compile(
    rb"Warning: .*Retrying\.\.\.\s*$|\bProgress: \d+%|Fixed port collision for 22 =>"
)


class Lines:
    """Passes whole lines on to another sink, without those that vary by chance. Close it after."""

    def __init__(self, to: Sink) -> None:
        self._to = to
        self._rest = b""

    def write(self, data: bytes) -> None:
        """Take the next piece."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        whole = b"".join(line + b"\n" for line in map(_last, lines) if not _LEFT_OUT.search(line))
        if whole:
            self._to.write(whole)

    def close(self) -> None:
        """Pass on what came without a line break at its end."""
        if self._rest and not _LEFT_OUT.search(self._rest):
            self._to.write(_last(self._rest))
        self._rest = b""


def _last(line: bytes) -> bytes:
    """A line as a terminal shows it in the end, after its carriage returns."""
    return line.rstrip(b"\r").rpartition(b"\r")[2]

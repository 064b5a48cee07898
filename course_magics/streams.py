"""Output as it comes: decoded piece by piece, shown at once, and bounded in memory."""

from __future__ import annotations

import codecs
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from course_magics.spill import Spill

#: How much of one cell's stream is shown before the middle is left out (bytes; DESIGN: 1 MB).
LIMIT = 1_000_000
#: How much of the end is kept once the middle is left out (bytes).
TAIL = 64_000
#: A front end is asked to repaint at most this often (seconds).
_REPAINT = 0.05


class Sink(Protocol):
    """Where a container's or machine's bytes go."""

    def write(self, data: bytes) -> None:
        """Take the next piece, whatever its length."""


class ByLine:
    """A sink for what reads whole lines: subclasses take each in `_line`. Close it after."""

    _pending = b""

    def write(self, data: bytes) -> None:
        """Take the next piece."""
        *lines, self._pending = (self._pending + data).split(b"\n")
        for line in lines:
            self._line(line)

    def close(self) -> None:
        """Take what came without a line break at its end."""
        if self._pending:
            self._line(self._pending)
        self._pending = b""

    def _line(self, line: bytes) -> None:
        """One line, without its line break."""
        raise NotImplementedError


class Stream:
    """One stream of a cell: shows text through `show`, remembers a bounded part of it.

    show: prints text (for instance `sys.stdout.write`). flush: asks for a repaint.
    limit, tail: bytes shown at most, and bytes of the end kept after that. Broken UTF-8 is shown
    as U+FFFD; `data` keeps the bytes as they came. Past the limit everything goes to `file`, as
    far as there is room (`spill`): the program's end is shown also where the disk is full.
    Call `close` when the program has ended: it shows the kept end and names the file.
    """

    def __init__(
        self,
        show: Callable[[str], object] | None = None,
        flush: Callable[[], object] | None = None,
        *,
        limit: int = LIMIT,
        tail: int = TAIL,
    ) -> None:
        self._show = show
        self._flush = flush
        self._limit = limit
        self._tail_size = tail
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._head = bytearray()
        self._tail = bytearray()
        self._spill: Spill | None = None
        self._painted = 0.0
        self.size = 0
        self.file: Path | None = None

    def write(self, data: bytes) -> None:
        """Show and keep the next piece."""
        if not data:
            return
        self.size += len(data)
        room = self._limit - len(self._head)
        shown, rest = data[: max(room, 0)], data[max(room, 0) :]
        if shown:
            self._head += shown
            self._paint(self._decoder.decode(shown))
        if rest:
            self._overflow(rest)

    def close(self) -> None:
        """Show what is still held back: half a character, or the end of a long output."""
        self._paint(self._decoder.decode(b"", final=True), now=True)
        if self._spill is not None:
            self._spill.close()
            left_out = self.size - len(self._head) - len(self._tail)
            self._paint(
                f"\n… {left_out} bytes left out; {self._spill.note} …\n"
                + bytes(self._tail).decode("utf-8", "replace"),
                now=True,
            )
            self._spill = None

    @property
    def data(self) -> bytes:
        """The bytes as they came: all of them up to the limit, then head and tail."""
        return bytes(self._head + self._tail)

    @property
    def text(self) -> str:
        """`data` as text, broken UTF-8 as U+FFFD."""
        return self.data.decode("utf-8", "replace")

    def _paint(self, text: str, *, now: bool = False) -> None:
        if self._show is None or not text:
            return
        self._show(text)
        # ipykernel's flush waits for its IO thread: one per burst keeps a chatty program quick
        # while a single line still appears at once.
        clock = time.monotonic()
        if self._flush is not None and (now or clock - self._painted >= _REPAINT):
            self._flush()
            self._painted = clock

    def _overflow(self, data: bytes) -> None:
        if self._spill is None:
            self._spill = Spill()
            self.file = self._spill.path
            self._spill.write(self._head)
        self._spill.write(data)
        self._tail += data
        del self._tail[: max(len(self._tail) - self._tail_size, 0)]

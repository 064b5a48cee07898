"""A tree of sizes: the largest branches, no more lines than asked for, the rest counted."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import escape

from course_magics.display.blocks import MONO
from course_magics.text import clean
from course_magics.units import show_bytes


@dataclass
class Branch:
    """A folder or a file. words: how it is shown; size: its bytes with all that is in it."""

    words: str
    size: int
    inner: Sequence[Branch] = ()


@dataclass(frozen=True)
class Tree:
    """`top` and the largest branches below it, at most `limit` lines: no tree is too large."""

    top: Branch
    limit: int = 20
    _open: dict[int, list[Branch]] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        """Open the largest folder, then the next, for as long as there is room."""
        room, count = self.limit, 0
        waiting = [(-self.top.size, count, self.top)]
        while waiting and room > 0:
            _, _, branch = heapq.heappop(waiting)
            shown = heapq.nsmallest(room, branch.inner, key=lambda b: (-b.size, b.words))
            self._open[id(branch)] = shown
            room -= len(shown)
            for inner in shown:
                if inner.inner:
                    count += 1
                    heapq.heappush(waiting, (-inner.size, count, inner))

    def _more(self, branch: Branch) -> str:
        """What is said of the branches that are left out."""
        rest = len(branch.inner) - len(self._open.get(id(branch), ()))
        return f"… and {rest} more" if rest and id(branch) in self._open else ""

    def text(self) -> str:
        return "\n".join(self._lines(self.top, 0))

    def _lines(self, branch: Branch, depth: int) -> Iterator[str]:
        yield f"{'  ' * depth}{show_bytes(branch.size):>9}  {clean(branch.words)}"
        for inner in self._open.get(id(branch), ()):
            yield from self._lines(inner, depth + 1)
        if more := self._more(branch):
            yield f"{'  ' * depth}{'':>13}{more}"

    def html(self) -> str:
        return f'<div style="{MONO}">{self._html(self.top)}</div>'

    def _html(self, branch: Branch) -> str:
        words = escape(f"{show_bytes(branch.size)}  {clean(branch.words)}")
        opened = self._open.get(id(branch))
        if not opened:
            return f'<div style="margin-left:1.5em">{words}</div>'
        inner = "".join(self._html(b) for b in opened)
        if more := self._more(branch):
            inner += f'<div style="margin-left:1.5em">{more}</div>'
        return f'<details style="margin-left:1em"><summary>{words}</summary>{inner}</details>'

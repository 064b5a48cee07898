"""What a magic returns: an object with attributes that also shows itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from course_magics.display.blocks import Block, Command, Grid


class Shown:
    """A result. Subclasses list their blocks; text, HTML and `print` follow from them."""

    def blocks(self) -> Sequence[Block]:
        """What to show, top to bottom."""
        raise NotImplementedError

    def __str__(self) -> str:
        return "\n".join(b.text() for b in self.blocks())

    def __repr__(self) -> str:
        # In a list or a tuple too, where an address would differ in every run.
        return str(self)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        blocks = self.blocks()
        return {
            "text/plain": "\n".join(b.text() for b in blocks),
            "text/html": "<div>" + "".join(b.html() for b in blocks) + "</div>",
        }


class Table(Shown):
    """A list of things as data and as a table.

    columns: heading → key of a row. rows: one dict a thing, with every known value (also those
    that no column shows). command: the docker or vagrant line. right: headings set on the right.
    """

    def __init__(
        self,
        columns: dict[str, str],
        rows: Sequence[dict[str, Any]],
        *,
        command: str = "",
        right: Sequence[str] = (),
        empty: str = "(none)",
    ) -> None:
        self.columns = columns
        self.rows = list(rows)
        self.command = command
        self._right = frozenset(right)
        self._empty = empty

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self.rows[index]

    def blocks(self) -> Sequence[Block]:
        keys = list(self.columns.values())
        cells = [[row.get(k, "") for k in keys] for row in self.rows]
        grid = Grid(list(self.columns), cells, self._right, self._empty)
        return [grid, Command(self.command)] if self.command else [grid]

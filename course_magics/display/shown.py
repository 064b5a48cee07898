"""What a magic returns: an object with attributes that also shows itself."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from course_magics.display.blocks import Block, Command, Grid
from course_magics.display.data import frame, plain

if TYPE_CHECKING:
    from pandas import DataFrame


class Shown:
    """A result. Subclasses list their blocks; text, HTML and `print` follow from them."""

    def blocks(self) -> Sequence[Block]:
        """What to show, top to bottom."""
        raise NotImplementedError

    @property
    def data(self) -> Any:
        """The result as plain values: its attributes by name, unless it says otherwise."""
        return {k: plain(v) for k, v in self.__dict__.items() if not k.startswith("_")}

    def to_json(self, indent: int | None = 2) -> str:
        """`data` as JSON text. indent: spaces a level; None: all on one line."""
        return json.dumps(plain(self.data), indent=indent, ensure_ascii=False)

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


class Listed(Shown):
    """A result that is a list of things. rows: one dict a thing, of plain values."""

    rows: list[dict[str, Any]]

    @property
    def data(self) -> Any:
        """The rows."""
        return self.rows

    def to_dataframe(self) -> DataFrame:
        """The rows as a pandas data frame. Raises CourseError where pandas is not installed."""
        return frame(self.rows)


class Table(Listed):
    """A list of things as data and as a table.

    columns: heading → key of a row. rows: one dict a thing, with every known value (also those
    that no column shows), all of them plain: numbers, text, lists. command: the docker or vagrant
    line. right: headings set on the right.
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

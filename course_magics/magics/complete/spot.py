"""Where in a cell the cursor is: on the line of one of our magics, or in the body of a cell."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from typing import NamedTuple

from course_magics.magics import MAGICS
from course_magics.magics.grammar import Magic


class Offer(NamedTuple):
    """One completion: the text that is put in, and a few words about what it means."""

    text: str
    what: str


class Found(NamedTuple):
    """The completions, best first. fragment: what they replace, the end of the text so far."""

    fragment: str
    offers: list[Offer]


#: What is just itself in a Dockerfile, in YAML and between Ruby's quotes.
_PLAIN = re.compile(r"[\w./~][\w@%+=,./~-]*\Z")


def plain(offers: Iterable[Offer]) -> list[Offer]:
    """Those for a cell's body, where a name with `$`, `#{` or a quote would be more than a name."""
    return [offer for offer in offers if _PLAIN.match(offer.text)]


_NAMES = "|".join(sorted(MAGICS, key=len, reverse=True))
_CELL = re.compile(rf"%%({_NAMES})(?=\s|$)")
#: As IPython reads it: `%name …`, or `anything = %name …`.
_LINE = re.compile(rf"\s*(?:[\w.,\s\[\]'\"]+=\s*)?%({_NAMES})(?=\s)")


@dataclass(frozen=True)
class Spot:
    """A place where our magics have something to say.

    magic: the grammar. called: the name that was typed. line: what follows the name, up to the
    cursor (for a body: the whole first line). body: the lines below the first one, as far as there
    is a cell; row: the cursor's among them, -1 on the magic's own line. column: in that row.
    """

    magic: Magic
    called: str
    line: str
    body: tuple[str, ...] = ()
    row: int = -1
    column: int = 0
    cell: bool = False

    @property
    def above(self) -> tuple[str, ...]:
        """The body's lines before the cursor's."""
        return self.body[: self.row]

    @property
    def typed(self) -> str:
        """The cursor's line of the body, up to the cursor."""
        return self.body[self.row][: self.column]


def spot(text: str, row: int, column: int) -> Spot | None:
    """The place of the cursor in a cell's `text`, or None where it is not ours."""
    lines = text.split("\n")
    first = next((i for i, line in enumerate(lines) if line.strip()), 0)
    if match := _CELL.match(lines[first]):
        magic = _magic(match[1])
        body = tuple(lines[first + 1 :])
        if row > first:
            words = lines[first][match.end() :]
            return Spot(magic, match[1], words, body, row - first - 1, column, cell=True)
        if row < first or column <= match.end():
            return None
        return Spot(magic, match[1], lines[first][match.end() : column], body, cell=True)
    typed = lines[row][:column]
    while row > 0 and lines[row - 1].endswith("\\"):
        row -= 1
        typed = f"{lines[row][:-1]} {typed}"
    if match := _LINE.match(typed):
        return Spot(_magic(match[1]), match[1], typed[match.end() :])
    return None


def position(text: str, offset: int) -> tuple[int, int]:
    """Row and column of the character at `offset`."""
    before = text[:offset].split("\n")
    return len(before) - 1, len(before[-1])


def _magic(name: str) -> Magic:
    magic: Magic = import_module(f"course_magics.magics.{MAGICS[name][0]}").MAGIC
    return magic

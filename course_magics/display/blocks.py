"""The few shapes every result is made of. Each block renders itself as text and as HTML.

A result lists blocks and renders nothing itself, so its text and its HTML cannot differ, and
escaping happens in this file alone.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal, Protocol

from course_magics.text import clean

Tone = Literal["plain", "good", "bad", "warn", "dim"]

# Jupyter's theme colours where there are any, so that a dark theme stays readable.
TONES: dict[Tone, str] = {
    "plain": "",
    "good": "color:var(--jp-success-color1,#1b7f3b)",
    "bad": "color:var(--jp-error-color1,#b3261e)",
    "warn": "color:var(--jp-warn-color1,#9a5b00)",
    "dim": "color:var(--jp-content-font-color2,#666)",
}
_OPENS = re.compile(r"https?://|/(?![/\\])", re.IGNORECASE)
MONO = "font-family:var(--jp-code-font-family,monospace);font-size:var(--jp-code-font-size,13px)"


class Block(Protocol):
    """One piece of a result."""

    def text(self) -> str:
        """The block as plain text, without a final newline."""

    def html(self) -> str:
        """The block as HTML, everything from outside escaped."""


def _shown(value: object, before: str = "") -> str:
    """`value` in HTML, behind `before`, which is ours.

    Two dollar signs in one text would mark a formula for Jupyter, wherever it shows HTML.
    """
    text = escape(before + clean(value))
    return text if text.count("$") < 2 else text.replace("$", "<span>$</span>")


def width(text: str) -> int:
    """How many terminal cells `text` takes (a CJK character takes two, an accent none)."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def _pad(text: str, size: int, right: bool) -> str:
    gap = " " * max(size - width(text), 0)
    return gap + text if right else text + gap


@dataclass(frozen=True)
class Line:
    """A sentence, with a tone."""

    words: str
    tone: Tone = "plain"

    def text(self) -> str:
        return clean(self.words)

    def html(self) -> str:
        return f'<div style="{TONES[self.tone]}">{_shown(self.words)}</div>'


@dataclass(frozen=True)
class Command:
    """The docker or vagrant line that does the same in a terminal."""

    line: str

    def text(self) -> str:
        return f"$ {clean(self.line)}"

    def html(self) -> str:
        return f'<div style="{MONO};{TONES["dim"]}">{_shown(self.line, "$ ")}</div>'


@dataclass(frozen=True)
class Link:
    """Where something can be opened in the browser. url: http(s), or a path of this server.

    Anything else, javascript: or a path of another server (//…), is shown and leads nowhere.
    note: what to know before one opens it.
    """

    words: str
    url: str
    note: str = ""

    def text(self) -> str:
        return f"{clean(self.words)} {clean(self._address)}"

    def html(self) -> str:
        url = clean(self.url)
        shown = _shown(self._address)
        if _OPENS.match(url):
            shown = f'<a href="{escape(url)}" target="_blank">{shown}</a>'
        return f"<div>{_shown(self.words)} {shown}</div>"

    @property
    def _address(self) -> str:
        return f"{self.url} ({self.note})" if self.note else self.url


@dataclass(frozen=True)
class Pre:
    """Lines kept as they are: a log, a file, JSON."""

    content: str
    tone: Tone = "plain"

    def text(self) -> str:
        return "\n".join(clean(line) for line in self.content.rstrip("\n").split("\n"))

    def html(self) -> str:
        tone = f";{TONES[self.tone]}" if self.tone != "plain" else ""
        return f'<pre style="{MONO};margin:0{tone}">{escape(self.text())}</pre>'


@dataclass(frozen=True)
class Grid:
    """Columns and rows. `right` names the columns whose values stand on the right (numbers)."""

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    right: frozenset[str] = frozenset()
    empty: str = "(none)"

    def text(self) -> str:
        if not self.rows:
            return self.empty
        cells = [[clean(c) for c in row] for row in self.rows]
        heads = [clean(c) for c in self.columns]
        sizes = [max(width(r[i]) for r in [heads, *cells]) for i in range(len(heads))]
        sides = [c in self.right for c in self.columns]
        lines = [
            "  ".join(_pad(c, s, r) for c, s, r in zip(row, sizes, sides, strict=True)).rstrip()
            for row in [heads, *cells]
        ]
        return "\n".join(lines)

    def html(self) -> str:
        if not self.rows:
            return Line(self.empty, "dim").html()

        def cell(tag: str, value: object, column: str) -> str:
            side = "right" if column in self.right else "left"
            return f'<{tag} style="text-align:{side}">{_shown(value)}</{tag}>'

        head = "".join(cell("th", c, c) for c in self.columns)
        body = "".join(
            "<tr>"
            + "".join(cell("td", v, c) for v, c in zip(r, self.columns, strict=True))
            + "</tr>"
            for r in self.rows
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


@dataclass(frozen=True)
class Facts:
    """Names and values, one pair a line."""

    pairs: Sequence[tuple[str, object]]

    def text(self) -> str:
        size = max((width(clean(n)) for n, _ in self.pairs), default=0)
        return "\n".join(f"{_pad(clean(n), size, False)}  {clean(v)}" for n, v in self.pairs)

    def html(self) -> str:
        rows = "".join(
            f'<tr><th style="text-align:left">{_shown(n)}</th>'
            f'<td style="text-align:left">{_shown(v)}</td></tr>'
            for n, v in self.pairs
        )
        return f"<table><tbody>{rows}</tbody></table>"

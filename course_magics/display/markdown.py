"""A block of Markdown: as text it stays as it was written, as HTML it is set.

Only what lessons use: headings, paragraphs, lists, quotes, fenced code, `code`, **bold**, *italic*,
links. HTML in the text is not passed on: it is shown as it stands.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

from course_magics.display.blocks import MONO, TONES, Line, Pre
from course_magics.text import clean

_FENCE = re.compile(r"^(`{3,})\s*([\w-]*)\s*$")
_HEADING = re.compile(r"^(#{1,6})\s+(.*)$")
_ITEM = re.compile(r"^([-*]|\d+[.)])\s+(.*)$")
_CODE = re.compile(r"(`[^`]+`)")
_LINK = re.compile(r"\[([^\]]+)\]\((https?://[^\s)\"]+)\)")
_BOLD = re.compile(r"\*\*(\S(?:[^*]*\S)?)\*\*")
_ITALIC = re.compile(r"(?<![*\w])\*(\S(?:[^*]*\S)?)\*(?![*\w])")
_DOLLAR = "<span>$</span>"


@dataclass(frozen=True)
class Markdown:
    """A piece of Markdown. source: as written. level: what its `#` becomes (3 is h3)."""

    source: str
    level: int = 3

    def text(self) -> str:
        lines = []
        for line in self.source.strip("\n").split("\n"):
            fence = _FENCE.match(line)
            # A fence's own word (cell, state) means something to the package, not to a reader.
            lines.append(fence[1] if fence else clean(line).rstrip())
        return "\n".join(lines)

    def html(self) -> str:
        return "".join(self._html(self.source.strip("\n").split("\n")))

    def _html(self, lines: list[str]) -> Iterator[str]:
        queue = list(lines)
        while queue:
            line = queue.pop(0)
            if fence := _FENCE.match(line):
                yield _code(queue, fence[1])
            elif heading := _HEADING.match(line):
                tag = f"h{min(len(heading[1]) + self.level - 1, 6)}"
                yield f"<{tag}>{inline(heading[2])}</{tag}>"
            elif _ITEM.match(line):
                yield _list([line, *_take(queue, _in_list)])
            elif line.startswith(">"):
                inner = [line, *_take(queue, lambda n: n.startswith(">"))]
                body = "".join(self._html([n.lstrip(">").removeprefix(" ") for n in inner]))
                yield f"<blockquote>{body}</blockquote>"
            elif line.strip():
                yield f"<p>{inline(' '.join([line, *_take(queue, _goes_on)]))}</p>"


@dataclass(frozen=True)
class Sentence(Line):
    """A sentence in which `code`, **bold** and *italic* are set in HTML."""

    def html(self) -> str:
        return f'<div style="{TONES[self.tone]}">{inline(self.words)}</div>'


@dataclass(frozen=True)
class Numbered:
    """Short texts with their numbers, from 1."""

    texts: Sequence[str]

    def text(self) -> str:
        return "\n".join(f"  {n} {clean(text)}" for n, text in enumerate(self.texts, 1))

    def html(self) -> str:
        return f"<ol>{''.join(f'<li>{inline(text)}</li>' for text in self.texts)}</ol>"


def inline(text: str) -> str:
    """One paragraph's text as HTML."""
    parts = []
    for part in _CODE.split(clean(text)):
        if len(part) > 2 and part[0] == part[-1] == "`":
            parts.append(f"<code>{escape(part[1:-1])}</code>")
            continue
        # Two dollar signs would mark a formula for Jupyter.
        set_ = escape(part) if part.count("$") < 2 else escape(part).replace("$", _DOLLAR)
        set_ = _LINK.sub(r'<a href="\2" target="_blank" rel="noopener">\1</a>', set_)
        set_ = _BOLD.sub(r"<strong>\1</strong>", set_)
        parts.append(_ITALIC.sub(r"<em>\1</em>", set_))
    return "".join(parts)


def _take(queue: list[str], belongs: Callable[[str], object]) -> list[str]:
    """The lines at the beginning of `queue` that belong to what came before; they are removed."""
    taken = []
    while queue and belongs(queue[0]):
        taken.append(queue.pop(0))
    return taken


def _goes_on(line: str) -> bool:
    return bool(line.strip()) and not (
        _FENCE.match(line) or _HEADING.match(line) or _ITEM.match(line) or line.startswith(">")
    )


def _in_list(line: str) -> bool:
    return bool(_ITEM.match(line)) or (line.startswith("  ") and bool(line.strip()))


def _list(lines: list[str]) -> str:
    items: list[str] = []
    for line in lines:
        found = _ITEM.match(line)
        if found:
            items.append(found[2])
        else:
            items[-1] += f" {line.strip()}"
    tag = "ol" if lines[0][0].isdigit() else "ul"
    return f"<{tag}>{''.join(f'<li>{inline(i)}</li>' for i in items)}</{tag}>"


def _code(queue: list[str], fence: str) -> str:
    lines = _take(queue, lambda line: line.rstrip() != fence)
    del queue[:1]
    text = Pre("\n".join(lines)).text()
    style = f"{MONO};margin:0 0 1em;padding:6px 10px;background:var(--jp-layout-color2,#f5f5f5)"
    return f'<pre style="{style}">{escape(text)}</pre>'

"""Words of a shell: as they were typed, as a terminal needs them, and what counts as a flag."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Container, Iterable
from typing import NamedTuple, Self

#: What a shell takes as it is, and the names of notebook values: `{name}`, `$name`.
_SAFE_NAMES = re.compile(r"(?:[\w@%+=:,./-]|\{[\w.]+\}|\$[A-Za-z_]\w*)+\Z")
#: The expansions that a shown line keeps for the shell: they name a folder and run nothing.
_FOLDERS = re.compile(r"\$\(pwd\)|\$(?:PWD|HOME)\b", re.ASCII)
#: …where `-v` and the like read them too: `$PWD:/w`, `-v$PWD:/w`, `type=bind,source=$PWD`.
_PATH = re.compile(rf"(?:-\w|[\w,./=-]*=)?(?:{_FOLDERS.pattern})", re.ASCII)
#: A value that is shorter is no secret, and would be found in half of what an engine says.
_SHORTEST = 4


class Value(NamedTuple):
    """A value of the notebook in a word. name: as typed, `{pw}` or `$pw`. text: in its place."""

    name: str
    text: str


class Token(str):
    """A word of a cell's line in which values of the notebook were put in.

    As a str it holds the values; a copy of it is a plain str. pieces: the values and what was typed
    around them. items: the list that it is a word of, where a list became several words.
    """

    pieces: tuple[str | Value, ...]
    items: object

    def __new__(cls, pieces: Iterable[str | Value], items: object = None) -> Self:
        pieces = tuple(pieces)
        self = super().__new__(cls, "".join(_text(piece) for piece in pieces))
        self.pieces, self.items = pieces, items
        return self

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return str, (str(self),)

    @property
    def typed(self) -> str:
        """The word with the names of the values."""
        return "".join(p.name if isinstance(p, Value) else p for p in self.pieces)

    @property
    def values(self) -> list[Value]:
        """The values in it."""
        return [piece for piece in self.pieces if isinstance(piece, Value)]

    @property
    def begins(self) -> bool:
        """Whether it begins with a value: then it is never a flag. A list may hold flags."""
        return self.items is None and isinstance(self.pieces[0], Value)


def _text(piece: str | Value) -> str:
    return piece.text if isinstance(piece, Value) else piece


def tail(word: str, at: int) -> str:
    """`word[at:]`, which still knows how it was typed."""
    if not isinstance(word, Token):
        return word[at:]
    rest: list[str | Value] = []
    for piece in word.pieces:
        text = _text(piece)
        if at < len(text) or not at:
            cut = text[at:]
            rest.append(Value(piece.name, cut) if isinstance(piece, Value) else cut)
        at = max(0, at - len(text))
    if any(isinstance(piece, Value) for piece in rest):
        return Token(rest, word.items)
    return "".join(map(_text, rest))


def as_typed(word: str) -> str:
    """`word` with the names of the notebook's values in place of the values."""
    return word.typed if isinstance(word, Token) else word


def is_flag(word: str) -> bool:
    """Whether it may be a flag: it begins with "-", and that was typed and is no value."""
    return word.startswith("-") and not (isinstance(word, Token) and word.begins)


def quoted(word: str) -> str:
    """`word` as a terminal needs it. A value of the notebook is shown by its name, never itself.

    `$PWD`, `$HOME` and `$(pwd)` stay readable by the shell where a path begins with them and
    nothing else in the word is.
    """
    if isinstance(word, Token):
        return word.typed if _SAFE_NAMES.match(word.typed) else shlex.quote(word.typed)
    if _PATH.match(word) and not re.search(r"[$\"`\\!]", _FOLDERS.sub("", word)):
        return f'"{word}"'
    return shlex.quote(word)


def joined(words: Iterable[str]) -> str:
    """The words as one line for a terminal; those of a list as the list's name, once."""
    shown: list[str] = []
    seen: object = None
    for word in words:
        items = word.items if isinstance(word, Token) else None
        if items is None or items is not seen:
            shown.append(quoted(word))
        seen = items
    return " ".join(shown)


def said(text: str, words: Iterable[str], keep: Container[str] = ()) -> str:
    """`text`, which an engine or a program said of `words`, with names in place of their values.

    keep: values that stay, since the text is about them: an image that is not there.
    """
    values = [value for word in words if isinstance(word, Token) for value in word.values]
    for name, value in sorted(values, key=lambda v: -len(v.text)):
        if len(value) < _SHORTEST or value in keep:
            continue
        for form in {value, json.dumps(value)[1:-1]}:  # engines quote as Go does
            before = r"(?<!\w)" if form[0].isalnum() else ""
            after = r"(?!\w)" if form[-1].isalnum() else ""
            text = name.join(re.split(before + re.escape(form) + after, text))
    return text

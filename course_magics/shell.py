"""Words of a shell: as they were typed, as a terminal needs them, and what counts as a flag."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Container, Iterable
from itertools import takewhile
from typing import NamedTuple, Self
from urllib.parse import quote, quote_plus

#: What a shell takes as it is, and the names of notebook values: `{name}`, `$name`.
_SAFE_NAMES = re.compile(r"(?:[\w@%+=:,./-]|\{[\w.]+\}|\$[A-Za-z_]\w*)+\Z")
#: The expansions that a shown line keeps for the shell: they name a folder and run nothing.
_FOLDERS = re.compile(r"\$\(pwd\)|\$(?:PWD|HOME)\b", re.ASCII)
#: …where `-v` and the like read them too: `$PWD:/w`, `-v$PWD:/w`, `type=bind,source=$PWD`.
_PATH = re.compile(rf"(?:-\w|[\w,./=-]*=)?(?:{_FOLDERS.pattern})", re.ASCII)
#: A value that is shorter is no secret, and would be found in half of what an engine says.
_SHORTEST = 4
#: One that is as long is hidden inside other words, too: a shorter one ("test") is in many.
_LONG = 6
#: A value of these is no secret, and half of all messages name them.
_PLAIN = frozenset({"true", "false", "none", "null"})
#: Where a program may take a value apart, and speak of one part.
_APART = re.compile(r"[\r\n:=,;&?#@]|//")


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


def part(word: str, start: int, end: int | None = None) -> str:
    """`word[start:end]`, which still knows how it was typed."""
    if not isinstance(word, Token):
        return word[start:end]
    end = len(word) if end is None else end
    kept: list[str | Value] = []
    for piece in word.pieces:
        text = _text(piece)
        if (start < len(text) or not start) and end > 0:
            cut = text[start:end]
            kept.append(Value(piece.name, cut) if isinstance(piece, Value) else cut)
        start, end = max(0, start - len(text)), max(0, end - len(text))
    if any(isinstance(piece, Value) for piece in kept):
        return Token(kept, word.items)
    return "".join(map(_text, kept))


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

    In any form: inside other words, quoted, in capitals, a part of it, cut off. keep: values that
    stay, since the text is about them: an image that is not there.
    """
    tokens = [word for word in words if isinstance(word, Token)]
    typed = "\n".join(tokens).lower()
    values = [value for token in tokens for value in token.values]
    secret = {
        value.text: value.name
        for value in reversed(values)  # of two names the first one is shown
        if len(value.text.strip()) >= _SHORTEST
        and value.text not in keep
        and value.text.lower() not in _PLAIN
    }
    # Marks first, names last: a name may hold what is another value.
    marks = {name: chr(0x10F000 + n) for n, name in enumerate(dict.fromkeys(secret.values()))}
    forms = {form: marks[name] for whole, name in secret.items() for form in _forms(whole)}
    for form in sorted(forms, key=len, reverse=True):
        text = _hidden(text, form, forms[form], "" if len(form) >= _LONG else typed)
    for whole, name in secret.items():
        for piece in filter(lambda p: len(p) >= _LONG and p not in keep, _APART.split(whole)):
            text = _hidden(text, piece.strip(), marks[name], typed)
        text = _hidden_head(text, whole.strip(), marks[name])
    for name, mark in marks.items():
        text = text.replace(mark, name)
    return text


def _forms(value: str) -> set[str]:
    """What a value may look like in a message: as Go, Python, a shell or an address writes it."""
    found = set()
    for plain in (value, value.strip(), " ".join(value.splitlines())):
        go = json.dumps(plain, ensure_ascii=False)[1:-1]
        found |= {plain, go, json.dumps(plain)[1:-1], json.dumps(go)[1:-1], repr(plain)[1:-1]}
        found |= {shlex.quote(plain).strip("'"), quote(plain), quote(plain, ""), quote_plus(plain)}
    return found


def _hidden(text: str, form: str, mark: str, typed: str) -> str:
    """`text` with `mark` in the place of `form`, in small letters or capitals.

    typed: where it is inside a longer word, only if this was typed so; "" for everywhere.
    """

    def put(found: re.Match[str]) -> str:
        before = "".join(takewhile(str.isalnum, reversed(text[: found.start()])))[::-1]
        after = "".join(takewhile(str.isalnum, text[found.end() :]))
        whole = before + found[0] + after
        return mark if whole == found[0] or whole.lower() in typed else found[0]

    if form.lower() not in text.lower():  # most are not, and may be long
        return text
    return re.sub(re.escape(form), put if typed else mark, text, flags=re.IGNORECASE)


def _hidden_head(text: str, value: str, mark: str) -> str:
    """`text` with `mark` in the place of the value's beginning where dots stand for the rest."""
    for dots in reversed(list(re.finditer(r"…|\.{3}", text))):
        end = dots.start()
        for begin in re.finditer(re.escape(value[:_SHORTEST]), text[:end], re.IGNORECASE):
            if value.lower().startswith(text[begin.start() : end].lower()):
                text = text[: begin.start()] + mark + text[end:]
                break
    return text

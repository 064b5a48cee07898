"""Words of a shell: as they were typed, as a terminal needs them, and what counts as a flag."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from typing import Self

#: What a shell takes as it is, and the names of notebook values: `{name}`, `$name`.
_SAFE_NAMES = re.compile(r"(?:[\w@%+=:,./-]|\{[\w.]+\}|\$[A-Za-z_]\w*)+\Z")
#: The expansions that a shown line keeps for the shell: they name a folder and run nothing.
_FOLDERS = re.compile(r"\$\(pwd\)|\$(?:PWD|HOME)\b")


class Token(str):
    """A word of a cell's line in which values of the notebook were put in.

    As a str it holds the values. typed: the same with their names, as it was typed; "" for all but
    the first word that a list became. values: name as typed → text that took its place. begins:
    whether it begins with a value: such a word is never a flag.
    """

    typed: str
    values: dict[str, str]
    begins: bool

    def __new__(cls, text: str, typed: str, values: dict[str, str], *, begins: bool) -> Self:
        self = super().__new__(cls, text)
        self.typed, self.values, self.begins = typed, values, begins
        return self


def is_flag(word: str) -> bool:
    """Whether it may be a flag: it begins with "-", and that was typed and is no value."""
    return word.startswith("-") and not (isinstance(word, Token) and word.begins)


def quoted(word: str) -> str:
    """`word` as a terminal needs it. A value of the notebook is shown by its name, never itself.

    `$PWD`, `$HOME` and `$(pwd)` stay readable by the shell where nothing else in the word is.
    """
    if isinstance(word, Token):
        return word.typed if _SAFE_NAMES.match(word.typed) else shlex.quote(word.typed)
    rest = _FOLDERS.sub("", word)
    if rest != word and not re.search(r"[$\"`\\!]", rest):
        return f'"{word}"'
    return shlex.quote(word)


def joined(words: Iterable[str]) -> str:
    """The words as one line for a terminal."""
    return " ".join(quoted(w) for w in words if not (isinstance(w, Token) and not w.typed))


def said(text: str, words: Iterable[str]) -> str:
    """`text` with the names of values in place of what `words` assign (`KEY={value}`).

    For what an engine or a program says of them.
    """
    for word in words:
        if isinstance(word, Token):
            for name, value in word.values.items():
                if "=" in word.typed.partition(name)[0] and value:
                    text = text.replace(value, name)
    return text

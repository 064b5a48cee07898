"""From a cell's line to words: quotes and comments as in a shell, Python values as in IPython."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from course_magics.errors import OptionError

_NAME = re.compile(r"\$\$|\$(?P<dollar>[A-Za-z_][A-Za-z_0-9]*)|\$\{")


def split(line: str, values: Mapping[str, Any] | None = None) -> list[str]:
    """The words of `line`.

    values: the notebook's variables; `{expression}` and `$name` become their value. A value is one
    word however it is spelled; a list or tuple that stands alone becomes several. `{{…}}` (Docker's
    templates), `$name` without such a variable and braces that are no expression stay as they are.
    Raises OptionError for a quote that is never closed.
    """
    return _Splitter(line, values).words()


def unfinished(line: str) -> tuple[list[str], str] | None:
    """The words of `line` before its last one, and the last one as it is typed so far, with quotes.

    The last one is empty after a space. Nothing is expanded. None in a comment.
    """
    splitter = _Splitter(line, None)
    found: list[str] = []
    while True:
        while splitter.at < len(line) and line[splitter.at].isspace():
            splitter.at += 1
        start = splitter.at
        if line[start : start + 1] == "#":
            return None
        try:
            word = splitter._word() if start < len(line) else []
        except OptionError:  # its quote is still open
            return found, line[start:]
        if splitter.at >= len(line):
            return found, line[start:]
        found += word


def open_quote(word: str) -> str:
    """The quote that is still open at the end of `word`, or ""."""
    quote = ""
    escaped = False
    for char in word:
        if escaped:
            escaped = False
        elif char == "\\" and quote != "'":
            escaped = True
        elif quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
    return quote


class _Splitter:
    def __init__(self, line: str, values: Mapping[str, Any] | None) -> None:
        self.line = line
        self.values = values
        self.at = 0

    def words(self) -> list[str]:
        found: list[str] = []
        while True:
            while self.at < len(self.line) and self.line[self.at].isspace():
                self.at += 1
            if self.at >= len(self.line) or self.line[self.at] == "#":
                return found
            found += self._word()

    def _word(self) -> list[str]:
        pieces: list[Any] = []
        quoted = False
        while self.at < len(self.line) and not self.line[self.at].isspace():
            char = self.line[self.at]
            if char in "'\"":
                quoted = True
                pieces += self._quoted(char)
            elif char == "\\":
                if self.at + 1 >= len(self.line):
                    raise OptionError(
                        "the line ends in a lone backslash", hint="remove it, or write it twice"
                    )
                pieces.append(self.line[self.at + 1])
                self.at += 2
            else:
                pieces += self._value_or_char()
        if len(pieces) == 1 and not quoted and isinstance(pieces[0], list | tuple):
            return [str(item) for item in pieces[0]]
        return ["".join(str(p) for p in pieces)]

    def _quoted(self, quote: str) -> list[Any]:
        start = self.at
        self.at += 1
        pieces: list[Any] = []
        while self.at < len(self.line):
            char = self.line[self.at]
            if char == quote:
                self.at += 1
                return pieces
            if (
                char == "\\"
                and quote == '"'
                and self.line[self.at + 1 : self.at + 2] in ('"', "\\")
            ):
                pieces.append(self.line[self.at + 1])
                self.at += 2
            else:
                pieces += self._value_or_char()
        raise OptionError(
            f"a quote is never closed: {self.line[start:]}",
            hint=f"close it with {quote}, or write \\{quote} for the character itself",
        )

    def _value_or_char(self) -> list[Any]:
        """The next character, or the value of the expression that begins here."""
        if self.values is not None and self.line[self.at] == "$":
            match = _NAME.match(self.line, self.at)
            if match and match["dollar"] in self.values:
                self.at = match.end()
                return [self.values[match["dollar"]]]
            # `${x}` is the shell's own and `$$` its process id: neither is ours to read.
            length = match.end() - match.start() if match else 1
            return self._literal(length)
        if self.values is not None and self.line[self.at] == "{":
            return self._braces()
        return self._literal(1)

    def _literal(self, length: int) -> list[Any]:
        text = self.line[self.at : self.at + length]
        self.at += length
        return [text]

    def _braces(self) -> list[Any]:
        if self.line.startswith("{{", self.at):
            end = self.line.find("}}", self.at)
            if end >= 0:
                return self._literal(end + 2 - self.at)
            return self._literal(2)
        end = self.line.find("}", self.at)
        expression = self.line[self.at + 1 : end] if end > 0 else ""
        # A quick look first: `{"a": 1}` and `{a,b}` are text for the container, not ours.
        if not re.match(r"\s*[A-Za-z_]", expression):
            return self._literal(1)
        try:
            value = eval(expression, {}, _Names(self.values or {}))
        except Exception:
            return self._literal(1)
        self.at = end + 1
        return [value]


class _Names(dict[str, Any]):
    """The notebook's names for `eval`, which insists on a real dict for globals only."""

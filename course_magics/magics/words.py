"""From a cell's line to words: quotes and comments as in a shell, Python values as in IPython."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from course_magics.errors import OptionError
from course_magics.shell import Token, Value

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

#: What this splitter would read as more than a character of a word.
_SPECIAL = re.compile(r"([\s\\'\"{$])|^([#~-])")
_NAME = re.compile(r"\$\$|\$(?P<dollar>[A-Za-z_][A-Za-z_0-9]*)|\$\{")


def split(line: str, values: Mapping[str, Any] | None = None) -> list[str]:
    """The words of `line`.

    values: the notebook's variables; `{expression}` and `$name` become their value. A value is one
    word however it is spelled; a list or tuple that stands alone becomes several. `{{…}}` (Docker's
    templates), `$name` without such a variable and braces that are no expression of such variables
    stay as they are. A word that holds a value is a `Token`, which knows how it was typed.
    Raises OptionError for a quote that is never closed.
    """
    return _Splitter(line, values).words()


def quote_word(word: str) -> str:
    """`word` as `split` reads it back, whatever the notebook holds: the inverse of `split`."""
    return _SPECIAL.sub(r"\\\g<0>", word) if word else "''"


def own_names(shell: InteractiveShell) -> dict[str, Any]:
    """The variables of the notebook: not those that every IPython has (`exit`, `open`, `In`)."""
    hidden = shell.user_ns_hidden
    nothing = object()
    return {n: v for n, v in shell.user_ns.items() if hidden.get(n, nothing) is not v}


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
        pieces: list[str | _Found] = []
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
        first = pieces[0] if pieces else ""
        if isinstance(first, _Found) and len(pieces) == 1 and not quoted:
            items = first.value
            if isinstance(items, list | tuple):
                return [Token([Value(first.name, str(item))], first) for item in items]
        if not any(isinstance(piece, _Found) for piece in pieces):
            return ["".join(map(str, pieces))]
        return [Token(Value(p.name, str(p.value)) if isinstance(p, _Found) else p for p in pieces)]

    def _quoted(self, quote: str) -> list[str | _Found]:
        start = self.at
        self.at += 1
        pieces: list[str | _Found] = []
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

    def _value_or_char(self) -> list[str | _Found]:
        """The next character, or the value of the expression that begins here."""
        if self.values is not None and self.line[self.at] == "$":
            match = _NAME.match(self.line, self.at)
            if match and match["dollar"] in self.values:
                self.at = match.end()
                return [_Found(match[0], self.values[match["dollar"]])]
            # `${x}` is the shell's own and `$$` its process id: neither is ours to read.
            length = match.end() - match.start() if match else 1
            return self._literal(length)
        if self.values is not None and self.line[self.at] == "{":
            return self._braces()
        return self._literal(1)

    def _literal(self, length: int) -> list[str | _Found]:
        text = self.line[self.at : self.at + length]
        self.at += length
        return [text]

    def _braces(self) -> list[str | _Found]:
        if self.line.startswith("{{", self.at):
            end = self.line.find("}}", self.at)
            if end >= 0:
                return self._literal(end + 2 - self.at)
            return self._literal(2)
        end = self.line.find("}", self.at)
        expression = self.line[self.at + 1 : end] if end > 0 else ""
        # A quick look first: `{"a": 1}` and `{a,b}` are text for the container, not ours.
        if not re.match(r"\s*[A-Za-z_]", expression) or not self._is_ours(expression):
            return self._literal(1)
        try:
            value = eval(expression, {}, _Names(self.values or {}))
        except Exception:
            return self._literal(1)
        self.at = end + 1
        return [_Found(f"{{{expression}}}", value)]

    def _is_ours(self, expression: str) -> bool:
        """Whether it speaks of the notebook's variables: `{print}` is text for awk, not ours."""
        try:
            tree = ast.parse(expression.strip(), mode="eval")
        except (SyntaxError, ValueError):
            return False
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        ours = {name for name in names if name in (self.values or {})}
        made = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and _is_stored(n)}
        return bool(ours) and all(n in made or hasattr(builtins, n) for n in names - ours)


def _is_stored(name: ast.Name) -> bool:
    """Whether the expression itself gives the name its value, as a comprehension does."""
    return isinstance(name.ctx, ast.Store)


class _Found(NamedTuple):
    """A value of the notebook in a word: its name as it was typed, and what it is."""

    name: str
    value: Any


class _Names(dict[str, Any]):
    """The notebook's names for `eval`, which insists on a real dict for globals only."""

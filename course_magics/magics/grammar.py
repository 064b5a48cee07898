"""The words and flags of the magics, and a parser that reads them as docker's own CLI does.

A `Flag` and a `Word` are data: the parser, the help text, and later the completion and the
reference tables all read the same declaration. The rules are those of pflag, which docker uses
(https://pkg.go.dev/github.com/spf13/pflag): `--name value`, `--name=value`, `-n value`, `-nvalue`,
`-it`, `--switch=false`, `--` ends the flags, and after `run IMAGE` nothing is a flag any more.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from course_magics.errors import OptionError, closest
from course_magics.shell import Token, as_typed, is_flag, joined, part
from course_magics.units import read_bytes, read_seconds

Kind = Literal["switch", "text", "list", "integer", "number", "bytes", "seconds"]

_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})


@dataclass(frozen=True)
class Flag:
    """One flag: `names` as typed ("-p --publish"), what its value is, and what it does.

    kind: switch (no value), text, list (may be given many times), integer, number,
    bytes ("512m" → int bytes), seconds ("1m30s" or "90" → float seconds).
    value: the placeholder in the help. values: the only values allowed.
    offers: what completes the value ("image", "container", …).
    """

    names: str
    help: str
    kind: Kind = "switch"
    value: str = ""
    default: Any = None
    values: tuple[str, ...] = ()
    offers: str = ""

    @property
    def long(self) -> str:
        """The name that messages use: the long one where there is one."""
        return self.names.split()[-1]

    @property
    def key(self) -> str:
        """The attribute under which a `Call` holds the value."""
        return self.long.lstrip("-").replace("-", "_")

    def empty(self) -> Any:
        """The value when the flag is not given."""
        if self.kind == "list":
            return []
        return False if self.kind == "switch" and self.default is None else self.default

    def read(self, text: str) -> Any:
        """`text` as this flag's value. Raises ValueError that says what is allowed."""
        if self.values and text not in self.values:
            raise ValueError(f"one of {', '.join(self.values)}")
        return _READERS[self.kind](text)


def _switch(text: str) -> bool:
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError("true or false")


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError("a whole number") from None


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError("a number such as 0.5") from None
    if not math.isfinite(value):
        raise ValueError("a number such as 0.5")
    return value


def _same(text: str) -> str:
    return text  # not str(text), which would forget how it was typed


_READERS: dict[str, Callable[[str], Any]] = {
    "switch": _switch,
    "text": _same,
    "list": _same,
    "integer": _integer,
    "number": _number,
    "bytes": read_bytes,
    "seconds": read_seconds,
}

#: Ours, beside docker's: every word takes them.
COMMON = (
    Flag("-o --output", "bind the result to this Python name", "text", "NAME"),
    Flag("--no-raise", "let the cell pass when the command fails"),
    Flag("-h --help", "show this help"),
)


@dataclass(frozen=True)
class Word:
    """One subcommand.

    name: as typed ("run", "snapshot save"). usage: its arguments ("IMAGE [COMMAND] [ARG...]").
    interspersed: whether flags may follow arguments (docker's `run` and `exec` forbid it).
    cell: what the cell's body is in the `%%` form; empty means there is no such form.
    offers: what completes each argument ("container", "image|container").
    handler: what the magic calls, with the `Call`.
    private: its words may hold a password, so no message repeats them.
    otherwise: it has no name, and takes what is no word of the magic as its argument.
    """

    name: str
    summary: str
    usage: str = ""
    flags: tuple[Flag, ...] = ()
    interspersed: bool = True
    cell: str = ""
    offers: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    handler: Callable[[Call], Any] | None = field(default=None, compare=False)
    private: bool = False
    otherwise: bool = False

    @property
    def all_flags(self) -> tuple[Flag, ...]:
        """Docker's flags, and those of ours whose name docker does not use for this word."""
        taken = {n for f in self.flags for n in f.names.split()}
        ours = []
        for flag in COMMON:
            names = [n for n in flag.names.split() if n not in taken]
            if flag.long in names:
                ours.append(Flag(" ".join(names), flag.help, flag.kind, flag.value))
        return (*self.flags, *ours)

    @property
    def places(self) -> list[str]:
        """The arguments as `usage` writes them: ["IMAGE", "[COMMAND]", "[ARG...]"]."""
        return re.findall(r"\[[^\]]*\]\S*|\S+", self.usage)

    def arity(self) -> tuple[int, int | None]:
        """The least and the greatest number of arguments (None: any number)."""
        least = sum(not p.startswith("[") for p in self.places)
        return least, None if "..." in self.usage else len(self.places)

    def offer(self, position: int) -> str:
        """What completes the argument at `position` (from 0); the last one may repeat."""
        if position < len(self.offers):
            return self.offers[position]
        last = len(self.offers) - 1
        names = [place.strip("[].") for place in self.places]
        if last < 0 or last >= len(names) or "..." not in self.places[-1]:
            return ""
        return self.offers[last] if names[-1] == names[last] else ""


@dataclass(frozen=True)
class Magic:
    """One magic: its name after the %, the program it mirrors ("" for none), and its words.

    A magic without subcommands has one word with an empty name. flags: the program's own, which
    stand before the word (`docker compose -p NAME up`).
    """

    name: str
    program: str
    words: tuple[Word, ...]
    flags: tuple[Flag, ...] = ()

    def sign(self, word: Word | None = None, *, cell: bool = False) -> str:
        """How it is typed: "%container run", "%%dockerfile"."""
        return f"{'%%' if cell else '%'}{self.name} {word.name if word else ''}".rstrip()


@dataclass
class Call:
    """A parsed cell: the word, its flags' values, its arguments, and the cell's body.

    A flag's value is an attribute: `call.publish`. given: the keys of the flags that were typed.
    line: the same in a terminal, without the flags that are only ours. typed: what stands in it
    after the word. before: the values of the program's own flags, which came before the word.
    """

    magic: Magic
    word: Word
    flags: dict[str, Any]
    given: frozenset[str]
    args: list[str]
    cell: str | None
    line: str
    typed: tuple[str, ...] = ()
    before: dict[str, Any] = field(default_factory=dict)

    @property
    def sign(self) -> str:
        """How the cell began: "%container run"."""
        return self.magic.sign(self.word, cell=self.cell is not None)

    @property
    def named(self) -> set[str]:
        """The names of containers, images, files… that the cell is about."""
        found = {arg for i, arg in enumerate(self.args) if self.word.offer(i)}
        for flag in self.word.all_flags:
            if flag.offers or flag.long == "--name":
                value = self.flags[flag.key]
                found.update(value if isinstance(value, list) else [str(value)])
        return {name for name in found if "=" not in name}

    def __getattr__(self, key: str) -> Any:
        try:
            return self.__dict__["flags"][key]
        except KeyError:
            raise AttributeError(key) from None


def parse(magic: Magic, tokens: Sequence[str], cell: str | None = None) -> Call:
    """Read `tokens` (the words after the magic's name). cell: the body of a `%%` cell.

    Raises OptionError: unknown word or flag with the closest match, missing or impossible value,
    wrong number of arguments, a cell body where none is taken.
    """
    first, rest = _Reader(magic, Word("", "", flags=magic.flags), cell).before_word(list(tokens))
    word, rest = _find_word(magic, rest, cell)
    call = _Reader(magic, word, cell, first.typed).read(rest)
    call.before = first.flags
    if not call.flags.get("help"):
        _check_arguments(call)
    return call


def lookup(magic: Magic, tokens: Sequence[str]) -> tuple[Word, list[str]] | None:
    """The word that `tokens` begin with, and the tokens after it; None where there is none."""
    names = {n: w for w in magic.words for n in (w.name, *w.aliases)}
    if "" in names and (not tokens or is_flag(tokens[0]) or len(names) == 1):
        return names[""], list(tokens)
    for length in (2, 1):
        name = " ".join(tokens[:length])
        if len(tokens) >= length and name in names:
            return names[name], list(tokens[length:])
    # `%lesson NAME` beside `%lesson ls`: what is no word is the argument.
    return (names[""], list(tokens)) if "" in names and names[""].otherwise else None


def group(magic: Magic, name: str) -> dict[str, Word]:
    """The words that begin with `name` ("network"), by what follows it ("create")."""
    found: dict[str, Word] = {}
    for word in magic.words:
        for whole in (word.name, *word.aliases):
            if whole.startswith(f"{name} "):
                found.setdefault(whole.removeprefix(f"{name} "), word)
    return found


def _find_word(magic: Magic, tokens: list[str], cell: str | None) -> tuple[Word, list[str]]:
    from course_magics.magics.elsewhere import elsewhere

    if (found := lookup(magic, tokens)) is not None:
        return found
    sign = magic.sign(cell=cell is not None)
    if not tokens:
        first = ", ".join(w.name for w in magic.words[:6])
        raise OptionError(
            f"{sign}: a word is missing",
            hint=f"type one of: {first}, …\n{magic.sign()} --help lists them all",
        )
    typed, second = tokens[0], as_typed(tokens[1]) if len(tokens) > 1 else ""
    if words := sorted(group(magic, typed)):
        near = closest(second, words) if second else None
        raise OptionError(
            f"{sign} {typed}: " + (f"unknown word {second!r}" if second else "a word is missing"),
            hint=(f"did you mean {sign} {typed} {near}?\n" if near else "")
            + f"allowed: {', '.join(words)}",
        )
    names = {n.split()[0] for w in magic.words for n in (w.name, *w.aliases) if n}
    near = elsewhere(magic, tokens) or closest(typed, names)
    if near and not near.startswith("%"):
        near = f"{sign} {near}"
    raise OptionError(
        f"{sign}: unknown word {as_typed(typed)!r}",
        hint=f"did you mean {near}?" if near else f"{magic.sign()} --help lists the words",
    )


def flags_in(magic: Magic, word: Word, token: str) -> list[tuple[Flag, str, str | None]]:
    """The flags that one token holds: each with its name and its value, where it has one there.

    Raises OptionError for an unknown flag.
    """
    return list(_Reader(magic, word, None)._flags_in(token))


def changed(
    magic: Magic, word: Word, tokens: Sequence[str], key: str, change: Callable[[str], str]
) -> list[str]:
    """`tokens`, which the word has taken, with the values of the flag `key` changed."""
    queue = list(tokens)
    done: list[str] = []
    while queue:
        token = queue.pop(0)
        done.append(token)
        if token == "-" or not is_flag(token):
            if not word.interspersed:
                break
            continue
        if token == "--":
            break
        for flag, _, text in flags_in(magic, word, token):
            if text is None and flag.kind != "switch":
                value = queue.pop(0)
                done.append(change(value) if flag.key == key else value)
            elif text is not None and flag.key == key:
                done[-1] = token[: len(token) - len(text)] + change(text)
    return [*done, *queue]


class _Reader:
    """Reads the flags and arguments of one word."""

    def __init__(
        self, magic: Magic, word: Word, cell: str | None, before: Sequence[str] = ()
    ) -> None:
        self.magic, self.word, self.cell, self.before = magic, word, cell, before
        self.sign = magic.sign(word, cell=cell is not None)
        self.by_name = {n: f for f in word.all_flags for n in f.names.split()}
        self.flags: dict[str, Any] = {f.key: f.empty() for f in word.all_flags}
        self.given: set[str] = set()
        self.args: list[str] = []
        self.typed: list[str] = []  # what a terminal would need: without our own flags

    def before_word(self, tokens: list[str]) -> tuple[_Reader, list[str]]:
        """Read the program's own flags at the beginning; returns this, and what comes after."""
        queue = list(tokens)
        known = {n for f in self.word.flags for n in f.names.split()}
        while queue and (queue[0].partition("=")[0] in known or queue[0][:2] in known - {"--"}):
            if not is_flag(queue[0]):
                break
            self._flag(queue.pop(0), queue)
        return self, queue

    def read(self, tokens: list[str]) -> Call:
        queue = list(tokens)
        while queue:
            token = queue.pop(0)
            if token == "--":
                self.typed += [token, *queue]
                self.args += queue
                break
            if token == "-" or not is_flag(token):
                self._refuse_for_a_program(token)
                self.typed.append(token)
                self.args.append(token)
                if not self.word.interspersed:
                    self.typed += queue
                    self.args += queue
                    break
                continue
            self._flag(token, queue)
        program = [*self.magic.program.split(), *self.before]
        words = [*program, *self.word.name.split(), *self.typed]
        line = joined(words)
        if self.cell is not None:
            line += " < CELL"
        given = frozenset(self.given)
        typed = tuple(self.typed)
        return Call(self.magic, self.word, self.flags, given, self.args, self.cell, line, typed)

    def _refuse_for_a_program(self, token: str) -> None:
        """A value that the real vagrant, compose or docker would read as a flag of theirs."""
        passed_on = self.magic.program in ("vagrant", "docker compose")
        passed_on = passed_on or self.word.name.startswith("stack ")
        if passed_on and isinstance(token, Token) and token.begins and token.startswith("-"):
            raise OptionError(
                f"{self.sign}: the value of {token.typed} begins with a dash: it would be a flag",
                hint="type the flag itself, or put it into a list",
            )

    def _flag(self, token: str, queue: list[str]) -> None:
        typed = [token]
        theirs = False
        for flag, name, text in self._flags_in(token):
            theirs = theirs or flag in self.word.flags
            if text is None and flag.kind == "switch":
                text = "true"
            elif text is None:
                if not queue:
                    raise OptionError(
                        f"{self.sign}: {name} needs a value: {name} {flag.value or 'VALUE'}"
                    )
                text = queue.pop(0)
                typed.append(text)
            self._store(flag, name, text)
        if theirs:
            self.typed += typed

    def _store(self, flag: Flag, name: str, text: str) -> None:
        try:
            value = flag.read(text)
        except ValueError as error:
            near = closest(text, flag.values)
            raise OptionError(
                f"{self.sign}: {name} takes {error}, not {as_typed(text)!r}",
                hint=f"did you mean {name} {near}?" if near else None,
            ) from None
        self.given.add(flag.key)
        if flag.kind == "list":
            self.flags[flag.key].append(value)
        else:
            self.flags[flag.key] = value

    def _flags_in(self, token: str) -> Iterator[tuple[Flag, str, str | None]]:
        """The flags of one token: `--name[=value]`, `-abc`, `-nvalue`, `-n=value`."""
        if token.startswith("--"):
            name, equals, _ = token.partition("=")
            if name not in self.by_name:
                shown = as_typed(part(token, 0, len(name)))
                raise self._unknown(shown, closest(name, self.by_name))
            yield self.by_name[name], name, part(token, len(name) + 1) if equals else None
            return
        if f"-{token.partition('=')[0]}" in self.by_name and token[:2] not in self.by_name:
            shown = as_typed(token)
            raise self._unknown(shown, f"-{shown}")  # `-name` for `--name` is a common slip
        for at, letter in enumerate(token[1:], start=2):
            name = f"-{letter}"
            if name not in self.by_name:
                raise self._unknown(f"-{as_typed(part(token, at - 1, at))}", None)
            flag = self.by_name[name]
            if token.startswith("=", at):
                yield flag, name, part(token, at + 1)
                return
            if flag.kind != "switch" and token[at:]:
                yield flag, name, part(token, at)
                return
            yield flag, name, None

    def _unknown(self, name: str, near: str | None) -> OptionError:
        if any(name in f.names.split() for f in self.magic.flags):
            where = f"%{self.magic.name} {name} … {self.word.name}".rstrip()
            return OptionError(
                f"{self.sign}: unknown flag {name}", hint=f"{name} goes before the word: {where}"
            )
        see = f"{self.magic.sign(self.word)} --help lists the flags"
        return OptionError(
            f"{self.sign}: unknown flag {name}", hint=f"did you mean {near}?" if near else see
        )


def _check_arguments(call: Call) -> None:
    least, most = call.word.arity()
    usage = f"{call.sign} {call.word.usage}".rstrip()
    if call.cell is not None and not call.word.cell:
        raise OptionError(
            f"{call.sign} takes no cell body",
            hint=f"type it on one line: {usage.replace('%%', '%')}",
        )
    if len(call.args) < least:
        raise OptionError(f"{call.sign}: too few arguments", hint=f"usage: {usage}")
    if most is not None and len(call.args) > most:
        extra = "" if call.word.private else f": {' '.join(map(as_typed, call.args[most:]))}"
        raise OptionError(f"{call.sign}: too many arguments{extra}", hint=f"usage: {usage}")

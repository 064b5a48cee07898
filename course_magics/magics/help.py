"""Help made from the grammar: for one word, for a group of words, and for a whole magic."""

from __future__ import annotations

import re
from collections.abc import Sequence

from course_magics.display import Block, Grid, Line, Pre, Shown
from course_magics.magics.grammar import Flag, Magic, Word, group, lookup
from course_magics.shell import is_flag

#: What stands for an argument in an example.
_SAMPLES = {
    "CONTAINER": "web",
    "IMAGE": "course/busybox",
    "NETWORK": "shop",
    "VOLUME": "data",
    "SERVICE": "web",
    "NODE": "node-2",
    "STACK": "shop",
    "SECRET": "password",
    "CONFIG": "settings",
    "CONTEXT": "colima",
    "MACHINE": "web",
    "BOX": "course/debian12",
    "FILE": "shop.tar",
    "SOURCE": "page.html",
    "TARGET": "web:/www/",
    "COMMAND": "true",
    "URL": "https://example.org/file.tar",
    "TERM": "busybox",
}


class Help(Shown):
    """The help of one word (`word`), or the list of a magic's words; of those of a `group`."""

    def __init__(self, magic: Magic, word: Word | None = None, group: str = "") -> None:
        self.magic = magic
        self.word = word
        self.group = group

    @property
    def data(self) -> list[dict[str, str]]:
        """The words of a magic with what they do, or the flags of a word."""
        if self.word is None:
            return [{"word": w.name, "does": w.summary} for w in self.magic.words]
        names = ("flag", "value", "does")
        return [dict(zip(names, _row(f), strict=True)) for f in self.word.all_flags]

    @property
    def _elsewhere(self) -> str:
        program = self.magic.program
        return f": as after `{program}` in a terminal" if program else ""

    def blocks(self) -> Sequence[Block]:
        sign = self.magic.sign()
        if self.group:
            words = group(self.magic, self.group)
            return [
                Line(f"{sign} {self.group} WORD: as after `{self.magic.program} {self.group}`"),
                Grid(["word", "what it does"], [(n, w.summary) for n, w in words.items()]),
                Line(f"{sign} {self.group} WORD --help shows a word's flags", "dim"),
            ]
        if self.word is None:
            return [
                Line(f"{sign} WORD{self._elsewhere}"),
                Grid(["word", "what it does"], [(w.name, w.summary) for w in self.magic.words]),
                Line(f"{sign} WORD --help shows a word's flags", "dim"),
            ]
        word = self.word
        cell_only = bool(word.cell) and not word.name
        sign = self.magic.sign(word, cell=cell_only)
        usage = " ".join(p for p in (sign, "[FLAGS]", word.usage) if p)
        blocks: list[Block] = [Line(word.summary), Line(f"usage: {usage}")]
        if word.cell:
            blocks.append(Line(f"{self.magic.sign(word, cell=True)}: the cell is {word.cell}"))
        blocks.append(Grid(["flag", "value", "what it does"], [_row(f) for f in word.all_flags]))
        found = examples(self.magic, word)
        blocks += [Line("examples:"), Pre("\n".join(f"  {e}" for e in found))]
        return blocks


class FlagHelp(Shown):
    """The help of one flag of a word."""

    def __init__(self, magic: Magic, word: Word, flag: Flag) -> None:
        self.magic, self.word, self.flag = magic, word, flag

    def blocks(self) -> Sequence[Block]:
        names, value, what = _row(self.flag)
        again = "; may be given again" if self.flag.kind == "list" else ""
        sign = self.magic.sign(self.word, cell=bool(self.word.cell) and not self.word.name)
        return [
            Line(f"{names} {value}".rstrip()),
            Line(what + again),
            Line(f"a flag of {sign}: {self.word.summary}", "dim"),
        ]


def asked_for(magic: Magic, tokens: Sequence[str]) -> Help | None:
    """The help that `tokens` ask for: `--help`, `help`, `help run`, `network --help`; else None.

    `run --help` is the parser's to see: after `run IMAGE`, `--help` is the program's.
    """
    if tokens and tokens[0] == "help" and len(magic.words) > 1:
        names = list(tokens[1:])
    elif tokens and tokens[-1] in ("--help", "-h") and is_flag(tokens[-1]):
        names = list(tokens[:-1])
    else:
        return None
    if not names:
        return Help(magic) if len(magic.words) > 1 else None
    found = lookup(magic, names)
    if found is None and group(magic, " ".join(names)):
        return Help(magic, group=" ".join(names))
    if tokens[0] == "help" and found is not None and not found[1]:
        return Help(magic, found[0])
    return None


def examples(magic: Magic, word: Word) -> Sequence[str]:
    """The word's examples; where it has none, one with what its arguments usually look like."""
    if word.examples:
        return word.examples
    needed = [place for place in word.places if not place.startswith("[")]
    samples = []
    for place in needed:
        name = re.match(r"[A-Z]+", place)
        samples.append(_SAMPLES.get(name[0], name[0].lower()) if name else place.lower())
    return [" ".join([magic.sign(word), *samples])]


def _row(flag: Flag) -> tuple[str, str, str]:
    value = "" if flag.kind == "switch" else (flag.value or flag.kind.upper())
    allowed = f" (one of {', '.join(flag.values)})" if flag.values else ""
    return ", ".join(flag.names.split()), value, flag.help + allowed

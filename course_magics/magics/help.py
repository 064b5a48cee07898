"""Help made from the grammar: for one word, and for a whole magic."""

from __future__ import annotations

from collections.abc import Sequence

from course_magics.display import Block, Grid, Line, Pre, Shown
from course_magics.magics.grammar import Flag, Magic, Word


class Help(Shown):
    """The help of one word (`word`), or the list of a magic's words."""

    def __init__(self, magic: Magic, word: Word | None = None) -> None:
        self.magic = magic
        self.word = word

    @property
    def data(self) -> list[dict[str, str]]:
        """The words of a magic with what they do, or the flags of a word."""
        if self.word is None:
            return [{"word": w.name, "does": w.summary} for w in self.magic.words]
        names = ("flag", "value", "does")
        return [dict(zip(names, _row(f), strict=True)) for f in self.word.all_flags]

    def blocks(self) -> Sequence[Block]:
        if self.word is None:
            sign = self.magic.sign()
            return [
                Line(f"{sign} WORD: as after `{self.magic.program}` in a terminal"),
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
        if word.examples:
            blocks += [Line("examples:"), Pre("\n".join(f"  {e}" for e in word.examples))]
        return blocks


def _row(flag: Flag) -> tuple[str, str, str]:
    value = "" if flag.kind == "switch" else (flag.value or flag.kind.upper())
    allowed = f" (one of {', '.join(flag.values)})" if flag.values else ""
    return ", ".join(flag.names.split()), value, flag.help + allowed

"""Is every quantity in a notebook's prose measured there, or its source named?

The rule. A sentence that claims a quantity (a number with a unit, a share, a comparison such as
"ten times slower", a year, a large round number) is in order when

- the number stands in a code cell of the same section (between two headings), in its source or in
  its stored output: the cell shows it; or
- the same cell names where it comes from: "(source: …)", or "(measured …)" with how.

Not claims: questions and predictions, the line with the notebook's time, code, headings, and the
works named under "Further reading".
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from course_magics.course.book import Book, Cell, Fault, paragraphs

_UNITS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
_WORDS = {
    **{word: number for number, word in enumerate(_UNITS, 1)},
    **{"eleven": 11, "twelve": 12, "fifteen": 15, "twenty": 20, "thirty": 30, "forty": 40},
    **{"fifty": 50, "sixty": 60, "ninety": 90, "hundred": 100, "thousand": 1000},
}
_NUMBER = r"\d[\d,]*(?:\.\d+)?"
_COUNT = rf"(?:{_NUMBER}|{'|'.join(_WORDS)})"
_TIME = (
    "milliseconds?|microseconds?|nanoseconds?|seconds?|minutes?|hours?|days?|weeks?|months?|years?"
)
_SIZE = "bytes?|kilobytes?|megabytes?|gigabytes?|terabytes?"
_SHORT = "ms|µs|us|ns|s|min|h|B|kB|KB|MB|GB|TB|KiB|MiB|GiB|TiB|kHz|MHz|GHz|Mbit/s|Gbit/s|MB/s|GB/s"
_THAN = "slower|faster|quicker|longer|shorter|smaller|larger|bigger|more|less|fewer|heavier|lighter"
_LARGE = "hundreds|thousands|millions?|billions?"
_QUANTITY = re.compile(
    rf"""
      (?P<unit>\b{_COUNT}(?:[ \u00a0-]|\u202f)?(?:{_TIME}|{_SIZE})\b)
    | (?P<short>\b{_NUMBER}[ \u00a0\u202f]?(?:{_SHORT})(?![\w/]))
    | (?P<share>\b{_NUMBER}\s?%|\b{_COUNT}\s(?:per\s?cent|percent)\b)
    | (?P<times>\b{_COUNT}[ -](?:times|fold)\s(?:as|the|{_THAN})\b|\b{_NUMBER}\s?×|×\s?{_NUMBER})
    | (?P<twice>\b(?:twice|half|a\sthird|a\squarter)\s(?:as|of)\b|\borders?\sof\smagnitude\b)
    | (?P<year>(?<![\w.:/-])(?:19|20)\d\d(?![\w:/]|[.-]\d))
    | (?P<large>\b(?:{_LARGE})\b|(?<![\w.:/,-])\d{{1,3}}(?:[,\u00a0\u202f]\d{{3}})+\b)
    """,
    re.VERBOSE | re.IGNORECASE,
)
_SOURCED = re.compile(
    r"\((?:[^()]*[;,]\s*)?(?:sources?|measured)(?::\s*|\s+)[^\s():][^()]*"
    r"(?:\([^()]*\)[^()]*)*\)",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"(?<=[.?!])[*_”\")]*\s+(?=[\"“*_(`A-Z])")
#: Years that are names, not events, and the ports of examples.
_NAMES = re.compile(r"\b(?:port|ports|Windows|Server)\s+\d+", re.IGNORECASE)


def facts(book: Book) -> Iterator[Fault]:
    """The claims of a quantity that nothing bears out."""
    section: list[Cell] = []
    for cell in [*book.cells, None]:
        if cell is None or (cell.markdown and re.search(r"^#{1,6}\s", cell.prose, re.MULTILINE)):
            yield from _section(book, section)
            section = []
        if cell is not None:
            section.append(cell)


def _section(book: Book, cells: list[Cell]) -> Iterator[Fault]:
    shown = "\n".join(f"{c.source}\n{c.shown}" for c in cells if c.code)
    for cell in cells:
        if not cell.markdown or _SOURCED.search(cell.source):
            continue
        for line, sentence in _claims(cell):
            for found in _QUANTITY.finditer(sentence):
                if not _is_shown(found[0], shown):
                    said = " ".join(found[0].split())
                    yield book.fault(
                        "facts",
                        f'"{said}" is neither shown by a cell of this section nor has it a '
                        f'"(source: …)" in its cell: {_short(sentence)}',
                        cell,
                        line,
                    )


def _claims(cell: Cell) -> Iterator[tuple[int, str]]:
    """Each sentence that can be a claim, and its line."""
    reading = False
    for paragraph in paragraphs(cell.prose):
        if paragraph.heading:
            reading = "further reading" in paragraph.text.lower()
            continue
        text = paragraph.text
        if reading or "**Predict:**" in text or re.match(r"\s*\*Time:", text):
            continue
        text = _NAMES.sub(lambda m: re.sub(r"\d", "#", m[0]), text)
        at = 0
        for cut in [*_SENTENCE.finditer(text), None]:
            sentence = text[at : cut.start() if cut else len(text)]
            if not sentence.rstrip(' *_")”').endswith("?"):
                yield paragraph.line + text[:at].count("\n"), sentence
            at = cut.end() if cut else at


def _is_shown(quantity: str, shown: str) -> bool:
    """Whether the quantity's number stands in what the section's cells say."""
    number = re.search(_COUNT, quantity, re.IGNORECASE)
    if number is None:  # "twice as": nothing to look for
        return False
    word = number[0].lower().replace(",", "")
    wanted = str(_WORDS.get(word, word))
    return bool(re.search(rf"(?<![\d.]){re.escape(wanted)}(?!\d|\.\d)", shown.replace(",", "")))


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 90 else f"{line[:89]}…"

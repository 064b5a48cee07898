"""Has a notebook the parts that teach, and does each slide hold what a slide can hold?"""

from __future__ import annotations

import re
from collections.abc import Iterator

from course_magics.course.book import NOT_STORED, WIDGET_VIEW, Book, Cell, Fault, paragraphs

#: What a slide of 1280 x 720 holds.
WORDS, CODE_LINES, OUTPUT_LINES = 110, 20, 30
#: No notebook takes longer to read and run (minutes).
MINUTES = 20
SLIDES = ("slide", "subslide", "fragment", "skip", "notes", "-")
_PARTS = {
    "After this notebook you can": "what a reader can do afterwards",
    "**Predict:**": "a question that the reader answers before running the cell",
    "## Check yourself": "the quiz",
    "## Your turn": "the exercise",
    "## Further reading": "works to read, by name",
}
_MAGICS = ("lesson", "check", "quiz")


def form(book: Book) -> Iterator[Fault]:
    """All of it but facts, links and images."""
    for rule in (name, parts, own_exercise, headings, cells, slides, outputs):
        yield from rule(book)


def name(book: Book) -> Iterator[Fault]:
    """NN-words.ipynb."""
    if not re.fullmatch(r"\d\d-[a-z0-9]+(-[a-z0-9]+)*", book.path.stem):
        yield book.fault("name", "a notebook's file is called NN-words.ipynb")


def order(books: list[Book]) -> Iterator[Fault]:
    """The numbers of a folder's notebooks begin with 00 and leave nothing out; each has one."""
    for position, book in enumerate(books):
        if book.number and int(book.number) != position:
            yield book.fault("name", f"it stands at position {position:02d} of the course")
            return


def parts(book: Book) -> Iterator[Fault]:
    """The headings and words that every notebook has."""
    prose = "\n".join(c.source for c in book.markdown)
    for part, why in _PARTS.items():
        if part not in prose:
            yield book.fault("parts", f'"{part}" is missing: {why}')
    if not book.minutes:
        yield book.fault("parts", '"*Time: N minutes.*" is missing')
    elif book.minutes > MINUTES:
        yield book.fault("parts", f"it takes {book.minutes} minutes; {MINUTES} are the most")
    yield from _next(book, prose)


def _next(book: Book, prose: str) -> Iterator[Fault]:
    beside = sorted(p.stem for p in book.path.parent.glob("[0-9][0-9]-*.ipynb"))
    after = [stem for stem in beside if stem > book.path.stem][:1]
    said = re.search(r"^Next: \*\*([^*]+)\*\*", prose, re.MULTILINE)
    if after and not said:
        yield book.fault("parts", f'"Next: **{after[0]}**." is missing at its end')
    elif said and not after and beside[-1:] == [book.path.stem]:
        yield book.fault("parts", f"Next: **{said[1]}**, but it is the last notebook")
    elif said and after and said[1] != after[0]:
        yield book.fault("parts", f"Next: **{said[1]}**, but **{after[0]}** follows")


def own_exercise(book: Book) -> Iterator[Fault]:
    """%lesson, %check and %quiz are there, and what they name is there, with the same number."""
    lines = [(c, line) for c in book.code for line in c.source.splitlines()]
    for magic in _MAGICS:
        found = [(c, line.split()) for c, line in lines if re.match(rf"%{magic}\b", line)]
        if not found:
            yield book.fault("exercise", f"no cell with %{magic}")
        for cell, words in found if magic != "check" else ():
            named = [w for w in words[1:2] if re.match(r"\d\d-", w)]
            kind = "exercises" if magic == "lesson" else "quizzes"
            for named_one in named:
                yield from _named(book, cell, kind, named_one)
        if magic != "check" and found and book.number:
            own = any(w.startswith(f"{book.number}-") for _, words in found for w in words[1:])
            if not own:
                yield book.fault("exercise", f"no %{magic} names one with number {book.number}")


def exercises(book: Book) -> list[str]:
    """The exercises that its cells show."""
    lines = (line.split() for c in book.code for line in c.source.splitlines())
    shown = [w[1] for w in lines if len(w) == 2 and w[0] == "%lesson" and re.match(r"\d\d-", w[1])]
    return sorted(set(shown))


def _named(book: Book, cell: Cell, kind: str, wanted: str) -> Iterator[Fault]:
    from course_magics.lessons.exercise import lacks

    where = book.path.parent / kind
    if kind == "quizzes":
        missing = [] if (where / f"{wanted}.yaml").is_file() else [f"{wanted}.yaml"]
    else:
        missing = [f"{wanted}/{name}" for name in lacks(where / wanted)]
    for name in missing:
        yield book.fault("exercise", f"{kind}/{name} is not there", cell)


def headings(book: Book) -> Iterator[Fault]:
    """One title, in the first cell, and no level left out."""
    level = 0
    for cell in book.markdown:
        for piece in paragraphs(cell.prose):
            if not piece.heading:
                continue
            if piece.heading == 1 and level:
                yield book.fault("headings", "a second title (#)", cell, piece.line)
            elif piece.heading > level + 1:
                text = f"{'#' * piece.heading} follows {'#' * level or 'nothing'}"
                yield book.fault("headings", text, cell, piece.line)
            level = piece.heading
    first = book.cells[0] if book.cells else None
    if first is None or not first.source.startswith("# "):
        yield book.fault("headings", 'the first cell begins with "# Title"')


def cells(book: Book) -> Iterator[Fault]:
    """Each cell has an id of its own; none is empty."""
    seen: set[str] = set()
    for cell in book.cells:
        if not cell.id:
            yield book.fault("cells", "it has no id", cell)
        elif cell.id in seen:
            yield book.fault("cells", "an earlier cell has the same id", cell)
        seen.add(cell.id)
        if not cell.source.strip():
            yield book.fault("cells", "it is empty", cell)


def slides(book: Book) -> Iterator[Fault]:
    """Each cell has a slide type, and holds what fits on a slide."""
    for cell in book.cells:
        if cell.slide not in SLIDES:
            yield book.fault(
                "slides", f'slide type "{cell.slide}"; known: {" ".join(SLIDES)}', cell
            )
        if cell.slide in ("skip", "notes"):
            continue
        if cell.markdown:
            words = len(re.findall(r"\w[\w'’.-]*", _without_markup(cell.source)))
            if words > WORDS:
                yield book.fault("slides", f"{words} words; {WORDS} are the most", cell)
            continue
        lines = len(cell.source.splitlines())
        if lines > CODE_LINES:
            yield book.fault("slides", f"{lines} lines of code; {CODE_LINES} are the most", cell)
        lines = len(cell.shown.splitlines())
        if lines > OUTPUT_LINES:
            text = f"{lines} lines of output; {OUTPUT_LINES} are the most"
            yield book.fault("slides", text, cell)


def _without_markup(text: str) -> str:
    """What is read: no tags, no alternative texts and targets of images and links."""
    text = re.sub(r"!\[[^\]]*\]\([^)]*\)", "", text)
    return re.sub(r"<[^>]+>", "", re.sub(r"\]\([^)]*\)", "]", text))


def outputs(book: Book) -> Iterator[Fault]:
    """It was run from top to end, what came out is stored, and nothing of it is dead."""
    counts = [c.raw.get("execution_count") for c in book.code]
    for cell, count in zip(book.code, counts, strict=True):
        if count is None and NOT_STORED not in cell.tags:
            yield book.fault("outputs", "it was not run: course store", cell)
        for output in cell.outputs:
            if output["output_type"] == "error" and "raises-exception" not in cell.tags:
                text = f"its stored output is an error: {output.get('ename', '')}"
                yield book.fault("outputs", text, cell)
            if WIDGET_VIEW in output.get("data", {}):
                yield book.fault("outputs", "a widget's view is stored, dead without it", cell)
    ran = [count for count in counts if count is not None]
    if ran != sorted(ran):
        yield book.fault("outputs", "its cells were not run in order: course store")
    if "widgets" in book.raw.get("metadata", {}):
        yield book.fault("outputs", "the state of widgets is stored in its metadata")

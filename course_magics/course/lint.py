"""All that can be told about a notebook by reading it."""

from __future__ import annotations

import contextlib
from pathlib import Path

from course_magics.course.book import Book, Fault, NoNotebook, read, reading
from course_magics.course.facts import facts
from course_magics.course.form import form, order
from course_magics.course.links import links


def lint(path: Path) -> list[Fault]:
    """The faults of one notebook in the order of its cells."""
    try:
        with reading(path):
            return look(read(path))
    except NoNotebook as error:
        return [Fault(path.name, "file", error.message)]


def look(book: Book) -> list[Fault]:
    """The same for a notebook that has been read."""
    found = [*form(book), *links(book), *facts(book)]
    return sorted(found, key=lambda f: (f.cell, f.line))


def lint_folder(folder: Path) -> list[Fault]:
    """What only a folder of notebooks can have: numbers in order, drawings that nothing shows."""
    books = []
    for path in sorted(folder.glob("[0-9][0-9]-*.ipynb")):
        with contextlib.suppress(NoNotebook):  # `lint` tells of that
            books.append(read(path))
    shown = "\n".join(c.source for b in books for c in b.markdown)
    found = list(order(books))
    for drawing in sorted((folder / "images").glob("*")):
        if drawing.is_file() and drawing.name not in shown:
            found.append(Fault(f"images/{drawing.name}", "images", "no notebook shows it"))
    return found

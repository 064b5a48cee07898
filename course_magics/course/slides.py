"""The notebooks as reveal.js decks that need no network: `make slides`.

nbconvert makes each deck from the slide types of the cells; a template of ours leaves out what it
would fetch from elsewhere. reveal.js itself comes with the package sphinx-revealjs, from PyPI.
"""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterable
from html import escape
from pathlib import Path

from course_magics import owned
from course_magics.course.book import Book, read
from course_magics.errors import OptionError

#: A slide, in the deck's own pixels; the browser scales it to the screen.
WIDTH, HEIGHT = 1280, 720
_REVEAL = "reveal.js"
_THEME = "white"
#: Of its themes only this one, whose font comes along: others fetch theirs.
_FILES = (
    *("LICENSE", "dist/reveal.js", "dist/reveal.css", f"dist/theme/{_THEME}.css"),
    *("dist/theme/fonts/source-sans-pro", "plugin/notes"),
)
_TEMPLATE = Path(__file__).with_name("slides.html.j2")
_PAGE = """\
<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Virtualization &amp; Docker: slides</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>body{{font:18px/1.5 sans-serif;max-width:44rem;margin:2rem auto;padding:0 1rem;color:#222}}
li{{margin:.3rem 0}}a{{color:#1f5f99}}small{{color:#555}}</style></head>
<body><main><h1>Virtualization &amp; Docker</h1>
<p>Arrow keys or the space bar lead on, S opens the speaker's notes, Esc shows all slides.</p>
<ol start="{start}">
{items}
</ol></main></body></html>
"""


def make(notebooks: Iterable[Path], out: Path) -> list[Path]:
    """Write a deck for each notebook, reveal.js beside them, and index.html; returns the decks.

    Raises OptionError where `out` holds what we did not write under one of these names.
    """
    books = [read(path) for path in notebooks]
    names = [_REVEAL, "index.html", *(f"{book.path.stem}.html" for book in books)]
    # A version without a marker left its decks beside reveal.js.
    earlier = (out / _REVEAL / "dist" / "reveal.js").is_file()
    owned.results(out, names, before=names if earlier else ())
    _copy_reveal(out / _REVEAL)
    decks = [_deck(book.path, out) for book in books]
    (out / "index.html").write_text(_index(books), "utf-8")
    return decks


def _deck(path: Path, out: Path) -> Path:
    from nbconvert import SlidesExporter

    exporter = SlidesExporter(
        raw_template=_TEMPLATE.read_text("utf-8"),
        reveal_url_prefix=_REVEAL,
        reveal_theme=_THEME,
        reveal_width=str(WIDTH),
        reveal_height=str(HEIGHT),
        embed_images=True,
    )
    page, _ = exporter.from_filename(str(path))
    deck = out / f"{path.stem}.html"
    deck.write_text(page, "utf-8")
    return deck


def _copy_reveal(into: Path) -> None:
    found = importlib.util.find_spec("sphinx_revealjs")
    if found is None or found.origin is None:
        raise OptionError(
            "slides need reveal.js, which comes with sphinx-revealjs",
            hint="pip install 'course-magics[docs]'",
        )
    source = Path(found.origin).parent / "_static" / "revealjs"
    for name in _FILES:
        target = into / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (source / name).is_dir():
            shutil.copytree(source / name, target, dirs_exist_ok=True)
        else:
            shutil.copyfile(source / name, target)


def _index(books: list[Book]) -> str:
    items = "\n".join(map(_item, books))
    start = int(books[0].number) if books and books[0].number else 0
    return _PAGE.format(items=items, start=start)


def _item(book: Book) -> str:
    name, title = escape(book.path.stem), escape(book.title)
    minutes = f" <small>{book.minutes} minutes</small>" if book.minutes else ""
    return f'<li><a href="{name}.html">{title}</a>{minutes}</li>'

"""Do links and drawings lead somewhere, without a network, and does each drawing say in words
what it shows?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

from course_magics.course.book import Book, Cell, Fault

#: An alternative text of fewer words is a label.
WORDS = 5
_IMAGE = re.compile(r"!\[(?P<text>[^\]]*)\]\((?P<target>[^)\s]*)[^)]*\)")
_LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]+)\]\((?P<target>[^)\s]+)[^)]*\)")
_TAG = re.compile(r"<img\b[^>]*>", re.IGNORECASE)
_SVG = "{http://www.w3.org/2000/svg}"
_HREF = ("href", "{http://www.w3.org/1999/xlink}href")


def links(book: Book) -> Iterator[Fault]:
    """Every image and link of a notebook, and the drawings that it shows."""
    for cell in book.markdown:
        for found in _IMAGE.finditer(cell.prose):
            yield from _image(book, cell, found["text"], found["target"], _line(cell, found))
        for found in _TAG.finditer(cell.prose):
            text, target = _attribute(found[0], "alt"), _attribute(found[0], "src")
            yield from _image(book, cell, text, target, _line(cell, found))
        for found in _LINK.finditer(cell.prose):
            yield from _link(book, cell, found["target"], _line(cell, found))


def _line(cell: Cell, found: re.Match[str]) -> int:
    return found.string[: found.start()].count("\n") + 1


def _attribute(tag: str, name: str) -> str:
    found = re.search(rf"\b{name}\s*=\s*(\"([^\"]*)\"|'([^']*)')", tag, re.IGNORECASE)
    return (found[2] or found[3] or "") if found else ""


def _image(book: Book, cell: Cell, text: str, target: str, line: int) -> Iterator[Fault]:
    if urlsplit(target).scheme or target.startswith("//"):
        yield book.fault("images", f"{target} would come from the network", cell, line)
        return
    words = len(re.findall(r"\w+", text))
    if words < WORDS:
        shown = f'"{text}"' if text else "none"
        yield book.fault(
            "images",
            f"{target}: an alternative text of {WORDS} words at least; it has {shown}",
            cell,
            line,
        )
    path = book.path.parent / unquote(target)
    if not path.is_file():
        yield book.fault("images", f"{target} is not there", cell, line)
    elif path.suffix == ".svg":
        for said in drawing(path):
            yield book.fault("images", f"{target}: {said}", cell, line)


def _link(book: Book, cell: Cell, target: str, line: int) -> Iterator[Fault]:
    parts = urlsplit(target)
    if parts.scheme:
        if parts.scheme not in ("http", "https", "mailto") or not (parts.netloc or parts.path):
            yield book.fault("links", f"{target} is no address", cell, line)
    elif not parts.path:
        if unquote(parts.fragment) not in anchors(book):
            yield book.fault("links", f"no heading makes the anchor #{parts.fragment}", cell, line)
    elif not (book.path.parent / unquote(parts.path)).exists():
        yield book.fault("links", f"{parts.path} is not there", cell, line)


def anchors(book: Book) -> set[str]:
    """Where a link can lead in the notebook: Jupyter joins a heading's words by hyphens."""
    found = set()
    for cell in book.markdown:
        for heading in re.findall(r"^#{1,6}\s+(.+?)\s*$", cell.source, re.MULTILINE):
            found.add(re.sub(r"[`*]", "", heading).replace(" ", "-"))
    return found


def drawing(path: Path) -> Iterator[str]:
    """What is wrong with an SVG file: title, desc, and nothing from elsewhere."""
    try:
        root = ElementTree.fromstring(path.read_text("utf-8"))
    except (ElementTree.ParseError, UnicodeDecodeError) as error:
        yield f"no drawing: {error}"
        return
    for part in ("title", "desc"):
        if not (root.findtext(f"{_SVG}{part}") or "").strip():
            yield f"it has no <{part}>"
    if "viewBox" not in root.attrib:
        yield "it has no viewBox, so it cannot be scaled"
    for element in root.iter():
        for name in _HREF:
            target = element.get(name, "")
            if target and not target.startswith("#"):
                yield f"it fetches {target[:60]}"
        if element.tag == f"{_SVG}script":
            yield "it holds a script"
        if re.search(
            r"url\(\s*['\"]?\s*(https?:|//)|@import",
            f"{element.text or ''}{element.get('style', '')}",
        ):
            yield "its style fetches something"

"""A notebook as the checks read it: its file, its cells, its prose. Nothing is run here."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from course_magics.errors import CourseError, OptionError, closest, fault_of

#: The tag of a cell whose output tells of the network or the computer it ran on.
NOT_STORED = "course-not-stored"
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
_FENCE = re.compile(r"^(```|~~~).*?^\1\s*$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"(`+).+?\1", re.DOTALL)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_ITEM = re.compile(r"\s*([-*+]|\d+\.)\s")


class NoNotebook(CourseError, ValueError):
    """A file that cannot be read as a notebook: which, and what is wrong with it."""


@dataclass(frozen=True)
class Fault:
    """What is wrong with a notebook. cell: its number from 1, 0: the whole. line: in the cell."""

    book: str
    rule: str
    text: str
    cell: int = 0
    line: int = 0
    id: str = ""

    def __str__(self) -> str:
        where = f" cell {self.cell}" if self.cell else ""
        where += f" ({self.id})" if self.id else ""
        where += f" line {self.line}" if self.line else ""
        return f"{self.book}{where}: {self.rule}: {self.text}"


@dataclass(frozen=True)
class Cell:
    """One cell. number: from 1."""

    number: int
    raw: dict[str, Any] = field(repr=False)

    @property
    def id(self) -> str:
        return str(self.raw.get("id", ""))

    @property
    def code(self) -> bool:
        return bool(self.raw["cell_type"] == "code")

    @property
    def markdown(self) -> bool:
        return bool(self.raw["cell_type"] == "markdown")

    @cached_property
    def source(self) -> str:
        return joined(self.raw["source"])

    @property
    def tags(self) -> list[str]:
        return list(self.raw["metadata"].get("tags", ()))

    @property
    def slide(self) -> str:
        """Its slide type; "" where it has none."""
        return str(self.raw["metadata"].get("slideshow", {}).get("slide_type", ""))

    @property
    def outputs(self) -> list[dict[str, Any]]:
        return list(self.raw.get("outputs", ()))

    @cached_property
    def shown(self) -> str:
        """What its stored outputs say as text."""
        said = []
        for output in self.outputs:
            if "text" in output:
                said.append(joined(output["text"]))
            said.append(joined(output.get("data", {}).get("text/plain", "")))
            said += output.get("traceback", [])
        return "\n".join(text.rstrip("\n") for text in said if text)

    @cached_property
    def prose(self) -> str:
        """The markdown without its code; the lines stay where they were."""
        return without_code(self.source)


@dataclass(frozen=True)
class Book:
    """One notebook file."""

    path: Path
    raw: dict[str, Any] = field(repr=False)

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def number(self) -> str:
        """The two digits that its name begins with; "" without."""
        found = re.match(r"\d\d(?=-)", self.path.stem)
        return found[0] if found else ""

    @cached_property
    def cells(self) -> list[Cell]:
        return [Cell(i, raw) for i, raw in enumerate(self.raw["cells"], 1)]

    @property
    def code(self) -> list[Cell]:
        return [c for c in self.cells if c.code]

    @property
    def markdown(self) -> list[Cell]:
        return [c for c in self.cells if c.markdown]

    @property
    def title(self) -> str:
        """Its heading; its file's name without one."""
        first = self.markdown[0].source.partition("\n")[0] if self.markdown else ""
        return first.lstrip("# ").strip() or self.path.stem

    @property
    def minutes(self) -> int:
        """How long it says that it takes; 0 where it does not."""
        found = re.search(
            r"\*Time: (\d{1,4}) minutes?\b", "\n".join(c.source for c in self.markdown)
        )
        return int(found[1]) if found else 0

    def fault(self, rule: str, text: str, cell: Cell | None = None, line: int = 0) -> Fault:
        """A fault of this notebook, at a cell and line of it."""
        number, name = (cell.number, cell.id) if cell else (0, "")
        return Fault(self.name, rule, text, number, line, name)


def read(path: Path) -> Book:
    """Read it. Raises NoNotebook that says what is wrong, and in which cell."""
    if path.exists() and not path.is_file():  # to read a pipe is to wait for somebody who writes
        raise NoNotebook(f"{path} is no notebook: it is no regular file")
    try:
        raw = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise NoNotebook(f"{path} cannot be read: {error.strerror}") from None
    except RecursionError:
        raise NoNotebook(f"{path}: no notebook: it is nested too deeply") from None
    except ValueError as error:
        raise NoNotebook(f"{path}: no notebook: {error}") from None
    if not isinstance(raw, dict) or not isinstance(raw.get("cells"), list):
        raise NoNotebook(f"{path}: no notebook: it has no cells")
    if not isinstance(raw.setdefault("metadata", {}), dict):
        raise NoNotebook(f"{path}: no notebook: its metadata is no object")
    for number, cell in enumerate(raw["cells"], 1):
        if fault := _malformed(cell):
            raise NoNotebook(f"{path}: cell {number} {fault}")
    return Book(path, raw)


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Around what goes through a notebook: whatever it stumbles over, it is that file's fault."""
    try:
        yield
    except CourseError:
        raise
    except Exception as error:
        raise NoNotebook(f"{path} cannot be read: {fault_of(error)}") from None


def _malformed(cell: Any) -> str:
    """What keeps a cell from being read as the notebook format has it; "" for nothing."""
    if not isinstance(cell, dict) or not isinstance(cell.get("cell_type"), str):
        return "has no cell_type"
    if not _is_text(cell.get("source")):
        return "has no source"
    metadata = cell.setdefault("metadata", {})
    if not isinstance(metadata, dict) or not isinstance(metadata.get("slideshow", {}), dict):
        return "has metadata that is no object"
    tags = metadata.get("tags", [])
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        return "has tags that are no list of texts"
    outputs = cell.get("outputs", [])
    if not isinstance(outputs, list) or not all(map(_is_output, outputs)):
        return "has an output that is none"
    return ""


def _is_output(output: Any) -> bool:
    if not isinstance(output, dict) or not isinstance(output.get("output_type"), str):
        return False
    data = output.get("data", {})
    texts = [output["text"]] if "text" in output else []
    if isinstance(data, dict) and "text/plain" in data:
        texts.append(data["text/plain"])
    trace = output.get("traceback", [])
    return (
        isinstance(data, dict) and isinstance(trace, list) and all(map(_is_text, [*texts, trace]))
    )


def _is_text(value: Any) -> bool:
    """One string, or a list of lines."""
    lines = [value] if isinstance(value, str) else value
    return isinstance(lines, list) and all(isinstance(line, str) for line in lines)


def find(places: list[Path]) -> list[Path]:
    """The notebooks named, and those directly in the folders named, in order.

    Raises OptionError for a place that is not there, or is neither a file nor a folder.
    """
    found = []
    for place in places:
        if not place.exists():
            near = closest(place.name, [p.name for p in place.parent.glob("*.ipynb")])
            hint = f"did you mean {place.with_name(near)}?" if near else None
            raise OptionError(f"there is no {place}", hint=hint)
        if not place.is_dir() and not place.is_file():
            raise OptionError(f"{place} is no notebook: it is no regular file")
        inside = sorted(path for path in place.glob("*.ipynb") if path.is_file())
        found += inside if place.is_dir() else [place]
    return found


def joined(text: str | list[str]) -> str:
    """A notebook's text, which is one string or a list of lines."""
    return text if isinstance(text, str) else "".join(text)


def without_code(text: str) -> str:
    """`text` without fenced and inline code and comments; each line stays on its line."""

    def blank(found: re.Match[str]) -> str:
        return "\n" * found[0].count("\n")

    def code(found: re.Match[str]) -> str:
        return "`…`" + blank(found)

    return _INLINE.sub(code, _COMMENT.sub(blank, _FENCE.sub(blank, text)))


@dataclass(frozen=True)
class Paragraph:
    """A paragraph, list item, table row or heading. line: where it begins in its cell, from 1."""

    line: int
    text: str

    @property
    def heading(self) -> int:
        """Its level; 0 for what is no heading."""
        found = re.match(r"(#{1,6})\s", self.text)
        return len(found[1]) if found else 0


def paragraphs(prose: str) -> Iterator[Paragraph]:
    """The pieces of markdown prose in order."""
    begun, lines = 0, list[str]()
    for number, line in enumerate([*prose.split("\n"), ""], 1):
        alone = line.startswith("#") or line.lstrip().startswith("|")
        if lines and (not line.strip() or alone or _ITEM.match(line)):
            yield Paragraph(begun, "\n".join(lines))
            lines = []
        if not line.strip():
            continue
        if not lines:
            begun = number
        lines.append(line)
        if alone:
            yield Paragraph(begun, line)
            lines = []

"""`%container layers`: what each layer of an image holds, and what of it nobody sees."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from course_magics.containers.build.result import shorten
from course_magics.containers.images import instruction
from course_magics.containers.layers.saved import Saved
from course_magics.containers.layers.stack import File, Seen
from course_magics.display import Block, Branch, Command, Grid, Line, Table, Tree
from course_magics.units import show_bytes

#: The largest wasted files that the result shows.
_SHOWN = 5
_WIDE = 60
_SIGNS = {"added": "+", "changed": "~", "removed": "-"}


@dataclass
class Layer:
    """One layer. number: from 1, the lowest; instruction: what made it; size: bytes of its files.

    added, changed, removed: how many files (folders are not counted). hidden: bytes of it that a
    later layer overwrites or removes.
    """

    number: int
    instruction: str
    size: int
    added: int
    changed: int
    removed: int
    hidden: int
    _files: list[File]

    @property
    def rows(self) -> list[dict[str, Any]]:
        """What it does to each file: path, change, size, kind, hidden."""
        return [file._asdict() for file in self._files]

    @cached_property
    def files(self) -> dict[str, Any]:
        """Its files as a tree: name → the folder's own tree, or a `File`."""
        top: dict[str, Any] = {}
        for file in self._files:
            *folders, name = file.path.split("/")
            place = top
            for folder in folders:
                inner = place.setdefault(folder, {})
                if not isinstance(inner, dict):  # a folder that has taken a removed file's place
                    inner = place[folder] = {"": inner}
                place = inner
            if isinstance(place.get(name), dict):
                place[name][""] = file
            else:
                place[name] = file
        return top


class Layers(Table):
    """An image's layers. rows: one a layer (number, instruction, size, added, changed, removed,
    hidden); layers: the same as objects, with their files; files: each layer's files as a tree.

    efficiency: 1 where no file is in two layers (dive's definition). wasted_bytes: of all copies
    of each file that is in more than one layer, as dive counts; wasted_files: those files, largest
    first. hidden_bytes: those of them that no container sees. size: of all layers, in bytes.
    """

    def __init__(self, image: str, saved: Saved, line: str, *, files: int = 0, full: bool = False):
        seen = Seen()
        for entries in saved.layers:
            seen.lay(entries)
        self.image = image
        self.layers = list(_layers(seen, saved.instructions))
        self.size = sum(layer.size for layer in self.layers)
        counts = seen.counts.values()
        self.wasted_files = sorted(
            (c for c in counts if c.copies > 1 and c.size), key=lambda c: (-c.size, c.path)
        )
        self.wasted_bytes = sum(c.size for c in self.wasted_files)
        self.hidden_bytes = sum(layer.hidden for layer in self.layers)
        found = sum(c.size for c in counts)
        self.efficiency = sum(c.smallest for c in counts) / found if found else 1.0
        self._shown_files = files
        self._full = full
        columns = {
            "LAYER": "number",
            "INSTRUCTION": "shown",
            "SIZE": "shown size",
            "ADDED": "added",
            "CHANGED": "changed",
            "REMOVED": "removed",
            "HIDDEN": "shown hidden",
        }
        rows = [_row(layer, full=full) for layer in self.layers]
        right = [c for c in columns if c != "INSTRUCTION"]
        super().__init__(columns, rows, command=line, right=right, empty="(no layers)")

    @property
    def files(self) -> list[dict[str, Any]]:
        """Each layer's files as a tree, the lowest layer first."""
        return [layer.files for layer in self.layers]

    @property
    def user_wasted(self) -> float:
        """The wasted bytes as a share of all layers but the lowest, which is the base's."""
        own = self.size - self.layers[0].size if self.layers else 0
        return self.wasted_bytes / own if own else 0.0

    def blocks(self) -> Sequence[Block]:
        blocks: list[Block] = [b for b in super().blocks() if not isinstance(b, Command)]
        if self._shown_files:
            blocks += [Tree(_branch(layer), self._shown_files) for layer in self.layers]
        words = f"{self.image}: {show_bytes(self.size)}, efficiency {self.efficiency:.1%}"
        if self.wasted_files:
            several = "s" * (len(self.wasted_files) != 1)
            words += (
                f"; {len(self.wasted_files)} file{several} in more than one layer, "
                f"{show_bytes(self.wasted_bytes)} in all copies, "
                f"{show_bytes(self.hidden_bytes)} of them hidden"
            )
        blocks.append(Line(words, "good" if self.efficiency >= 0.9 else "warn"))
        if self.wasted_files:
            blocks.append(self._wasted())
        return [*blocks, Command(self.command)]

    def _wasted(self) -> Grid:
        shown = self.wasted_files if self._full else self.wasted_files[:_SHOWN]
        rows = [(show_bytes(w.size), str(w.copies), f"/{w.path}") for w in shown]
        more = len(self.wasted_files) - len(shown)
        if more:
            rows.append(("", "", f"… and {more} more (.wasted_files)"))
        return Grid(["WASTED", "TIMES", "FILE"], rows, frozenset({"WASTED", "TIMES"}))


def _layers(seen: Seen, instructions: Sequence[str]) -> Iterator[Layer]:
    for number, (changes, hidden) in enumerate(zip(seen.changes, seen.hidden, strict=True)):
        files = [
            File(path, change, entry.size, entry.kind, path in hidden)
            for path, (change, entry) in sorted(changes.items())
        ]
        kinds = [f.change for f in files]
        yield Layer(
            number + 1,
            instruction(instructions[number]) or "(its history does not say)",
            sum(f.size for f in files if f.change != "removed"),
            kinds.count("added"),
            kinds.count("changed"),
            kinds.count("removed"),
            sum(f.size for f in files if f.hidden),
            files,
        )


def _row(layer: Layer, *, full: bool) -> dict[str, Any]:
    return {
        "number": layer.number,
        "instruction": layer.instruction,
        "size": layer.size,
        "added": layer.added,
        "changed": layer.changed,
        "removed": layer.removed,
        "hidden": layer.hidden,
        "shown": layer.instruction if full else shorten(layer.instruction, _WIDE),
        "shown size": show_bytes(layer.size),
        "shown hidden": show_bytes(layer.hidden),
    }


def _branch(layer: Layer) -> Branch:
    """A layer's files for showing: + added, ~ changed, - removed."""
    title = f"layer {layer.number}: {shorten(layer.instruction, _WIDE)}"
    inner = _inner(layer.files)
    return Branch(title, layer.size, inner)


def _inner(tree: dict[str, Any]) -> list[Branch]:
    branches = []
    for name, found in tree.items():
        if isinstance(found, File):
            branches.append(Branch(f"{_SIGNS[found.change]} {name}", found.size))
        else:
            inner = _inner(found)
            signs = {b.words[0] for b in inner}
            sign = signs.pop() if len(signs) == 1 else "~"
            branches.append(Branch(f"{sign} {name}/", sum(b.size for b in inner), inner))
    return branches

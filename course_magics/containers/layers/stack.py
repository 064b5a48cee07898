"""Layers laid one on another: what each adds, changes, removes, and what that leaves unseen.

How a layer removes things: an empty file `.wh.NAME` takes NAME away, `.wh..wh..opq` all that lies
below in its folder (https://github.com/opencontainers/image-spec/blob/main/layer.md#whiteouts).
What efficiency and wasted bytes are: dive's definitions
(https://github.com/wagoodman/dive/blob/main/dive/filetree/efficiency.go).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from course_magics.containers.layers.saved import Entry

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"

Change = Literal["added", "changed", "removed"]


class File(NamedTuple):
    """What a layer does to one file. size: its bytes in this layer; removed: those it takes away.

    hidden: whether a later layer overwrites or removes it.
    """

    path: str
    change: Change
    size: int
    kind: str
    hidden: bool = False


@dataclass
class Wasted:
    """A file that is in more than one layer. size: of all its copies; copies: also its removal."""

    path: str
    copies: int = 0
    size: int = 0
    smallest: int = -1

    def count(self, size: int) -> None:
        """One more copy, of so many bytes; a removal counts as a copy of none."""
        self.copies += 1
        self.size += size
        self.smallest = size if self.smallest < 0 else min(self.smallest, size)


@dataclass
class Seen:
    """The stack so far. files: what a container would see, path → (its layer's number, entry)."""

    files: dict[str, tuple[int, Entry]] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    counts: dict[str, Wasted] = field(default_factory=dict)
    changes: list[dict[str, tuple[Change, Entry]]] = field(default_factory=list)
    hidden: list[set[str]] = field(default_factory=list)

    def lay(self, entries: Sequence[Entry]) -> None:
        """Put one more layer on top."""
        number = len(self.changes)
        changes: dict[str, tuple[Change, Entry]] = {}
        self.changes.append(changes)
        self.hidden.append(set())
        gone = self._take_away(entries)
        for path in gone:
            before, entry = self.files.pop(path)
            self.hidden[before].add(path)
            changes[path] = ("removed", entry)
        for entry in entries:
            name = entry.path.rpartition("/")[2]
            if entry.kind == "dir":
                self.folders.add(entry.path)
            elif not name.startswith(_WHITEOUT):
                self._put(number, entry, changes)
        for path, (change, _) in changes.items():
            if change == "removed":
                self.counts[path].count(0)

    def _put(self, number: int, entry: Entry, changes: dict[str, tuple[Change, Entry]]) -> None:
        path = entry.path
        known = path in self.files or path in changes
        if path in self.files and self.files[path][0] != number:
            self.hidden[self.files[path][0]].add(path)
        if path in changes and changes[path][0] != "removed":
            return  # the same name twice in one layer: no builder writes that
        changes[path] = ("changed" if known else "added", entry)
        self.files[path] = (number, entry)
        self.folders.discard(path)
        self.counts.setdefault(path, Wasted(path)).count(entry.size)

    def _take_away(self, entries: Iterable[Entry]) -> list[str]:
        """The files below that this layer removes, one by one or with their folder."""
        gone: list[str] = []
        whole: set[str] = set()  # folders of which nothing stays
        for entry in entries:
            folder, _, name = entry.path.rpartition("/")
            if name == _OPAQUE:
                whole.add(folder)
            elif name.startswith(_WHITEOUT):
                if not name.startswith(".wh..wh."):  # aufs's own notes
                    path = f"{folder}/{name[4:]}".lstrip("/")
                    (gone.append(path) if path in self.files else whole.add(path))
            elif entry.kind == "dir":
                if entry.path in self.files:  # a folder in the place of a file
                    gone.append(entry.path)
            elif entry.path in self.folders:  # a file in the place of a folder
                whole.add(entry.path)
        if whole:
            self.folders = {f for f in self.folders if not _within(f, whole)}
            gone += [path for path in self.files if _within(path, whole)]
        return list(dict.fromkeys(gone))


def _within(path: str, folders: set[str]) -> bool:
    """Whether `path` lies somewhere below one of `folders` ("" being the top)."""
    while path:
        path = path.rpartition("/")[0]
        if path in folders:
            return True
    return False

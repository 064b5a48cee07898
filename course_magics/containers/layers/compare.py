"""`%container compare A B`: two images beside each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from course_magics import engine, labels
from course_magics.containers.build.result import shorten
from course_magics.containers.layers.saved import Entry, Saved, save
from course_magics.containers.layers.stack import Seen
from course_magics.display import Block, Command, Grid, Line, Table
from course_magics.errors import Interrupted
from course_magics.units import show_bytes

#: Files of each kind that the result shows.
_SHOWN = 8
_WIDE = 40


class Comparison(Table):
    """Two images. rows: one a file that differs: path, in ("A", "B" or "both"), a, b (bytes, None
    where it is not), change.

    config: rows of what differs in the configuration: name, a, b (None: not set). shared: how many
    layers, from the lowest, are the same; layers, sizes: a pair each, A's first.
    """

    def __init__(
        self, names: tuple[str, str], both: tuple[Saved, Saved], line: str, *, full: bool = False
    ) -> None:
        self.names = names
        self.layers = (len(both[0].layers), len(both[1].layers))
        self.sizes = (_size(both[0]), _size(both[1]))
        self.shared, self.shared_size = _shared(*both)
        self.config = list(_config(both[0].config, both[1].config))
        self._full = full
        columns = {"": "in", "FILE": "path", "A": "shown a", "B": "shown b"}
        rows = list(_files(_seen(both[0]), _seen(both[1])))
        rows.sort(key=lambda r: (-r["bytes"], r["path"]))
        super().__init__(columns, rows, command=line, right=["A", "B"], empty="(no file differs)")

    def only(self, place: str) -> list[dict[str, Any]]:
        """The files that are only in "A" or only in "B", or that differ: "both"."""
        return [row for row in self.rows if row["in"] == place]

    def blocks(self) -> Sequence[Block]:
        (a, b), (one, other) = self.names, self.sizes
        facts = [
            ("image", a, b),
            ("size", show_bytes(one), show_bytes(other)),
            ("layers", *map(str, self.layers)),
        ]
        some = self.config if self._full else self.config[: 2 * _SHOWN]
        differing: list[tuple[str, ...]] = [
            (str(r["name"]), self._value(r["a"]), self._value(r["b"])) for r in some
        ]
        if more := len(self.config) - len(some):
            differing.append((f"… and {more} more (.config)", "", ""))
        blocks: list[Block] = [Grid(["", "A", "B"], [*facts, *differing])]
        blocks.append(
            Line(
                f"layers shared, from the lowest up: {self.shared}, {show_bytes(self.shared_size)}"
            )
        )
        shown: list[tuple[str, ...]] = []
        for place, words in (("both", "differs"), ("A", "only in A"), ("B", "only in B")):
            found = self.only(place)
            files = found if self._full else found[:_SHOWN]
            shown += [(words, f"/{r['path']}", r["shown a"], r["shown b"]) for r in files]
            if more := len(found) - len(files):
                shown.append((words, f"… and {more} more (.rows)", "", ""))
        heads = ["FILES", "PATH", "A", "B"]
        blocks.append(Grid(heads, shown, frozenset({"A", "B"}), "(no file differs)"))
        return [*blocks, Command(self.command)]

    def _value(self, text: str | None) -> str:
        if text is None:
            return ""
        return (text if self._full else shorten(text, _WIDE)) or '""'


def compare(one: str, other: str, line: str, *, full: bool = False) -> Comparison:
    """The images `one` and `other` beside each other. full: nothing is shortened.

    Raises EngineError, Interrupted.
    """
    try:
        with engine.talking(line) as api:
            both = (
                save(api, one, line, checksums=True),
                save(api, other, line, checksums=True),
            )
    except KeyboardInterrupt:
        raise Interrupted("interrupted: the images were not compared", command=line) from None
    return Comparison((one, other), both, line, full=full)


def _size(saved: Saved) -> int:
    return sum(entry.size for entries in saved.layers for entry in entries)


def _shared(one: Saved, other: Saved) -> tuple[int, int]:
    """How many layers, from the lowest, are the same, and their bytes."""
    ids = [s.config.get("rootfs", {}).get("diff_ids") or [] for s in (one, other)]
    count = size = 0
    for a, b, entries in zip(*ids, one.layers, strict=False):
        if a != b:
            break
        count += 1
        size += sum(e.size for e in entries)
    return count, size


def _seen(saved: Saved) -> dict[str, Entry]:
    seen = Seen()
    for entries in saved.layers:
        seen.lay(entries)
    return {path: entry for path, (_, entry) in seen.files.items()}


def _files(one: dict[str, Entry], other: dict[str, Entry]) -> Iterator[dict[str, Any]]:
    for path in one.keys() | other.keys():
        a, b = one.get(path), other.get(path)
        if a is not None and b is not None and _same(a, b):
            continue
        yield {
            "path": path,
            "in": "both" if a and b else "A" if a else "B",
            "a": a.size if a else None,
            "b": b.size if b else None,
            "bytes": max(e.size for e in (a, b) if e),
            "shown a": _shown(a),
            "shown b": _shown(b),
        }


def _same(a: Entry, b: Entry) -> bool:
    """A hard link stands for its target, which is compared under its own name."""
    return (a.kind, a.size, a.target, a.checksum) == (b.kind, b.size, b.target, b.checksum)


def _shown(entry: Entry | None) -> str:
    if entry is None:
        return ""
    if entry.kind == "symlink":
        return f"→ {entry.target}"
    return show_bytes(entry.size) if entry.kind == "file" else entry.kind


def _config(one: dict[str, Any], other: dict[str, Any]) -> Iterator[dict[str, str | None]]:
    """What differs in how a container starts: a row for each variable, label, port…"""
    a, b = (dict(_settings(c)) for c in (one, other))
    for name in sorted(a.keys() | b.keys()):
        if a.get(name) != b.get(name):
            yield {"name": name, "a": a.get(name), "b": b.get(name)}


def _settings(config: dict[str, Any]) -> Iterator[tuple[str, str]]:
    import json

    yield "architecture", f"{config.get('os', '')}/{config.get('architecture', '')}"
    for name, value in (config.get("config") or {}).items():
        if name in ("Image", "Hostname") or not value:
            continue  # what the old builder leaves behind of its own containers
        if name == "Env":
            for item in value:
                variable, _, text = item.partition("=")
                yield f"env {variable}", text
        elif name == "Labels":
            for label, text in value.items():
                if label != labels.IMAGE:  # ours says nothing about what is in it
                    yield f"label {label}", text
        elif isinstance(value, dict):
            yield name.lower(), " ".join(sorted(value))
        else:
            yield name.lower(), value if isinstance(value, str) else json.dumps(value)

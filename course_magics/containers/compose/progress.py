"""What compose tells while it works: a line for each change of a container, network or volume."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from course_magics.display import Block, Command, Grid, Line, Shown
from course_magics.streams import ByLine, Sink

_KINDS = "Container|Network|Volume|Image|Service|Config|Secret"
_CHANGE = re.compile(
    rf"^ (?:(?P<kind>{_KINDS}) +)?(?P<name>\"?[\w.:/@-]+\"?) +(?P<state>[A-Z][a-z]+)(?P<more> .*)?$"
)
_WARNING = re.compile(r'^time="[^"]*" level=warning msg="(?P<words>.*)"$')
_NOISE = ("Aborting on container exit", "Gracefully stopping")


class Progress(ByLine):
    """Reads compose's lines. A sink; close it after.

    steps: (kind, name) → the state reached, in the order of their first mention. warnings: its
    warnings. rest: lines that are neither, which say why it failed. other: where those go as well.
    """

    def __init__(
        self, moved: Callable[[Progress], object] | None = None, other: Sink | None = None
    ) -> None:
        self.steps: dict[tuple[str, str], str] = {}
        self.warnings: list[str] = []
        self.rest: list[str] = []
        self._moved = moved
        self._other = other

    @property
    def words(self) -> str:
        """Why it failed, in compose's own words."""
        return "\n".join(self.rest)

    def _line(self, raw: bytes) -> None:
        line = raw.decode("utf-8", "replace").rstrip("\r").removeprefix("\x1b[2K")
        if match := _CHANGE.match(line):
            key = (match["kind"] or "Service").lower(), match["name"].strip('"')
            state = match["state"].lower()
            if state == "resource":  # "Network x  Resource is still in use"
                state += match["more"] or ""
            self.steps[key] = state
            if self._moved is not None:
                self._moved(self)
        elif match := _WARNING.match(line):
            words = _shorter(match["words"].replace('\\"', '"').rpartition(": ")[2])
            if words not in self.warnings:
                self.warnings.append(words)
        elif line.strip() and not line.startswith(_NOISE):
            self.rest.append(line)
            if self._other is not None:
                self._other.write(raw + b"\n")


def _shorter(words: str) -> str:
    """A warning of compose, without the advice that is about files."""
    if match := re.match(r"Found orphan containers \(\[(.*)\]\)", words):
        names = ", ".join(sorted(match[1].split()))
        return f"of services that the file no longer has: {names} (--remove-orphans removes them)"
    return words


class Changes(Shown):
    """What compose did. rows: kind, name and what was done to each; names: those of containers.

    notes: compose's warnings.
    """

    def __init__(self, progress: Progress, command: str, nothing: str = "nothing to do") -> None:
        self.rows = [
            {"kind": kind, "name": name, "done": state}
            for (kind, name), state in sorted(progress.steps.items())
        ]
        self.command = command
        self.notes = progress.warnings
        self._nothing = nothing

    @property
    def names(self) -> list[str]:
        """The containers that were changed."""
        return [row["name"] for row in self.rows if row["kind"] == "container"]

    def blocks(self) -> Sequence[Block]:
        found: list[Block] = [Line(f"warning: {note}", "warn") for note in self.notes]
        rows = [(row["kind"], row["name"], row["done"]) for row in self.rows]
        found.append(Grid(["KIND", "NAME", "DONE"], rows) if rows else Line(self._nothing))
        return [*found, Command(self.command)]

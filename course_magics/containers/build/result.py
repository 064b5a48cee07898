"""A build as it grows and as it ended."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from course_magics.containers.build.instructions import Instruction
from course_magics.containers.lint.finding import Finding
from course_magics.display import Block, Command, Grid, Line, Shown
from course_magics.units import show_bytes

State = Literal["waiting", "running", "base", "cached", "built", "failed", "skipped"]


@dataclass
class Step:
    """One instruction of the build. seconds: how long it took; size: bytes its layer added.

    findings: what lint finds on its lines.
    """

    instruction: Instruction
    state: State = "waiting"
    seconds: float = 0.0
    size: int | None = None
    output: bytearray = field(default_factory=bytearray)
    started: float = 0.0
    findings: list[Finding] = field(default_factory=list)

    def begin(self) -> None:
        """It runs from now on."""
        if self.state == "waiting":
            self.state, self.started = "running", time.monotonic()

    def end(self, state: State, seconds: float | None = None) -> None:
        """It has ended as `state`."""
        if seconds is not None:
            self.seconds = seconds
        elif self.started:
            self.seconds = time.monotonic() - self.started
        self.state = state

    def elapsed(self) -> float:
        """Seconds so far."""
        return time.monotonic() - self.started if self.state == "running" else self.seconds

    def tail(self, lines: int) -> str:
        """The last lines of its output."""
        text = self.output.decode("utf-8", "replace").replace("\r\n", "\n")
        kept = [line.rpartition("\r")[2] for line in text.rstrip("\n").split("\n")]
        return "\n".join(kept[-lines:])


class Build(Shown):
    """A build. tags, image (id), size (bytes), layers, steps, seconds; cached: steps from cache."""

    def __init__(self, instructions: Sequence[Instruction], tags: Sequence[str], line: str) -> None:
        self.steps = [Step(i) for i in instructions]
        self.tags = list(tags)
        self.command = line
        self.image = ""
        self.size = 0
        self.layers = 0
        self.notes: list[str] = []
        self._begun = time.monotonic()
        self.seconds = 0.0

    def finish(self) -> None:
        """It has ended: stop the clock; what never began was skipped (another target)."""
        self.seconds = time.monotonic() - self._begun
        for step in self.steps:
            if step.state == "waiting":
                step.state = "skipped"

    @property
    def counted(self) -> list[Step]:
        """The steps that did something: without FROM, and without skipped ones."""
        return [s for s in self.steps if s.state in ("cached", "built", "failed")]

    @property
    def cached(self) -> int:
        """How many steps came from the cache."""
        return sum(s.state == "cached" for s in self.counted)

    @property
    def output(self) -> str:
        """All that the steps have printed."""
        return "".join(s.output.decode("utf-8", "replace") for s in self.steps)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The steps as plain data: instruction, state, seconds, bytes of its layer."""
        return [
            {"instruction": s.instruction.text, "state": s.state}
            | {"seconds": s.seconds, "bytes": s.size}
            for s in self.steps
        ]

    @property
    def data(self) -> dict[str, Any]:
        """What was built, plain."""
        return {
            "tags": self.tags,
            "image": self.image,
            "bytes": self.size,
            "layers": self.layers,
            "cached": self.cached,
            "seconds": self.seconds,
            "notes": self.notes,
            "steps": self.rows,
        }

    def _cells(self) -> list[tuple[str, str, str, str, str]]:
        """step, instruction, state, seconds, size: as shown."""
        return [
            (
                f"{n}/{len(self.steps)}",
                shorten(s.instruction.text),
                s.state,
                f"{s.seconds:.1f} s" if s.state in ("built", "failed") else "",
                "" if s.size is None else show_bytes(s.size),
            )
            for n, s in enumerate(self.steps, 1)
        ]

    def blocks(self) -> Sequence[Block]:
        heads, rows = ["STEP", "INSTRUCTION", "", "TIME", "LAYER"], [*self._cells()]
        told = [", ".join(f.rule for f in s.findings if f.level != "info") for s in self.steps]
        table: list[tuple[str, ...]] = [*rows]
        if any(told):  # the names alone: --check tells more
            heads.append("LINT")
            table = [(*row, words) for row, words in zip(rows, told, strict=True)]
        blocks: list[Block] = [Grid(heads, table, frozenset({"TIME", "LAYER"}))]
        if self.image:
            name = self.tags[0] if self.tags else "image"
            counted = len(self.counted)
            cached = f"{self.cached} of {counted} steps cached" if counted else "no step of its own"
            layers = f"{self.layers} layer{'s' * (self.layers != 1)}"
            words = f"{name}: {show_bytes(self.size)} in {layers}, {cached}"
            blocks.append(Line(words, "good"))
        blocks += [Line(note, "warn") for note in self.notes]
        if any(told):
            blocks.append(Line("%%dockerfile --check tells what the LINT column means", "dim"))
        return [*blocks, Command(self.command)]


def shorten(text: str, limit: int = 64) -> str:
    """An instruction on one short line."""
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"

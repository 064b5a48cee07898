"""A finding, and all of those in one Dockerfile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from course_magics.display import Block, Command, Line, Pre, Table

Level = Literal["error", "warning", "info"]
LEVELS: tuple[Level, ...] = ("error", "warning", "info")
_TONES: dict[Level, Literal["bad", "warn", "dim"]] = {
    "error": "bad",
    "warning": "warn",
    "info": "dim",
}


@dataclass(frozen=True)
class Finding:
    """line: from 1. rule: its name (BuildKit's where BuildKit has it). source: who found it."""

    line: int
    rule: str
    level: Level
    reason: str
    fix: str = ""
    source: str = "course"


class Lint(Table):
    """The findings in a Dockerfile. rows: line, rule, level, reason, fix, source."""

    def __init__(
        self, dockerfile: str, findings: Sequence[Finding], sources: Sequence[str], line: str
    ) -> None:
        self.findings = sorted(findings, key=lambda f: (f.line, LEVELS.index(f.level), f.rule))
        self.sources = list(sources)
        self.dockerfile = dockerfile
        columns = {"LINE": "line", "RULE": "rule", "LEVEL": "level", "REASON": "reason"}
        super().__init__(columns, [asdict(f) for f in self.findings], command=line, right=["LINE"])

    def worst(self) -> Level | None:
        """The highest level among the findings."""
        return min((f.level for f in self.findings), key=LEVELS.index, default=None)

    def blocks(self) -> Sequence[Block]:
        blocks: list[Block] = []
        lines = self.dockerfile.rstrip("\n").splitlines()
        plain: list[str] = []
        for number, text in enumerate(lines, 1):
            plain.append(f"{number:>3}  {text}")
            for finding in self.findings:
                if finding.line != number:
                    continue
                if plain:
                    blocks.append(Pre("\n".join(plain)))
                    plain = []
                told = f"     ^ {finding.level} {finding.rule}: {finding.reason}"
                blocks.append(Pre(told, _TONES[finding.level]))
                if finding.fix:
                    blocks.append(Pre(f"       → {finding.fix}", "dim"))
        if plain:
            blocks.append(Pre("\n".join(plain)))
        counts = [(sum(f.level == level for f in self.findings), level) for level in LEVELS]
        told = ", ".join(f"{n} {level}{'s' * (n != 1)}" for n, level in counts if n)
        by = f"(checked by {', '.join(self.sources)})"
        tone: Literal["good", "warn"] = "warn" if told else "good"
        blocks.append(Line(f"{told or 'no findings'} {by}", tone))
        return [*blocks, Command(self.command)]

"""A Dockerfile's instructions and the lines on which they stand.

The format: https://docs.docker.com/reference/dockerfile/. Nothing is checked here, the builder does
that; this only tells which line of the cell a step belongs to.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

#: Every instruction that Docker knows.
KEYWORDS = (
    *("ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL"),
    *("MAINTAINER", "ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"),
)
_HEREDOC = re.compile(r"(?<!\S)\d*<<-?(['\"]?)([A-Za-z_][A-Za-z0-9_]*)\1")


@dataclass(frozen=True)
class Instruction:
    """One instruction: keyword, its words on one line, the cell's line (from 1), its stage.

    end: its last line, with its heredocs; body: what the heredocs hold.
    """

    keyword: str
    text: str
    line: int
    stage: int
    stage_name: str = ""
    end: int = 0
    body: str = ""

    @property
    def makes_files(self) -> bool:
        """Whether it can add a layer; the others only change the image's configuration."""
        return self.keyword in ("RUN", "COPY", "ADD", "WORKDIR")


def read(dockerfile: str) -> list[Instruction]:
    """The instructions of `dockerfile`, in order. Stage 0 is also what stands before any FROM."""
    lines = dockerfile.splitlines()
    escape = _escape_character(lines)
    found: list[Instruction] = []
    stage, name = -1, ""
    at = 0
    while at < len(lines):
        start, text = at, lines[at].strip()
        at += 1
        if not text or text.startswith("#"):
            continue
        while text.endswith(escape) and at < len(lines):
            following = lines[at].strip()
            at += 1
            if following.startswith("#") or not following:
                continue  # comments and empty lines inside an instruction are left out
            text = f"{text[: -len(escape)].rstrip()} {following}"
        text = text.removesuffix(escape).rstrip()
        if not text:
            continue  # a lone escape at the end of the file
        keyword = text.split(None, 1)[0].upper()
        body: list[str] = []
        if keyword in ("RUN", "COPY", "ADD"):
            for match in _HEREDOC.finditer(text):
                while at < len(lines) and lines[at].strip() != match[2]:
                    body.append(lines[at])
                    at += 1
                at += 1
        if keyword == "FROM":
            stage += 1
            words = text.split()
            name = words[-1] if len(words) > 3 and words[-2].upper() == "AS" else ""
        last = min(at, len(lines))
        found.append(
            Instruction(keyword, text, start + 1, max(stage, 0), name, last, "\n".join(body))
        )
    return found


def heredoc(instruction: Instruction) -> bool:
    """Whether the instruction goes on in a heredoc, which only BuildKit reads."""
    return instruction.keyword in ("RUN", "COPY", "ADD") and bool(_HEREDOC.search(instruction.text))


def _escape_character(lines: list[str]) -> str:
    for line in lines:
        match = re.match(r"#\s*(\w+)\s*=\s*(\S+)\s*$", line)
        if not match:
            break
        if match[1].lower() == "escape":
            return match[2]
    return "\\"


def stages(instructions: list[Instruction]) -> list[str]:
    """The names of the stages that have one."""
    return list(dict.fromkeys(i.stage_name for i in instructions if i.stage_name))

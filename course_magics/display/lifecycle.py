"""The states of a container, docker's words between them, and the picture of both.

One table of moves makes the drawing, the sentence below it and the text: they cannot differ.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from course_magics.display.blocks import Block, Command, Grid, Line
from course_magics.display.shown import Shown
from course_magics.text import clean

CREATED, RUNNING, PAUSED, EXITED, REMOVED = "created", "running", "paused", "exited", "removed"
STATES = (CREATED, RUNNING, PAUSED, EXITED, REMOVED)
#: (from, to) → docker's words that lead there.
MOVES: dict[tuple[str, str], tuple[str, ...]] = {
    (CREATED, RUNNING): ("start",),
    (CREATED, REMOVED): ("rm",),
    (RUNNING, PAUSED): ("pause",),
    (RUNNING, EXITED): ("stop", "kill"),
    (RUNNING, RUNNING): ("restart",),
    (RUNNING, REMOVED): ("rm -f",),
    (PAUSED, RUNNING): ("unpause",),
    (PAUSED, EXITED): ("stop", "kill"),
    (PAUSED, REMOVED): ("rm -f",),
    (EXITED, RUNNING): ("start",),
    (EXITED, REMOVED): ("rm",),
}
#: So much of a name fits into the picture.
_NAME = 40


def moves(state: str) -> list[tuple[str, str]]:
    """What can be typed in this state, and the state that it leads to."""
    return [(word, to) for (at, to), words in MOVES.items() if at == state for word in words]


@dataclass(frozen=True)
class Moment(Shown):
    """Where a container is in its life. seen: the states it has been in, this one last.

    code: its exit status once it has ended. note: why the picture is no longer kept up to date.
    """

    name: str
    state: str
    code: int | None = None
    seen: tuple[str, ...] = ()
    note: str = ""

    @property
    def words(self) -> str:
        """The state, with the exit status of what has ended."""
        ended = self.state == EXITED and self.code is not None
        return f"exited ({self.code})" if ended else self.state

    @property
    def sentence(self) -> str:
        """The state, and docker's words that lead on from here."""
        told = f"{self.name} is {self.words}."
        if self.state == REMOVED:
            return f"{told} Nothing leads on from here; docker run makes another one."
        lines = ", ".join(f"docker {word} {self.name}" for word, _ in moves(self.state))
        own = " Or its program ends by itself." if self.state == RUNNING else ""
        return f"{told} From here: {lines}.{own}"

    def blocks(self) -> Sequence[Block]:
        way = [f"[{self.words}]" if s == self.state else s for s in STATES]
        found: list[Block] = [Line(f"{self.name}: {'   '.join(way)}")]
        rows = [(f"docker {word} {self.name}", to) for word, to in moves(self.state)]
        if self.state == RUNNING:
            rows.append(("(its program ends)", EXITED))
        if rows:
            found.append(Grid(["from here", "leads to"], rows))
        if self.note:
            found.append(Line(self.note, "warn"))
        return [*found, Command(f"docker events --filter container={self.name}")]

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/plain": str(self), "image/svg+xml": svg(self)}


@dataclass(frozen=True)
class _Edge:
    """A line of the picture: its path, the turn of its head (degrees), and where its words stand.

    The head is drawn with it: a marker is looked up by its id, and a page may hold many pictures.
    """

    path: str
    turn: int
    label: str
    x: int
    y: int
    anchor: str = "middle"


_BOX = {
    CREATED: (92, 60), RUNNING: (292, 60), PAUSED: (552, 60),
    EXITED: (292, 210), REMOVED: (92, 210),
}  # fmt: skip
_WIDE, _HIGH = 136, 54
_EDGES = {
    (CREATED, RUNNING): _Edge("M228,87 H289", 0, "start", 258, 79),
    (CREATED, REMOVED): _Edge("M160,114 V207", 90, "rm", 152, 166, "end"),
    (RUNNING, PAUSED): _Edge("M428,77 H549", 0, "pause", 490, 69),
    (PAUSED, RUNNING): _Edge("M552,99 H431", 180, "unpause", 490, 118),
    (RUNNING, EXITED): _Edge("M348,114 V207", 90, "stop, kill,\nits end", 341, 172, "end"),
    (EXITED, RUNNING): _Edge("M374,210 V117", -90, "start", 382, 150, "start"),
    (RUNNING, RUNNING): _Edge("M335,60 C330,22 390,22 386,57", 95, "restart", 392, 38, "start"),
    (RUNNING, REMOVED): _Edge("M300,114 L212,207", 133, "rm -f", 238, 150, "end"),
    (PAUSED, EXITED): _Edge("M580,114 L431,218", 145, "stop, kill", 520, 178, "start"),
    (PAUSED, REMOVED): _Edge(
        "M630,114 V278 Q630,290 618,290 H172 Q160,290 160,278 V267", -90, "rm -f", 395, 284
    ),
    (EXITED, REMOVED): _Edge("M292,237 H231", 180, "rm", 262, 229),
}
_DARK, _PALE, _NOW, _LAST = "#222", "#767676", "#1f77b4", "#1b7f3b"


def svg(moment: Moment) -> str:
    """The picture. The state is told by words, by a dot and by weight, not by colour alone."""
    name = clean(moment.name)
    short = name if len(name) <= _NAME else f"{name[: _NAME - 1]}…"
    last = tuple(moment.seen[-2:])
    drawn = sorted(_EDGES.items(), key=lambda e: (e[0] == last, e[0][0] == moment.state))
    way = " → ".join(moment.seen)
    below = [f"{short} is {moment.words}", f"so far: {way}" if len(moment.seen) > 1 else ""]
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 350" width="720" '
        'role="img" style="max-width:100%;height:auto" font-family="sans-serif" font-size="15">'
        f"<title>{escape(f'The life of the container {name}')}</title>"
        f"<desc>{escape(clean(moment.sentence))}</desc>"
        '<rect width="720" height="350" rx="10" fill="#fff"/>'
        f'<circle cx="26" cy="87" r="6" fill="{_PALE}"/>'
        f'<path d="M32,87 H89" stroke="{_PALE}" stroke-width="1.5"/>{_head("M32,87 H89", 0, _PALE)}'
        f'<text x="60" y="79" text-anchor="middle" fill="{_PALE}">create</text>'
        f'<text x="20" y="34" fill="{_PALE}">run = create + start</text>'
        + "".join(_edge(ends, edge, moment.state, last) for ends, edge in drawn)
        + "".join(_box(state, moment) for state in STATES)
        + "".join(
            f'<text x="20" y="{318 + 22 * i}" fill="{_DARK}" '
            f'font-weight="{"normal" if i else "bold"}">{escape(words)}</text>'
            for i, words in enumerate(below)
            if words
        )
        + "</svg>"
    )


def _head(path: str, turn: int, colour: str) -> str:
    """The head of an arrow, at the end of its path."""
    x, y = _end(path)
    return (
        f'<path d="M-8,-5 L3,0 L-8,5 z" fill="{colour}" '
        f'transform="translate({x:g},{y:g}) rotate({turn})"/>'
    )


def _end(path: str) -> tuple[float, float]:
    x = y = 0.0
    for kind, numbers in re.findall(r"([MLHVCQ])([\d., ]+)", path):
        values = [float(n) for n in re.findall(r"[\d.]+", numbers)]
        x = values[-1] if kind == "H" else x if kind == "V" else values[-2]
        y = values[-1] if kind != "H" else y
    return x, y


def _edge(ends: tuple[str, str], edge: _Edge, state: str, last: tuple[str, ...]) -> str:
    kind = "last" if ends == last else "dark" if ends[0] == state else "pale"
    colour = {"last": _LAST, "dark": _DARK, "pale": _PALE}[kind]
    wide = {"last": 4, "dark": 2, "pale": 1.2}[kind]
    dashes = ' stroke-dasharray="4 4"' if kind == "pale" else ""
    weight = "normal" if kind == "pale" else "bold"
    return (
        f'<path d="{edge.path}" fill="none" stroke="{colour}" stroke-width="{wide}"{dashes}/>'
        + _head(edge.path, edge.turn, colour)
        + "".join(
            f'<text x="{edge.x}" y="{edge.y + 18 * i}" text-anchor="{edge.anchor}" '
            f'fill="{colour}" font-weight="{weight}">{words}</text>'
            for i, words in enumerate(edge.label.split("\n"))
        )
    )


def _box(state: str, moment: Moment) -> str:
    x, y = _BOX[state]
    now = state == moment.state
    fill, ink, line = (_NOW, "#fff", _DARK) if now else ("#fff", "#333", _PALE)
    words = f"● {moment.words}" if now else state
    return (
        f'<rect x="{x}" y="{y}" width="{_WIDE}" height="{_HIGH}" rx="10" fill="{fill}" '
        f'stroke="{line}" stroke-width="{3 if now else 1.5}"/>'
        f'<text x="{x + _WIDE // 2}" y="{y + 32}" text-anchor="middle" fill="{ink}" '
        f'font-weight="{"bold" if now else "normal"}">{escape(words)}</text>'
    )

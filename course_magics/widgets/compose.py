"""The live view of a compose project: a row a service, its state and health as they change."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from html import escape
from typing import Any

from course_magics.containers.compose.progress import Progress
from course_magics.containers.compose.up import Blind, Watch
from course_magics.text import clean
from course_magics.widgets.live import View
from course_magics.widgets.live import view as live_view

_MONO = "font-family:var(--jp-code-font-family,monospace);font-size:12px"
_GOOD = "var(--jp-success-color1,#1b7f3b)"
_BAD = "var(--jp-error-color1,#b3261e)"
_BUSY = "var(--jp-brand-color1,#1976d2)"
_COLOURS = {
    "healthy": _GOOD,
    "running": _GOOD,
    "started": _GOOD,
    "created": _GOOD,
    "stopped": _GOOD,
    "removed": _GOOD,
    "unhealthy": _BAD,
    "error": _BAD,
}


class Live:
    """Shows what it is told: first compose's steps, then the containers themselves."""

    def __init__(self) -> None:
        self._rows: list[tuple[str, str, str]] = []
        self._view: View | None = live_view(self.render)

    def progress(self, progress: Progress) -> None:
        """Compose has changed something."""
        steps = progress.steps.items()
        self._show([(kind, name, state) for (kind, name), state in steps])

    def rows(self, rows: list[dict[str, Any]]) -> None:
        """The containers are now like this."""
        self._show([("service", r["shown name"], r["Health"] or r["State"]) for r in rows])

    def render(self) -> str:
        """The view as HTML, everything from outside escaped."""
        body = "".join(
            f'<tr style="line-height:1.5"><td style="padding-right:10px">{escape(kind)}</td>'
            f'<td style="padding-right:14px">{escape(clean(name))}</td>'
            f'<td style="color:{_colour(state)}">{escape(clean(state))}</td></tr>'
            for kind, name, state in self._rows
        )
        return f'<table role="status" style="{_MONO};border-collapse:collapse">{body}</table>'

    def close(self) -> None:
        """Take the view away."""
        if self._view is not None:
            self._view.close()

    def _show(self, rows: list[tuple[str, str, str]]) -> None:
        self._rows = rows
        if self._view is not None:
            self._view.moved()


def _colour(state: str) -> str:
    if state.startswith("exited"):
        return _GOOD if state == "exited (0)" else _BAD
    return _COLOURS.get(state, _BUSY)


@contextlib.contextmanager
def live(wanted: bool = True) -> Iterator[Watch]:
    """Show a live view while the block runs; yields what is told of changes."""
    if not wanted:
        yield Blind()
        return
    shown = Live()
    try:
        yield shown
    finally:
        shown.close()

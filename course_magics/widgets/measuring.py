"""The live view of a measurement: a progress bar and what is going on."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape

from course_magics import settings
from course_magics.experiments.lab import Progress
from course_magics.text import clean
from course_magics.widgets.live import view


@dataclass
class Shown:
    """How far a measurement is."""

    name: str
    done: int = 0
    total: int = 1
    words: str = ""
    begun: float = field(default_factory=time.monotonic)

    def render(self) -> str:
        """The view as HTML, everything from outside escaped."""
        share = min(100 * self.done // max(self.total, 1), 100)
        seconds = time.monotonic() - self.begun
        words = escape(clean(f"measuring {self.name}: {self.words}, {seconds:.0f} s"))
        return (
            f'<div role="status">{words}</div>'
            f'<div role="progressbar" aria-valuenow="{share}" aria-valuemin="0" '
            f'aria-valuemax="100" aria-label="{escape(clean(self.name))}" '
            'style="width:24em;height:6px;background:var(--jp-border-color2,#ddd)">'
            f'<div style="width:{share}%;height:6px;background:var(--jp-brand-color1,#1976d2)">'
            "</div></div>"
        )


@contextlib.contextmanager
def live(name: str) -> Iterator[Progress]:
    """Show a view while the block runs; yields what to call with the progress."""
    shown = Shown(name)
    window = view(shown.render) if settings.current().live else None

    def moved(done: int, total: int, words: str) -> None:
        shown.done, shown.total, shown.words = done, total, words
        if window is not None:
            window.moved()

    try:
        yield moved
    finally:
        if window is not None:
            window.close()

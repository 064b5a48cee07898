"""The live view of the embedded engine's start: each step, and how long it has taken so far."""

from __future__ import annotations

import time
from html import escape

from course_magics import settings
from course_magics.text import clean
from course_magics.widgets.live import View, view

_MONO = "font-family:var(--jp-code-font-family,monospace);font-size:12px"


class Starting:
    """Shows the steps that it is told; nothing before the first one."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, float]] = []
        self._view: View | None = None

    def __call__(self, step: str) -> None:
        """The next step has begun."""
        self.steps.append((step, time.monotonic()))
        if len(self.steps) == 1 and settings.current().live:
            self._view = view(self.render)
        if self._view is not None:
            self._view.moved()

    def close(self) -> None:
        """Take the view away."""
        if self._view is not None:
            self._view.close()

    def render(self) -> str:
        """The view as HTML."""
        ends = [begun for _, begun in self.steps[1:]] + [time.monotonic()]
        rows = "".join(
            f'<tr><td style="padding-right:10px">{"▶" if n == len(self.steps) else "✔"}</td>'
            f"<td>{escape(clean(step))}</td>"
            f'<td style="text-align:right;padding-left:14px">{end - begun:.1f} s</td></tr>'
            for n, ((step, begun), end) in enumerate(zip(self.steps, ends, strict=True), 1)
        )
        return (
            '<div role="status">Starting the embedded engine</div>'
            f'<table style="{_MONO};border-collapse:collapse">{rows}</table>'
        )

"""The live view of a build: a row a step, a bar, seconds, and the log of the open step."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from html import escape
from typing import Any

from course_magics.containers.build.result import Build, Step, shorten
from course_magics.text import clean
from course_magics.units import show_bytes
from course_magics.widgets.live import view as live_view

_LOG_LINES = 8

_SIGNS = {
    "waiting": "·",
    "running": "▶",
    "base": "▣",
    "cached": "↺",
    "built": "✔",
    "failed": "✘",
    "skipped": "–",
}
_COLOURS = {
    "running": "var(--jp-brand-color1,#1976d2)",
    "cached": "var(--jp-content-font-color2,#666)",
    "base": "var(--jp-content-font-color2,#666)",
    "built": "var(--jp-success-color1,#1b7f3b)",
    "failed": "var(--jp-error-color1,#b3261e)",
}
_MONO = "font-family:var(--jp-code-font-family,monospace);font-size:12px"


@contextlib.contextmanager
def live() -> Iterator[Callable[[Build], None]]:
    """Show a live view while the block runs; yields what to call when the build has moved.

    Without a kernel (plain IPython, a script) or without ipywidgets it shows nothing.
    """
    latest: list[Build] = []
    shown = live_view(lambda: render(latest[-1]))
    if shown is None:
        yield lambda build: None
        return

    def moved(build: Build) -> None:
        latest[:] = [build]
        shown.moved()

    try:
        yield moved
    finally:
        shown.close()


def render(build: Build) -> str:
    """The view as HTML, everything from outside escaped."""
    done = sum(s.state not in ("waiting", "running") for s in build.steps)
    share = 100 * done // max(len(build.steps), 1)
    open_step = next((s for s in build.steps if s.state in ("running", "failed")), None)
    rows = "".join(_row(n, s) for n, s in enumerate(build.steps, 1))
    log = ""
    if open_step is not None and open_step.output:
        lines = "\n".join(clean(t) for t in open_step.tail(_LOG_LINES).split("\n"))
        log = (
            f'<pre style="{_MONO};margin:4px 0 0;padding:4px 8px;max-height:11em;overflow:hidden;'
            f'border-left:3px solid {_COLOURS["running"]}">{escape(lines)}</pre>'
        )
    return (
        f'<div role="progressbar" aria-valuenow="{share}" aria-valuemin="0" aria-valuemax="100" '
        'style="height:5px;background:var(--jp-border-color2,#ddd);border-radius:3px;'
        f'max-width:44em"><div style="width:{share}%;height:5px;border-radius:3px;'
        f'background:{_COLOURS["running"]}"></div></div>'
        f'<table style="{_MONO};border-collapse:collapse">{rows}</table>{log}'
    )


def _row(number: int, step: Step) -> str:
    colour = _COLOURS.get(step.state, "inherit")
    seconds = f"{step.elapsed():.1f} s" if step.state in ("running", "built", "failed") else ""
    size = "" if step.size is None else show_bytes(step.size)
    cells: tuple[Any, ...] = (
        f"{_SIGNS[step.state]} {number}",
        shorten(clean(step.instruction.text)),
        step.state,
        seconds,
        size,
    )
    tds = "".join(
        f'<td style="padding:1px 10px 1px 0;text-align:{"right" if i > 2 else "left"}">'
        f"{escape(str(c))}</td>"
        for i, c in enumerate(cells)
    )
    return f'<tr style="color:{colour};line-height:1.5">{tds}</tr>'

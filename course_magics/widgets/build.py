"""The live view of a build: a row a step, a bar, seconds, and the log of the open step.

It is shown as a widget's view and nothing else, so nothing of it stays in the notebook or in
nbval's comparison; when the build has ended it goes away and the final result takes its place.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from html import escape
from typing import Any

from course_magics.containers.build.result import Build, Step, shorten
from course_magics.display.blocks import clean
from course_magics.units import show_bytes

#: Repaints a second at most; a front end needs no more and a build must not wait for it.
_REPAINT = 0.1
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
    view = _view()
    if view is None:
        yield lambda build: None
        return
    try:
        yield view.moved
    finally:
        view.close()


def _view() -> _View | None:
    try:
        from IPython import get_ipython

        shell = get_ipython()
        if shell is None or getattr(shell, "kernel", None) is None:
            return None
        return _View()
    except ImportError:
        return None


class _View:
    """The widget, and a thread that repaints it: a silent step's seconds go on as well."""

    def __init__(self) -> None:
        import ipywidgets
        from IPython.display import display

        self._html = ipywidgets.HTML()
        self._build: Build | None = None
        self._ended = threading.Event()
        self._dirty = True
        self._shown = False
        self._display: Callable[..., object] = display
        self._thread = threading.Thread(target=self._repaint, daemon=True)

    def moved(self, build: Build) -> None:
        """The build has moved on."""
        self._build = build
        self._dirty = True
        if not self._shown:
            # The first sign of life comes from the cell's own thread, so it lands in its output.
            self._shown = True
            self._html.value = render(build)
            view = {"model_id": self._html.model_id, "version_major": 2, "version_minor": 0}
            self._display({"application/vnd.jupyter.widget-view+json": view}, raw=True)
            self._thread.start()

    def close(self) -> None:
        """Take the view away."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(timeout=1)
        self._html.close()

    def _repaint(self) -> None:
        last = 0.0
        while not self._ended.wait(_REPAINT):
            now = time.monotonic()
            if self._build is not None and (self._dirty or now - last >= 0.5):
                self._dirty, last = False, now
                self._html.value = render(self._build)


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

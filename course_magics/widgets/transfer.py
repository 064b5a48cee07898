"""The live view of a push or a pull: a bar a layer."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from html import escape

from course_magics.containers.transfer import Layer, Progress
from course_magics.text import clean
from course_magics.units import show_bytes
from course_magics.widgets.live import view as live_view

#: So many layers have a row; an image can have over a hundred.
_ROWS = 20
_MONO = "font-family:var(--jp-code-font-family,monospace);font-size:12px"


@contextlib.contextmanager
def live() -> Iterator[Callable[[Progress], None] | None]:
    """Show a live view while the block runs; yields what to call when a layer has moved.

    Without a kernel (plain IPython, a script) or without ipywidgets it yields None.
    """
    latest: list[Progress] = []
    shown = live_view(lambda: render(latest[-1]))
    if shown is None:
        yield None
        return

    def moved(progress: Progress) -> None:
        latest[:] = [progress]
        shown.moved()

    try:
        yield moved
    finally:
        shown.close()


def render(progress: Progress) -> str:
    """The view as HTML, everything from outside escaped."""
    layers = list(progress.layers.items())
    ended = sum(layer.ended for _, layer in layers)
    rows = "".join(_row(id, layer) for id, layer in layers[:_ROWS])
    rest = f"<div>and {len(layers) - _ROWS} layers more</div>" if len(layers) > _ROWS else ""
    seconds = time.monotonic() - progress.begun
    return (
        f'<div role="status">{escape(clean(progress.what))}: {ended} of {len(layers)} layers, '
        f"{seconds:.1f} s</div>"
        f'<table style="{_MONO};border-collapse:collapse">{rows}</table>{rest}'
    )


def _row(id: str, layer: Layer) -> str:
    share = 100 if layer.ended else min(100 * layer.done // layer.total, 100) if layer.total else 0
    size = show_bytes(layer.total) if layer.total else ""
    bar = (
        '<div style="width:12em;height:5px;background:var(--jp-border-color2,#ddd)">'
        f'<div style="width:{share}%;height:5px;background:var(--jp-brand-color1,#1976d2)"></div>'
        "</div>"
    )
    cells = (escape(clean(id)), bar, escape(clean(layer.status)), escape(size))
    return "<tr>" + "".join(f'<td style="padding-right:10px">{c}</td>' for c in cells) + "</tr>"

"""The live view of `%container stats`: the table, with a bar for CPU and memory."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from html import escape
from typing import Any

from course_magics.display import Table
from course_magics.text import clean
from course_magics.widgets.live import view as live_view

_BAR = "var(--jp-brand-color1,#1976d2)"
_CELL = "text-align:left;padding-right:14px"
_MONO = "font-family:var(--jp-code-font-family,monospace);font-size:12px"


@contextlib.contextmanager
def live() -> Iterator[Callable[[Table], None] | None]:
    """A live view while the block runs; yields what to call with each new table.

    None without a kernel (plain IPython, a script) or without ipywidgets.
    """
    latest: list[Table] = []
    shown = live_view(lambda: render(latest[-1]))
    if shown is None:
        yield None
        return

    def moved(table: Table) -> None:
        latest[:] = [table]
        shown.moved()

    try:
        yield moved
    finally:
        shown.close()


def render(table: Table) -> str:
    """The view as HTML, everything from outside escaped."""
    head = "".join(f'<th style="{_CELL}">{c}</th>' for c in table.columns)
    rows = "".join(f"<tr>{_cells(table, row)}</tr>" for row in table) or (
        f'<tr><td colspan="{len(table.columns)}">(no containers)</td></tr>'
    )
    return f'<table style="{_MONO};border-collapse:collapse"><tr>{head}</tr>{rows}</table>'


def _cells(table: Table, row: dict[str, Any]) -> str:
    share = {"CPUPerc": row["cpu"], "MemPerc": float(row["MemPerc"].rstrip("%"))}
    cells = ""
    for key in table.columns.values():
        width = min(max(share.get(key, 0.0), 0.0), 100.0)
        bar = f'<div style="height:3px;width:{width:.0f}%;background:{_BAR}"></div>'
        text = escape(clean(row[key]))
        cells += f'<td style="{_CELL}">{text}{bar if key in share else ""}</td>'
    return cells

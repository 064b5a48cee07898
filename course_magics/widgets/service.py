"""The live view of a service that starts or changes: how many tasks run, what holds others."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from html import escape

from course_magics import settings
from course_magics.containers.swarm.converge import Progress
from course_magics.text import clean
from course_magics.widgets.live import view

#: From when on it is told that nothing moves (seconds).
_STILL = 5
_MONO = "font-family:var(--jp-code-font-family,monospace);font-size:12px"


@contextlib.contextmanager
def live() -> Iterator[Callable[[Progress], None]]:
    """Show a live view while the block runs; yields what to call with the latest progress."""
    latest: list[Progress] = []
    shown = view(lambda: render(latest[-1])) if settings.current().live else None
    if shown is None:
        yield lambda progress: None
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
    rows = "".join(
        "<tr>"
        + "".join(f'<td style="padding-right:12px">{escape(clean(c))}</td>' for c in row)
        + "</tr>"
        for row in progress.others
    )
    still = f", nothing has moved for {progress.still:.0f} s" if progress.still >= _STILL else ""
    note = f"<div>{escape(clean(progress.note))}</div>" if progress.note else ""
    return (
        f'<div role="status">{escape(clean(progress.name))}: {progress.ready} of {progress.wanted} '
        f"tasks run{still}</div>"
        f'<progress value="{progress.ready}" max="{max(progress.wanted, 1)}"></progress>'
        f'{note}<table style="{_MONO}">{rows}</table>'
    )

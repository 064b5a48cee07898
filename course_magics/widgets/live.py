"""What is shown only while a cell runs: a widget's view and nothing else.

Nothing of it stays in the notebook or in nbval's comparison; at the end it goes away.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

#: Repaints a second at most; a front end needs no more and the work must not wait for it.
_REPAINT = 0.1
#: Without news too: a silent step's seconds go on (seconds).
_TICK = 0.5


class View:
    """HTML that is painted anew while something goes on."""

    def __init__(self, render: Callable[[], str]) -> None:
        """render: the HTML as it is now; called from another thread too."""
        import ipywidgets
        from IPython.display import display

        self._html = ipywidgets.HTML()
        self._render = render
        self._ended = threading.Event()
        self._dirty = True
        self._shown = False
        self._display: Callable[..., object] = display
        self._thread = threading.Thread(target=self._repaint, daemon=True)

    def moved(self) -> None:
        """There is news."""
        self._dirty = True
        if not self._shown:
            # The first sign of life comes from the cell's own thread, so it lands in its output.
            self._shown = True
            self._html.value = self._render()
            view = {"model_id": self._html.model_id, "version_major": 2, "version_minor": 0}
            self._display({"application/vnd.jupyter.widget-view+json": view}, raw=True)
            self._thread.start()

    def close(self) -> None:
        """Take it away."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(timeout=1)
        self._html.close()

    def _repaint(self) -> None:
        last = 0.0
        while not self._ended.wait(_REPAINT):
            now = time.monotonic()
            if self._dirty or now - last >= _TICK:
                self._dirty, last = False, now
                self._html.value = self._render()


def view(render: Callable[[], str]) -> View | None:
    """A view; None without a kernel (plain IPython, a script) or without ipywidgets."""
    try:
        from IPython import get_ipython

        shell = get_ipython()
        if shell is None or getattr(shell, "kernel", None) is None:
            return None
        return View(render)
    except ImportError:
        return None

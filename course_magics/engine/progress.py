"""Who is told what the start of an engine is doing."""

from __future__ import annotations

from collections.abc import Callable

_listener: Callable[[str], None] | None = None


def listen(listener: Callable[[str], None] | None) -> None:
    """From now on `listener` is told each step; None: nobody is."""
    global _listener
    _listener = listener


def say(step: str) -> None:
    """Tell a step, in a few words."""
    if _listener is not None:
        _listener(step)

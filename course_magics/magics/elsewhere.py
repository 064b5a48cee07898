"""Words typed after the wrong magic: `%container up`, `%vagrant run`, `%container docker ps`."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from course_magics.magics import MAGICS
from course_magics.magics.grammar import Magic

#: What a terminal's word is called in a cell, where that is another magic's own name.
_CALLED = {
    "docker": "%container",
    "docker-compose": "%compose",
}


def elsewhere(magic: Magic, tokens: Sequence[str]) -> str | None:
    """What a word that `magic` does not know may mean: "%compose up or %vagrant up", or None."""
    typed = tokens[0]
    if typed in _CALLED or (typed in MAGICS and typed != magic.name):
        called = _CALLED.get(typed, f"%{typed}")
        return called if " " in called else " ".join([called, *tokens[1:2]])
    found = []
    for name, (module, _) in MAGICS.items():
        other = import_module(f"course_magics.magics.{module}").MAGIC
        if other.name != name or other is magic:
            continue  # a second name for one of them
        if any(typed in (*word.name.split()[:1], *word.aliases) for word in other.words):
            found.append(f"{other.sign()} {typed}")
    return " or ".join(found) or None

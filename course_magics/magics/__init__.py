"""The magics: what a cell says. Each is registered as a stub that imports its module when used."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

#: name → (module, kinds). Each module has a `MAGIC`.
MAGICS: dict[str, tuple[str, tuple[str, ...]]] = {
    "dockerfile": ("dockerfile", ("line", "cell")),
    "container": ("container", ("line", "cell")),
    # What a terminal's line begins with: else IPython's own UsageError, which nbval lets pass.
    "docker": ("container", ("line", "cell")),
    "compose": ("compose", ("line", "cell")),
    "vagrant": ("vagrant", ("line", "cell")),
    "vagrantfile": ("vagrantfile", ("line", "cell")),
    "engine": ("engine", ("line",)),
    "doctor": ("doctor", ("line",)),
    "measure": ("measure", ("line",)),
    "lesson": ("lessons.lesson", ("line",)),
    "check": ("lessons.check", ("line",)),
    "hint": ("lessons.hint", ("line",)),
    "solution": ("lessons.solution", ("line",)),
    "quiz": ("lessons.quiz", ("line",)),
}

_replaced: dict[tuple[str, str], Any] = {}


def register(shell: InteractiveShell) -> None:
    """Add the magics to `shell`, remembering what they hide."""
    for name, (module, kinds) in MAGICS.items():
        stub = _stub(shell, name, module)
        for kind in kinds:
            table = shell.magics_manager.magics[kind]
            if name in table and (kind, name) not in _replaced:
                _replaced[kind, name] = table[name]
            table[name] = stub


def unregister(shell: InteractiveShell) -> None:
    """Remove the magics from `shell` and put back what they hid."""
    for name, (_, kinds) in MAGICS.items():
        for kind in kinds:
            table = shell.magics_manager.magics[kind]
            table.pop(name, None)
            if (kind, name) in _replaced:
                table[name] = _replaced.pop((kind, name))


def _stub(shell: InteractiveShell, name: str, module: str) -> Callable[..., Any]:
    def magic(line: str, cell: str | None = None) -> Any:
        from course_magics.magics import base

        found = import_module(f"course_magics.magics.{module}")
        return base.run(found.MAGIC, shell, line, cell)

    magic.__name__ = magic.__qualname__ = name
    magic.__doc__ = f"`%{name} --help` shows what it does."
    # IPython would turn docker's {{.Names}} into {.Names}; `words.split` expands values instead.
    magic._ipython_magic_no_var_expand = True  # type: ignore[attr-defined]
    return magic

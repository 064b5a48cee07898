"""Docker and Vagrant as IPython magics, on the real thing: `%load_ext course_magics`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__version__ = "0.2.0.dev0"


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Called by `%load_ext course_magics`: adds the magics, `%container run?` and the settings."""
    from course_magics import magics, settings
    from course_magics.magics import complete, question, tooltip

    settings.load(shell)
    magics.register(shell)
    question.register(shell)
    complete.register(shell)
    tooltip.register(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Called by `%unload_ext course_magics`: leaves IPython as it was before."""
    from course_magics import magics, settings
    from course_magics.magics import complete, question, tooltip

    tooltip.unregister(shell)
    complete.unregister(shell)
    question.unregister(shell)
    magics.unregister(shell)
    settings.unload(shell)

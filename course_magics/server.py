"""An extension of Jupyter's server: with its end the embedded engine saves its memory.

In a pod everything else is killed as soon as the server has ended, without a signal before. An
engine that somebody still holds on to, a kernel of another server, runs on.
"""

from __future__ import annotations

import atexit
from typing import Any


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": __name__}]


def _load_jupyter_server_extension(app: Any) -> None:
    # Jupyter has no hook for an extension like this one; its kernels have ended before this.
    atexit.register(_save)


def _save() -> None:
    from course_magics.errors import CourseError

    try:
        from course_magics.engine import embedded
        from course_magics.engine.embedded.files import own_folder

        if own_folder().is_dir():  # who has never had one, gets no folder for it now
            embedded.stop(unused=True)
    except (CourseError, ImportError, OSError) as error:  # Windows has no embedded engine
        print(f"course_magics: the embedded engine was not saved: {error}", flush=True)

"""One of the user's processes at a time: for files that several of them change."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from course_magics import runtime, storage
from course_magics.errors import MachineError


@contextlib.contextmanager
def alone(file: Path) -> Iterator[None]:
    """No other process of ours changes `file` meanwhile; waits until that is so.

    The lock lies on this computer's own disk: a home folder need not have locks, and nothing of
    ours lies beside the user's files.
    """
    name = hashlib.sha256(os.fsencode(os.path.realpath(file))).hexdigest()[:12]
    with contextlib.ExitStack() as held:
        # Somebody else's folder in the place of ours keeps nobody from a file of his own.
        with contextlib.suppress(MachineError):
            folder = runtime.shared_folder()
            if (lock := storage.lock(folder / f"{name}.lock")) is not None:
                held.enter_context(lock)
        yield

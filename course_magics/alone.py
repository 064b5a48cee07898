"""One of the user's processes at a time: for files that several of them change."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

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
            held.enter_context(_locked(runtime.shared_folder() / f"{name}.lock"))
        yield


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """The lock `path`. It goes with its holder: who has waited for one that is gone tries again."""
    while True:
        lock = storage.lock(path)
        if lock is None or _is(lock, path):
            break
        lock.close()
    with lock or contextlib.nullcontext():
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                path.unlink()


def _is(file: IO[str], path: Path) -> bool:
    """Whether `path` names the open `file`."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except OSError:
        return False

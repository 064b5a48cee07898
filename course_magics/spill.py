"""What a long output leaves out of the cell, in a file: private, bounded, gone with its process.

The files lie in the user's cache folder, where nobody else can read them, and not in /tmp, which
is in memory on many computers. A process removes its own when it ends; what a killed one has left
goes when another one begins to keep something.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import os
import shutil
import tempfile
import threading
from pathlib import Path
from typing import IO

from course_magics import runtime, storage
from course_magics.errors import CourseError
from course_magics.units import show_bytes

#: How much is kept of one stream, and of all streams of a process (bytes).
MOST = 100_000_000
MOST_OF_ALL = 500_000_000

_guard = threading.Lock()
_used = 0
#: The process that made it (a fork is another one), its folder, and the lock in it.
_own: tuple[int, Path, IO[str] | None] | None = None


class Spill:
    """The beginning of one stream in a file. path: None when none could be made."""

    def __init__(self) -> None:
        self.path: Path | None = None
        self._file: IO[bytes] | None = None
        self._size = 0
        self._why = ""
        try:
            handle, name = tempfile.mkstemp(prefix="output-", suffix=".log", dir=_folder())
        except (OSError, CourseError) as error:
            self._why = _reason(error)
            return
        self.path = Path(name)
        self._file = os.fdopen(handle, "wb", buffering=0)

    def write(self, data: bytes | bytearray) -> None:
        """Keep the next piece, or as much of it as there is room for. Raises nothing."""
        global _used
        if self._file is None:
            return
        with _guard:
            room = max(min(MOST - self._size, MOST_OF_ALL - _used), 0)
        rest = memoryview(data)[:room]
        if len(rest) < len(data):
            self._why = "no more is kept"
        try:
            while rest:
                written = self._file.write(rest) or 0
                rest = rest[written:]
                self._size += written
                with _guard:
                    _used += written
        except OSError as error:
            self._why = _reason(error)
        if self._why:
            self.close()

    def close(self) -> None:
        """Nothing more will come."""
        if self._file is not None:
            self._file.close()
            self._file = None

    @property
    def note(self) -> str:
        """Where the output is, and how much of it, for the reader."""
        if self.path is None:
            return f"they are not kept: {self._why}"
        if self._why:
            what = f"the first {show_bytes(self._size)} of the output ({self._why}) are"
        else:
            what = "the whole output is"
        return f"{what} in {self.path} until the kernel stops"


def _reason(error: OSError | CourseError) -> str:
    if storage.is_full(error):
        return "the disk is full"
    return str((error.strerror if isinstance(error, OSError) else "") or error.args[0])


def _folder() -> Path:
    """This process's own, made at its first use. Raises OSError, CourseError."""
    global _own
    with _guard:
        if _own is None or _own[0] != os.getpid():
            _own = (os.getpid(), *_made())
            atexit.register(_remove, *_own)
        return _own[1]


def _made() -> tuple[Path, IO[str] | None]:
    # $COURSE_CACHE may be one that a class shares: nobody writes there, or somebody else has.
    with contextlib.suppress(OSError):
        return _made_in(runtime.cache_dir() / "output")
    return _made_in(runtime.xdg_folder("XDG_CACHE_HOME", ".cache") / "output")


def _made_in(base: Path) -> tuple[Path, IO[str] | None]:
    """A folder in `base` and its lock. Raises OSError, also where `base` is another user's."""
    if base.exists() and not storage.trusted(base):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(base))
    storage.private_folder(base)
    try:
        with storage.lock(base / ".lock") or contextlib.nullcontext():
            _sweep(base)
            folder = Path(tempfile.mkdtemp(prefix="kernel-", dir=base))
            return folder, storage.lock(folder / ".lock", wait=False)
    except CourseError:  # no locks here: whether another process lives cannot be told
        return Path(tempfile.mkdtemp(prefix="kernel-", dir=base)), None


def _sweep(base: Path) -> None:
    """Remove what processes that are gone have left. Windows has no locks that would tell."""
    if os.name != "posix":
        return
    for folder in base.glob("kernel-*"):
        if (folder / ".lock").is_file():
            lock = storage.lock(folder / ".lock", wait=False)
            if lock is not None:
                with lock:
                    shutil.rmtree(folder, ignore_errors=True)


def _remove(process: int, folder: Path, lock: IO[str] | None) -> None:
    if process == os.getpid():
        if lock is not None:
            lock.close()
        shutil.rmtree(folder, ignore_errors=True)

"""Where the embedded engine keeps its files: what is made once, what lasts, and its sockets."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import IO

from course_magics import runtime, storage
from course_magics.errors import EngineError
from course_magics.guest.model import cache_dir
from course_magics.runtime import state_dir


def own_folder() -> Path:
    """The state folder of the user's engine."""
    return state_dir() / "engine"


def prepared_folder() -> Path:
    """Where the snapshots are kept that every engine starts from, one folder for each recipe."""
    return cache_dir() / "engine"


class Files:
    """The files of one user's engine."""

    def __init__(self, folder: Path) -> None:
        """folder: its state; made where it is missing, for the user alone. Raises EngineError."""
        try:
            storage.private_folder(folder)
        except OSError as error:
            raise EngineError(
                f"the embedded engine's folder {folder} cannot be written to",
                detail=error.strerror,
                hint="COURSE_STATE names another one",
            ) from None
        self.folder = folder
        #: Which snapshot the disk lies on, and what it needs of that, kept here.
        self.base = folder / "base.json"
        self.own_base = folder / "base"
        #: Stays empty: what the machine can mount when it is to mount nothing.
        self.nothing = folder / "nothing"
        #: Images, containers, volumes.
        self.disk = folder / "engine.qcow2"
        #: Memory at the last stop, and the hardware that it was saved in.
        self.saved = folder / "engine.state"
        self.saved_as = folder / "engine.json"
        self.key = folder / "key"
        self.known_hosts = folder / "known_hosts"
        #: Why the last run ended, where it was not asked to.
        self.ended = folder / "ended.json"
        self.keeper_log = folder / "keeper.log"
        self.qemu_log = folder / "qemu.log"
        self.console = folder / "console.log"
        # A socket's name must be short, so it does not lie here; each state has its own.
        short = hashlib.sha256(str(folder).encode()).hexdigest()[:8]
        sockets = runtime.shared_folder()
        #: The engine's socket on this computer, the keeper's, and that of QEMU's monitor.
        self.docker = sockets / f"engine-{short}.sock"
        self.control = sockets / f"engine-{short}.ctl"
        self.monitor = sockets / f"engine-{short}.qmp"

    @classmethod
    def mine(cls) -> Files:
        """Those of the user who runs this."""
        return cls(own_folder())

    def forget(self) -> None:
        """Remove the disk and the saved memory: the next start is from the snapshot."""
        # The memory first: it belongs to this disk and to no other.
        for file in (self.saved_as, self.saved, self.disk, self.base, self.ended):
            file.unlink(missing_ok=True)
        self.forget_key()
        shutil.rmtree(self.own_base, ignore_errors=True)

    def forget_key(self) -> None:
        """Remove the key that the machine takes."""
        for file in (self.key, self.key.with_name("key.pub")):
            file.unlink(missing_ok=True)

    def put_aside(self) -> Path:
        """Rename the whole folder, disk and all, and begin an empty one. Returns where it is."""
        place = storage.set_aside(self.folder)
        storage.private_folder(self.folder)
        return place

    def lock(self, name: str, *, wait: bool) -> IO[str] | None:
        """Take one of the locks; it is held until the file that comes back is closed.

        None: somebody has it, and `wait` is False. CourseError where there are no locks.
        """
        return storage.lock(self.folder / f"{name}.lock", wait=wait)

"""The memory that an engine has saved: it goes with the disk as it was then, and with no other.

A start that loads it marks the disk first, by a snapshot inside the image. Where that start fails,
the disk goes back to the mark, and the memory is as good as before.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from typing import Any

from course_magics import storage
from course_magics.engine.embedded.disk import look
from course_magics.engine.embedded.files import Files
from course_magics.errors import MachineError
from course_magics.guest.procs import run
from course_magics.guest.qmp import Qmp
from course_magics.patience import until

_MARK = "saved"
#: What QEMU says of a memory that it cannot load, in any of its versions; other messages are about
#: something else, such as a port or the memory of this computer.
_DOES_NOT_FIT = (
    "load of migration failed", "error while loading state", "Unknown savevm section",
    "Not a migration stream", "Unsupported migration stream version", "Machine type received is",
    "Missing section footer", "Length mismatch",
)  # fmt: skip


class DoesNotFit(MachineError):
    """This QEMU cannot load the memory: only a boot is left."""


def does_not_fit(words: str) -> bool:
    """Whether that is what QEMU's last words say."""
    return any(said in words for said in _DOES_NOT_FIT) and "Cannot allocate memory" not in words


def of(files: Files) -> dict[str, Any] | None:
    """The hardware of the memory that can be loaded; None where there is none, or not all of it."""
    with contextlib.suppress(OSError, ValueError):
        said = storage.read_json(files.saved_as)
        if said is not None:
            size = files.saved.stat().st_size
            # Version 0.1.0 wrote the hardware alone.
            if size == said.get("size", size):
                return dict(said.get("hardware", said))
    return None


def save(qmp: Qmp, files: Files, hardware: dict[str, Any], patience: float) -> Callable[[], None]:
    """Write the memory of a running machine, which stands still afterwards.

    What comes back makes it count: to be called when QEMU has ended. Raises MachineError.
    """
    new = files.saved.with_suffix(".new")
    with new.open("wb") as file:
        new.chmod(0o600)
        qmp.hand_over("memory", file.fileno())
        # Not limited to a network's speed: the fewer rounds over changed memory, the better.
        qmp.command("migrate-set-parameters", max_bandwidth=10**11)
        qmp.command("migrate", uri="fd:memory")
        now: dict[str, Any] = {}

        def done() -> bool:
            now.update(qmp.command("query-migrate"))
            return now.get("status") in ("completed", "failed", "cancelled")

        ended = until(done, sign=lambda: os.fstat(file.fileno()).st_size, seconds=patience)
        if not ended or now["status"] != "completed":
            raise MachineError(
                "QEMU could not save the machine's memory",
                detail=now.get("error-desc") or str(now.get("status")),
            )

    def count() -> None:
        storage.sync_file(new)
        files.saved_as.unlink(missing_ok=True)
        new.replace(files.saved)
        storage.write_json(
            files.saved_as, {"hardware": hardware, "size": files.saved.stat().st_size}
        )

    return count


def mark(files: Files) -> None:
    """Before it is loaded: remember the disk as it is. Raises MachineError."""
    _unmark(files)
    run(["qemu-img", "snapshot", "-c", _MARK, files.disk])


def go_back(files: Files) -> None:
    """The disk as it was at the mark, where it has one. Raises MachineError."""
    if _marked(files):
        if of(files) is not None:
            run(["qemu-img", "snapshot", "-a", _MARK, files.disk])
        _unmark(files)


def forget(files: Files, qmp: Qmp) -> None:
    """The run has begun, and its disk goes its own way: the memory is of no use any more."""
    files.saved_as.unlink(missing_ok=True)
    with contextlib.suppress(MachineError):  # not marked
        qmp.command("blockdev-snapshot-delete-internal-sync", device="disk0", name=_MARK)
    files.saved.unlink(missing_ok=True)


def _marked(files: Files) -> bool:
    return any(found["name"] == _MARK for found in look(files.disk).get("snapshots", ()))


def _unmark(files: Files) -> None:
    if _marked(files):
        run(["qemu-img", "snapshot", "-d", _MARK, files.disk])

"""The memory that an engine has saved: it goes with the disk as it was then, and with no other.

The disk is marked then, by a snapshot inside the image whose name is written down with the memory.
Before the memory is loaded, the disk goes back to that mark: a start that fails may be tried again.
A memory without its mark, and a mark without its memory, count for nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from course_magics import storage
from course_magics.engine.embedded.disk import look
from course_magics.engine.embedded.files import Files
from course_magics.errors import MachineError
from course_magics.guest.procs import run
from course_magics.guest.qmp import Qmp
from course_magics.patience import until

_MARK = "saved"
#: The last part of what QEMU writes: a description as JSON, behind this byte and its length.
_DESCRIPTION, _LONGEST = b"\x06", 1 << 20
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
    """The hardware of the memory that is there; None where there is none, or not all of it."""
    note = _note(files)
    return None if note is None else dict(note["hardware"])


def _note(files: Files) -> dict[str, Any] | None:
    """What is written down of a memory that is whole: hardware, size, mark."""
    with contextlib.suppress(OSError, ValueError, KeyError):
        note = storage.read_json(files.saved_as)
        if note is None:
            return None
        if "hardware" not in note:  # version 0.1.0 wrote the hardware alone
            return {"hardware": note} if _is_whole(files.saved) else None
        if note["size"] == files.saved.stat().st_size:
            return note
    return None


def _is_whole(memory: Path) -> bool:
    """Whether a memory of unknown size has its end. Raises OSError."""
    with memory.open("rb") as file:
        file.seek(max(0, memory.stat().st_size - _LONGEST))
        end = file.read()
    at = end.find(_DESCRIPTION)
    while at >= 0:
        description = end[at + 5 :]
        if int.from_bytes(end[at + 1 : at + 5], "big") == len(description) > 0:
            with contextlib.suppress(ValueError):
                return isinstance(json.loads(description), dict)
        at = end.find(_DESCRIPTION, at + 1)
    return False


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
        _mark(files, hardware)

    return count


def ready(files: Files) -> dict[str, Any] | None:
    """Before a start: the disk as it was when the memory was saved, and the memory's hardware.

    None where no memory goes with this disk. Raises MachineError.
    """
    note, marks = _note(files), _marks(files)
    if note is not None and "mark" not in note and not marks:  # older versions made none
        note = {**note, "mark": _mark(files, note["hardware"])}
    elif note is not None and note.get("mark") in marks:
        run(["qemu-img", "snapshot", "-a", note["mark"], files.disk])
    else:
        note = None
    unmark(files, but="" if note is None else note["mark"])
    return None if note is None else dict(note["hardware"])


def forget(files: Files, qmp: Qmp) -> None:
    """The run has begun, and its disk goes its own way: the memory is of no use any more."""
    note = _note(files)
    files.saved_as.unlink(missing_ok=True)
    storage.sync_folder(files.folder)
    if note is not None and "mark" in note:
        with contextlib.suppress(MachineError):  # then the next start removes it: no memory has it
            qmp.command("blockdev-snapshot-delete-internal-sync", device="disk0", name=note["mark"])
    files.saved.unlink(missing_ok=True)


def unmark(files: Files, but: str = "") -> None:
    """Remove the marks of memories that have gone. but: one that stays. Raises MachineError."""
    for name in _marks(files) - {but}:
        run(["qemu-img", "snapshot", "-d", name, files.disk])


def _marks(files: Files) -> set[str]:
    found = (str(one["name"]) for one in look(files.disk).get("snapshots", ()))
    return {name for name in found if name.startswith(_MARK)}


def _mark(files: Files, hardware: dict[str, Any]) -> str:
    """Mark the disk and write down what goes with it. Raises MachineError, OSError."""
    name = f"{_MARK}-{secrets.token_hex(4)}"
    run(["qemu-img", "snapshot", "-c", name, files.disk])
    size = files.saved.stat().st_size
    storage.write_json(files.saved_as, {"hardware": hardware, "size": size, "mark": name})
    return name

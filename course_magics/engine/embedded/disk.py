"""An engine's disk, and the snapshot that it lies on.

What the disk needs of its snapshot is kept beside it, in the folder `base`: by hard links, or by
copies on another file system. A newer snapshot or an emptied cache changes nothing for it.
"""

from __future__ import annotations

import errno
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from course_magics import storage
from course_magics.engine.embedded.files import Files
from course_magics.engine.embedded.prepare import Prepared
from course_magics.errors import EngineError, MachineError
from course_magics.guest.procs import Say, run

#: Where the disk finds its base: by a name beside itself, so that the whole folder can be moved.
_OWN = "base/engine.qcow2"
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


def settle(files: Files, say: Say) -> tuple[Prepared, Path | None]:
    """What the disk lies on; a new disk on the newest snapshot where there is none yet.

    Returns with it the memory that goes with a new disk, None for one that was there.
    A disk whose base is nowhere any more is put aside, and an EngineError says where. Raises
    MachineError where the file is no disk.
    """
    for left in files.folder.glob(".base-*"):
        shutil.rmtree(left, ignore_errors=True)
    if not files.disk.exists():
        return _begin(files, say)
    backing = Path(look(files.disk).get("full-backing-filename") or files.disk)
    note = _note(files)
    try:
        base = _own(files, note) or _found(files, note, backing)
    except MachineError as error:
        place = files.put_aside()
        raise EngineError(
            f"the engine's disk cannot be used, and is kept in {place}",
            detail=error.message,
            hint="the next start makes an empty one, with the first images",
        ) from None
    if base.folder != files.own_base:
        base = _keep(base, files, say)
    _lay(files, base, backing)
    return base, None


def look(disk: Path) -> dict[str, Any]:
    """What `qemu-img info` says of a disk. MachineError where it is none."""
    text = run(["qemu-img", "info", "-U", "-f", "qcow2", "--output=json", disk])
    return dict(json.loads(text))


def _begin(files: Files, say: Say) -> tuple[Prepared, Path]:
    prepared = Prepared.newest()
    if prepared is None:
        raise EngineError(
            "the embedded engine is not prepared", hint="course-magics engine prepare does it"
        )
    for left in (files.saved_as, files.saved):  # of a disk that has gone
        left.unlink(missing_ok=True)
    shutil.rmtree(files.own_base, ignore_errors=True)
    base = _keep(prepared, files, say)
    draft = files.disk.with_name(".engine.qcow2.new")
    draft.unlink(missing_ok=True)
    run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", _name(files, base), draft])
    storage.sync_file(draft)
    draft.rename(files.disk)
    storage.sync_folder(files.folder)
    return base, prepared.state


def _keep(prepared: Prepared, files: Files, say: Say) -> Prepared:
    """The snapshot's files in the disk's own folder; where there is no room, those in the cache."""
    draft = Path(tempfile.mkdtemp(prefix=".base-", dir=files.folder))
    try:
        say("keeping what the disk lies on")
        prepared.keep_in(draft)
        storage.sync_folder(draft)
        shutil.rmtree(files.own_base, ignore_errors=True)
        draft.rename(files.own_base)
        storage.sync_folder(files.folder)
        base = Prepared.load(files.own_base, memory=False)
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        base = prepared
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    storage.write_json(files.base, {"folder": str(prepared.folder), "id": prepared.id})
    return base


def _lay(files: Files, base: Prepared, backing: Path) -> None:
    """Have the disk look for its base where that is now: the same bytes under another name."""
    if backing != base.disk:
        words = ["rebase", "-u", "-f", "qcow2", "-F", "qcow2", "-b", _name(files, base)]
        run(["qemu-img", *words, files.disk])


def _name(files: Files, base: Prepared) -> str:
    return _OWN if base.folder == files.own_base else str(base.disk)


def _note(files: Files) -> dict[str, Any]:
    """base.json; empty where it is not there or cannot be read: the disk itself says the same."""
    try:
        return storage.read_json(files.base) or {}
    except (OSError, ValueError):
        return {}


def _own(files: Files, note: dict[str, Any]) -> Prepared | None:
    """The base that is kept with the disk; None without one."""
    if not files.own_base.exists():
        return None
    return _same(Prepared.load(files.own_base, memory=False), note)


def _found(files: Files, note: dict[str, Any], backing: Path) -> Prepared:
    """The snapshot in the cache that the disk was made on."""
    place = backing.parent if backing.parent != files.own_base else Path(note.get("folder", ""))
    base = _same(Prepared.load(place, memory=False), note)
    # Version 0.1.0 gave snapshots no ids, and `prepare --force` put a new one in the old one's
    # place: one that is younger than the note of the disk's making is not what the disk lies on.
    made = base.folder / "prepared.json"
    if base.id is None and note and made.stat().st_mtime > files.base.stat().st_mtime:
        raise MachineError(f"its snapshot in {base.folder} has been replaced by another one")
    return base


def _same(base: Prepared, note: dict[str, Any]) -> Prepared:
    if note and note.get("id") != base.id:
        raise MachineError(f"{base.folder} holds another snapshot than the one that it lies on")
    return base

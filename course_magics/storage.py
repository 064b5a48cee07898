"""Files that must survive: written whole or not at all, and never deleted when unreadable."""

from __future__ import annotations

import contextlib
import errno
import functools
import json
import os
import stat
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from course_magics.errors import CourseError, DiskFull

try:
    import fcntl
except ImportError:  # Windows has no flock; there the embedded engine does not run either
    fcntl = None  # type: ignore[assignment]

#: The mark in a folder whose content is ours to change and remove.
MARK = ".made-by-course-magics"
#: What a file system without locks answers (some network and FUSE mounts).
_NO_LOCKS = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL})
#: No room is left, or none of the user's quota (which Windows does not know).
_FULL = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)})


def is_full(error: BaseException) -> bool:
    """Whether this is a full disk, or a quota that is used up."""
    return isinstance(error, OSError) and error.errno in _FULL


def disk_full(place: Path | str | None = None, *, command: str | None = None) -> DiskFull:
    """The error for a full disk. place: the file that cannot be written, where that is known."""
    return DiskFull(
        f"cannot write {place}: no space left on the disk"
        if place
        else "no space left on a disk of this computer",
        command=command,
        hint="df -h shows which disk it is: make room there, or write to another one",
    )


@contextlib.contextmanager
def writing(place: Path | str) -> Iterator[None]:
    """Around what writes to `place`: a fault of the disk is not taken for the connection's.

    Raises DiskFull, and any other OSError with the file's name.
    """
    try:
        yield
    except OSError as error:
        if is_full(error):
            raise disk_full(place) from None
        if isinstance(error.filename, str):
            raise
        raise OSError(error.errno, error.strerror, str(place)) from None


def write_atomic(path: Path, data: str | bytes, *, mode: int | None = None) -> None:
    """Replace the file `path` by `data`: afterwards it holds the old content or the new, whole.

    The data is on the disk before the name changes, so that a power cut leaves no empty file.
    A symbolic link stays one; what it points at is replaced. mode: the file's permission bits;
    None keeps those of the file that is there, and gives a new one 0600. Raises OSError, and
    then the old file is untouched.
    """
    path = Path(os.path.realpath(path))
    if mode is None:
        mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o600
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    draft = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data.encode() if isinstance(data, str) else data)
            file.flush()
            if hasattr(os, "fchmod"):
                os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_named(path: Path, text: str) -> None:
    """Write a file that the user has named: whole, with the mode that any new file of his gets.

    A pipe or a device is written to as it is. Raises OSError.
    """
    if path.exists() and not path.is_file():
        path.write_text(text, "utf-8")
        return
    usual = os.umask(0)
    os.umask(usual)
    write_atomic(path, text, mode=None if path.exists() else 0o666 & ~usual)


def write_json(path: Path, value: Any, *, mode: int | None = None) -> None:
    """`write_atomic` for a value as JSON."""
    write_atomic(path, json.dumps(value, indent=1) + "\n", mode=mode)


def read_json(path: Path) -> dict[str, Any] | None:
    """The JSON object in `path`; None where there is no such file.

    Raises ValueError when the file is empty, cut off, or holds something else. The caller sets
    it aside (`set_aside`) or says what to do; it never deletes what the file described.
    """
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return None
    value = json.loads(text.decode())
    if not isinstance(value, dict):
        raise ValueError(f"{path} holds no JSON object")
    return value


def set_aside(path: Path) -> Path:
    """Rename `path` (a file or folder): out of the way, but kept. Returns where it is now."""
    when = time.strftime("%Y%m%d-%H%M%S")
    target = path.with_name(f"{path.name}.aside-{when}")
    number = 1
    while os.path.lexists(target):
        number += 1
        target = path.with_name(f"{path.name}.aside-{when}-{number}")
    path.rename(target)
    return target


def private_folder(path: Path) -> Path:
    """Make the folder, and those above it that are missing, for this user alone (0700).

    A folder that is there already and ours gets mode 0700, too. Raises OSError.
    """
    missing = []
    place = path
    while not place.exists() and place != place.parent:
        missing.append(place)
        place = place.parent
    for place in reversed(missing):
        place.mkdir(mode=0o700, exist_ok=True)
    if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) != 0o700:
        path.chmod(0o700)
    return path


def claim(folder: Path, names: Iterable[str] = ("",), *, hint: str) -> None:
    """Make `folder` ours to write `names` into, or refuse: what somebody else made stays.

    A folder that holds none of `names` (or, for "", nothing) gets a mark, and whatever has the
    mark may be written anew. hint: what to type instead. Raises CourseError, OSError.
    """
    mark = folder / MARK
    if not mark.exists():
        taken = [name for name in names if name and os.path.lexists(folder / name)]
        if "" in names and folder.is_dir():
            taken = sorted(entry.name for entry in folder.iterdir())
        if taken:
            raise CourseError(
                f"{folder} holds {taken[0]}, which was not made by course-magics", hint=hint
            )
        folder.mkdir(parents=True, exist_ok=True)
        mark.touch()


def sync_folder(path: Path) -> None:
    """Have a folder's names on the disk, where the system can do that."""
    with contextlib.suppress(OSError):  # Windows opens no folder; some network mounts refuse
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def sync_file(path: Path) -> None:
    """Have a file that another program wrote on the disk. Raises OSError."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def lock(path: Path, *, wait: bool = True) -> IO[str] | None:
    """Lock the file `path`; it stays locked until the file that comes back is closed.

    wait: until it is free; else None comes back when somebody else has it. Raises CourseError
    when the file system has no locks.
    """
    file = path.open("a")
    if fcntl is None:
        return file
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        file.close()
        return None
    except OSError as error:
        file.close()
        if error.errno not in _NO_LOCKS:
            raise
        raise CourseError(
            f"the file system of {path.parent} has no file locks",
            detail=error.strerror,
            hint="choose a folder on a local disk: COURSE_STATE=/path/to/folder",
        ) from None
    return file


def trusted(path: Path) -> bool:
    """Whether only this user and root can have written `path` (git's `safe.directory` rule).

    False for a file or folder that somebody else owns or may write to; settings and exercises
    are not taken from there. The user who called sudo counts as this user.
    """
    return not distrust(path)


def distrust(path: Path, *, above: bool = False) -> str:
    """Why `path` is not `trusted`, in words that follow its name; "" where it is.

    above: the folders above it count, too: who may write there can put another one in its place.
    Where links lead to it, they and all folders that they lead through count in any case.
    """
    try:
        path.stat()
        if os.name != "posix":
            return ""
        return _fault(path, _mine()) or _fault_above(path, above)
    except OSError as error:
        return f"cannot be looked at: {error.strerror}"


def _mine() -> frozenset[int]:
    """The users who count as this one."""
    mine = {os.getuid(), 0}
    caller = os.environ.get("SUDO_UID", "")
    if os.getuid() == 0 and caller.isascii() and caller.isdecimal():
        mine.add(int(caller))
    return frozenset(mine)


def _fault(path: Path, mine: frozenset[int], *, sticky: bool = False) -> str:
    """The same for `path` alone. Raises OSError.

    sticky: a folder as /tmp will do, where nobody replaces what belongs to somebody else.
    """
    about = path.stat()
    if about.st_uid not in mine:
        return "belongs to another user"
    if sticky and about.st_mode & stat.S_ISVTX:
        return ""
    shared = about.st_mode & stat.S_IWOTH
    if about.st_mode & stat.S_IWGRP:
        shared = shared or _lists_others(path) or not _only_mine(about.st_gid, mine)
    return "can be written by other users" if shared else ""


def _lists_others(path: Path) -> bool:
    """Whether an access list names users or groups of its own, beside owner, group and others.

    The group's bits are then the most that any of them may do.
    """
    try:
        return bool(os.getxattr(path, "system.posix_acl_access"))
    except (OSError, AttributeError):  # none there, or none on this system
        return False


def _fault_above(path: Path, above: bool) -> str:
    """Who could put another file or folder in the place of `path`. Raises OSError."""
    end = Path(os.path.realpath(path))
    # In a user namespace the first folder's owner, who is root, may have any number.
    mine = _mine() | {Path("/").stat().st_uid}
    linked = False
    for place in _way(path):
        if place.is_symlink():
            linked = True
            if place.lstat().st_uid not in mine:
                return f"is reached by {place}, which belongs to another user"
        elif (linked or above) and place != end:
            # What a link leads to is in a folder as good as one without a link would have to be.
            found = _fault(place, mine, sticky=not linked or place != end.parent)
            if found:
                return f"lies in {place}, which {found}"
    return ""


def _way(path: Path) -> Iterator[Path]:
    """Each folder and link on the way from the first folder to `path`. Raises OSError."""
    place = Path(path.absolute().anchor)
    rest = [*reversed(path.absolute().parts[1:])]
    while rest:
        part = rest.pop()
        if part == "..":
            place = place.parent
            continue
        yield place / part
        if (place / part).is_symlink():
            target = (place / part).readlink()
            if target.is_absolute():
                place = Path(target.anchor)
            rest += reversed(target.parts[1:] if target.is_absolute() else target.parts)
        else:
            place /= part


@functools.cache
def _only_mine(group: int, mine: frozenset[int]) -> bool:
    """Whether nobody else is in a group: a pod's folders are often its group's to write."""
    import grp
    import pwd

    if group == 0:
        return True  # root's; some systems put accounts of their own in it
    known = {one.pw_name: one for one in pwd.getpwall()}
    group_name, names = "", {name for name, one in known.items() if one.pw_gid == group}
    with contextlib.suppress(KeyError):
        found = grp.getgrgid(group)
        group_name = found.gr_name
        names.update(found.gr_mem)
    with contextlib.suppress(KeyError):
        me = pwd.getpwuid(os.getuid()).pw_name
        if me not in known and group_name != me:
            return False  # users come from a directory that does not list them all
    return all(name in known and known[name].pw_uid in mine for name in names)


def upwards(folder: Path) -> Iterator[Path]:
    """`folder` and those above it, as far as only this user and root can have written them."""
    for place in (folder, *folder.parents):
        if not trusted(place):
            return
        yield place

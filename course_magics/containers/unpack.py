"""Write an archive that a container has filled below one folder, and nowhere else.

Docker's client unpacks below a root of its own (chroot), which needs rights that a reader does
not have; `tarfile` follows the symbolic links that an archive has made, and Debian 12's
(Python 3.11.2) has no filters. Here each folder is opened by its name in the folder above it,
never through a link (`openat`, O_NOFOLLOW), so that no link leads out, whoever made it and
whenever. Windows opens no folders: there each part of a path is looked at before it is used.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import stat
import tarfile
from collections.abc import Iterator, Set
from dataclasses import dataclass
from pathlib import Path

from course_magics.errors import EngineError
from course_magics.storage import writing

_BY_HANDLE = {os.open, os.mkdir, os.stat, os.unlink, os.symlink, os.link, os.rename} <= (
    os.supports_dir_fd
) and hasattr(os, "O_NOFOLLOW")
#: What Windows takes for a folder's or a drive's end, too.
_ODD = "\0" if os.name == "posix" else '\0\\:*?"<>|'
_JUNCTION = getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", 0)
_PIECE = 1 << 20

Parts = tuple[str, ...]


def unpack(
    tar: tarfile.TarFile, folder: Path, *, top: Set[str], name: str, archive: bool = False
) -> list[str]:
    """Write the files, folders and links of `tar` below `folder`, which is there.

    top: what the engine may call the file or folder that was asked for; "." and "" stand for what
    is in a folder. name: what it is called here; "" for straight into `folder`. archive: keep
    owner, group and the set-user-id, set-group-id and sticky bits, which needs root.
    All names are looked at before anything is written. Returns those of the members that are
    left out: devices and pipes. Raises EngineError for a name or link that leads elsewhere, and
    for a file that is in the way of a folder or the other way round; OSError; DiskFull.
    """
    try:
        entries, left_out = _planned(tar, top, name)
        writer = _Writer(tar, folder, owner=archive and getattr(os, "geteuid", lambda: 1)() == 0)
        for entry in entries:
            writer.write(entry)
        writer.finish()
    except (tarfile.TarError, ValueError, OverflowError, EOFError) as error:
        raise EngineError("the engine sent a broken archive", detail=str(error)) from None
    return left_out


@dataclass(frozen=True)
class _Entry:
    """A member, and where it goes. origin: the file that a hard link is another name of."""

    member: tarfile.TarInfo
    parts: Parts
    origin: _Entry | None = None


def _planned(tar: tarfile.TarFile, top: Set[str], name: str) -> tuple[list[_Entry], list[str]]:
    before = (name,) if name else ()
    entries: list[_Entry] = []
    files: dict[Parts, _Entry | None] = {}  # None: one that is left out
    left_out: list[str] = []
    for member in tar:
        parts = (*before, *_below(member.name, top))
        kept = member.isreg() or member.isdir() or member.issym()
        origin = None
        if member.islnk():
            linked = (*before, *_below(member.linkname, top))
            if linked not in files:
                raise _refused("a hard link to a file that is not in the copy", member.name)
            if linked == parts:
                continue
            origin = files[linked]
            kept = origin is not None
        if not parts:
            if not member.isdir():
                raise _refused("a file in place of the folder", member.name or "/")
            continue
        files.pop(parts, None)
        if not kept:
            left_out.append(member.name)
            files[parts] = None
            continue
        entries.append(_Entry(member, parts, origin))
        if not member.isdir():
            files[parts] = origin or entries[-1]
    return entries, left_out


def _below(name: str, top: Set[str]) -> Parts:
    """A member's name without its first part, which must be what was asked for."""
    parts = name.split("/")
    if not top <= {"", "."}:
        if parts[0] == "." and len(parts) > 1:
            del parts[0]
        if parts[0] not in top:
            raise _refused("a name outside what was asked for", name)
    if parts[0] in top:  # of what is in a folder, Docker's names begin with it, Podman's do not
        del parts[0]
    if any(part in ("", ".", "..") or any(c in part for c in _ODD) for part in parts):
        raise _refused("a name that leads elsewhere", name)
    return tuple(parts)


def _refused(what: str, name: str) -> EngineError:
    shown = name if len(name) <= 100 else f"{name[:99]}…"
    return EngineError(
        f"refused: the copy holds {what}: {shown}",
        hint="a program in the container may have made it to write to your files; "
        "nothing was written",
    )


class _Folder:
    """An open folder. What is in it is reached by name, and never through a link."""

    def __init__(self, path: Path, handle: int | None) -> None:
        self.path = path
        self.handle = handle

    @classmethod
    def open(cls, path: Path) -> _Folder:
        """The destination: the reader's own word, whose links are followed."""
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY) if _BY_HANDLE else None
        return cls(path, handle)

    def close(self) -> None:
        if self.handle is not None:
            os.close(self.handle)

    def name(self, part: str) -> str:
        """`part` as the calls with `dir_fd=self.handle` want it."""
        return part if self.handle is not None else os.path.join(self.path, part)  # noqa: PTH118

    def look(self, part: str) -> os.stat_result | None:
        """What `part` itself is; None where there is nothing."""
        try:
            return os.stat(self.name(part), dir_fd=self.handle, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def enter(self, part: str, mode: int = 0o777) -> tuple[_Folder, bool]:
        """The folder `part`, and whether it was made for this. A link in its place goes."""
        about = self.look(part)
        if about is not None and _is_link(about):
            self.remove(part)
            about = None
        if about is not None and not stat.S_ISDIR(about.st_mode):
            raise EngineError(
                f"cannot copy: {self.path / part} is a file, and a folder in the container",
                hint="remove or rename it, or copy to another folder",
            )
        if about is None:
            os.mkdir(self.name(part), mode, dir_fd=self.handle)
        handle = None
        if self.handle is not None:
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
            handle = os.open(part, flags, dir_fd=self.handle)
        return _Folder(self.path / part, handle), about is None

    def remove(self, part: str) -> None:
        """Remove a file or a link (a junction of Windows is a folder's name)."""
        about = self.look(part)
        if about is not None and stat.S_ISDIR(about.st_mode):
            os.rmdir(self.name(part), dir_fd=self.handle)
        elif about is not None:
            os.unlink(self.name(part), dir_fd=self.handle)

    @contextlib.contextmanager
    def replacing(self, part: str) -> Iterator[str]:
        """A name to make a file or link under; it becomes `part` at the end, whole or not."""
        about = self.look(part)
        if about is not None and stat.S_ISDIR(about.st_mode) and not _is_link(about):
            raise EngineError(
                f"cannot copy: {self.path / part} is a folder, and none in the container",
                hint="remove or rename it, or copy to another folder",
            )
        draft = f".course-cp-{secrets.token_hex(8)}"
        try:
            yield draft
            if self.handle is None:
                Path(self.name(draft)).replace(self.name(part))
            else:
                os.rename(draft, part, src_dir_fd=self.handle, dst_dir_fd=self.handle)
        finally:
            # Also after a rename to another name of the same file, which does nothing.
            self.remove(draft)


def _is_link(about: os.stat_result) -> bool:
    return stat.S_ISLNK(about.st_mode) or bool(
        _JUNCTION and getattr(about, "st_reparse_tag", 0) == _JUNCTION
    )


class _Writer:
    """Writes entries below `root`. owner: with their owners and all bits of their modes."""

    def __init__(self, tar: tarfile.TarFile, root: Path, *, owner: bool) -> None:
        self._tar = tar
        self._root = root
        self._owner = owner
        self._made: dict[Parts, tarfile.TarInfo | None] = {}
        self._files: dict[Parts, tuple[int, int]] = {}

    def write(self, entry: _Entry) -> None:
        """Write one. Raises OSError that names where."""
        *above, name = entry.parts
        with writing(self._root.joinpath(*entry.parts)), self._opened(tuple(above)) as folder:
            member, origin = entry.member, entry.origin
            if member.isdir():
                inner, made = folder.enter(name, 0o700)  # until it is filled
                inner.close()
                if made or entry.parts in self._made:
                    self._made[entry.parts] = member
            elif (origin or entry).member.issym():
                with folder.replacing(name) as draft:
                    target = (origin or entry).member.linkname
                    os.symlink(target, folder.name(draft), dir_fd=folder.handle)
            elif origin is None or not self._link(folder, name, origin):
                self._file(folder, name, entry)

    @contextlib.contextmanager
    def _opened(self, parts: Parts) -> Iterator[_Folder]:
        """The folder at `parts` below the root, made where it is missing."""
        folder = _Folder.open(self._root)
        try:
            for number, part in enumerate(parts, 1):
                inner, made = folder.enter(part)
                folder.close()
                folder = inner
                if made:
                    self._made[parts[:number]] = None
            yield folder
        finally:
            folder.close()

    def _file(self, folder: _Folder, name: str, entry: _Entry) -> None:
        member = (entry.origin or entry).member
        source = self._tar.extractfile(member)
        assert source is not None  # a regular file
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
        flags |= getattr(os, "O_BINARY", 0)
        with folder.replacing(name) as draft:
            handle = os.open(folder.name(draft), flags, 0o600, dir_fd=folder.handle)
            with os.fdopen(handle, "wb") as out:
                shutil.copyfileobj(source, out, _PIECE)
                out.flush()
                self._dress(handle, member)
                about = os.fstat(handle)
        self._files[entry.parts] = about.st_dev, about.st_ino

    def _link(self, folder: _Folder, name: str, origin: _Entry) -> bool:
        """Make `name` another name of `origin`'s file; False where that cannot be."""
        *above, first = origin.parts
        with self._opened(tuple(above)) as other:
            about = other.look(first)
            if about is None or (about.st_dev, about.st_ino) != self._files.get(origin.parts):
                return False
            try:
                with folder.replacing(name) as draft:
                    os.link(
                        other.name(first),
                        folder.name(draft),
                        src_dir_fd=other.handle,
                        dst_dir_fd=folder.handle,
                        follow_symlinks=os.link not in os.supports_follow_symlinks,
                    )
            except OSError:  # a file system without hard links
                return False
        return True

    def finish(self) -> None:
        """Give the folders that were made their modes and times: the deepest first."""
        for parts in sorted(self._made, key=len, reverse=True):
            member = self._made[parts]
            if member is not None:
                with writing(self._root.joinpath(*parts)), self._opened(parts) as folder:
                    if folder.handle is not None:
                        self._dress(folder.handle, member)

    def _dress(self, handle: int, member: tarfile.TarInfo) -> None:
        """Owner (with -a, as root), mode and time of an open file or folder."""
        if self._owner:
            os.fchown(handle, member.uid, member.gid)
        if os.name == "posix":
            with contextlib.suppress(PermissionError):  # a file system without modes
                os.fchmod(handle, member.mode & (0o7777 if self._owner else 0o777))
        if os.utime in os.supports_fd:
            with contextlib.suppress(OSError, OverflowError):  # a time that it does not know
                os.utime(handle, (member.mtime, member.mtime))

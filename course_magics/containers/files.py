"""`docker cp`: files from a container to this computer and back.

The rules for where a copy lands are docker's
(https://docs.docker.com/reference/cli/docker/container/cp/).
"""

from __future__ import annotations

import os
import posixpath
import re
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_magics import engine
from course_magics.containers.lifecycle import Done, known
from course_magics.containers.mounts import host_path
from course_magics.errors import EngineError, OptionError

if TYPE_CHECKING:
    from docker import APIClient


def copy(
    source: str, target: str, line: str, *, follow: bool = False, archive: bool = False
) -> Done:
    """Copy a file or folder; one of both is CONTAINER:PATH.

    follow: copy what a symbolic link points to. archive: keep owner and group.
    Raises OptionError, EngineError.
    """
    here, there = _split(source), _split(target)
    if (here is None) == (there is None):
        raise OptionError(
            "cp takes one path in a container, CONTAINER:PATH, and one of this computer",
            hint="for instance: %container cp web:/etc/hostname . (or the other way round)",
        )
    with engine.talking(line) as api:
        try:
            if here is not None:
                _out(api, *here, target, follow=follow, archive=archive)
            elif there is not None:
                _in(api, source, *there, follow=follow, archive=archive)
        except OSError as error:
            if error.filename is None:
                raise
            raise EngineError(
                f"cannot copy: {error.filename}: {error.strerror}", command=line
            ) from None
    return Done("copied", [f"{source} to {target}"], line)


def _split(text: str) -> tuple[str, str] | None:
    """CONTAINER:PATH in two, or None for a path of this computer."""
    match = re.fullmatch(r"([A-Za-z0-9][A-Za-z0-9_.-]+):(.*)", text, re.DOTALL)
    if not match or re.match(r"[A-Za-z]:[\\/]", text):
        return None
    return match[1], match[2] or "/"


def _inside(path: str) -> str:
    return path if path.startswith("/") else f"/{path}"


def _out(
    api: APIClient, container: str, path: str, target: str, *, follow: bool, archive: bool
) -> None:
    from docker.errors import NotFound

    known(api, container)
    path = _inside(path)
    contents = path.endswith("/.") or path == "/"
    try:
        pieces, stat = api.get_archive(container, path)
        if follow and stat.get("linkTarget"):
            base = posixpath.dirname(path.rstrip("/"))
            pieces, stat = api.get_archive(container, posixpath.join(base, stat["linkTarget"]))
    except NotFound:
        raise EngineError(f"no such file in {container}: {path}") from None
    is_folder = bool(stat["mode"] & (1 << 31))
    goal = Path(host_path(target))
    if goal.is_dir():
        folder, name = goal, None
    elif target.endswith("/") and not is_folder:
        raise EngineError(
            f"no such folder: {target}", hint="make it first, or leave out the last /"
        )
    elif not goal.parent.is_dir():
        raise EngineError(f"no such folder: {goal.parent}")
    elif is_folder and goal.exists():
        raise EngineError(f"cannot copy a folder over the file {target}")
    else:
        folder, name = goal.parent, goal.name
    with tempfile.TemporaryFile() as spool:
        for piece in pieces:
            spool.write(piece)
        spool.seek(0)
        with tarfile.open(fileobj=spool) as tar:
            top = stat["name"].strip("/") if stat["name"].strip("/") not in ("", ".") else ""
            members = _renamed(tar, top, name, contents)
            for member in members:
                _extract(tar, member, folder, archive=archive)


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path, *, archive: bool) -> None:
    """Write one member below `folder` and nowhere else, whatever links the container has made.

    tarfile's own filters would do, but Debian 12's Python 3.11.2 has none.
    """
    root = folder.resolve()
    places = [folder / member.name]
    if member.islnk():
        places.append(folder / member.linkname)
    for place in places:
        # The parent: the last part may be a link, which is then replaced and not followed.
        if ".." in place.relative_to(folder).parts or not _within(place.parent.resolve(), root):
            raise EngineError(f"refused, for it would be written elsewhere: {member.name}")
    target = places[0]
    if target.is_symlink() and not member.isdir():
        target.unlink()
    if not archive:  # without -a, what is copied out belongs to whoever copies
        member.uid, member.gid = os.getuid(), os.getgid()
        member.uname = member.gname = ""
    trusted: dict[str, Any] = {"filter": "fully_trusted"} if hasattr(tarfile, "data_filter") else {}
    tar.extract(member, folder, numeric_owner=True, **trusted)


def _within(path: Path, root: Path) -> bool:
    return path == root or root in path.parents


def _renamed(
    tar: tarfile.TarFile, top: str, name: str | None, contents: bool
) -> Iterable[tarfile.TarInfo]:
    """The members under the name they shall have: `name` for the top one; contents: without it."""
    for member in tar:
        first, _, rest = member.name.strip("/").removeprefix("./").partition("/")
        if name is not None:
            member.name = f"{name}/{rest}" if rest else name
        elif contents and first in (top, "."):
            if not rest:
                continue
            member.name = rest
        yield member


def _in(
    api: APIClient, source: str, container: str, path: str, *, follow: bool, archive: bool
) -> None:
    from docker.errors import NotFound

    known(api, container)
    origin = Path(host_path(source))
    if not (origin.exists() or origin.is_symlink()):
        raise EngineError(f"no such file: {source}")
    if source.endswith("/") and not origin.is_dir():
        raise EngineError(f"not a folder: {source}")
    path = _inside(path)
    folder, name = path, origin.name
    if source.endswith("/.") or source == ".":
        name = "."
    try:
        _, stat = api.get_archive(container, path)
        is_folder = bool(stat["mode"] & (1 << 31)) or bool(stat.get("linkTarget"))
        if not is_folder:
            if origin.is_dir():
                raise EngineError(f"cannot copy a folder over the file {container}:{path}")
            folder, name = posixpath.dirname(path.rstrip("/")) or "/", posixpath.basename(path)
    except NotFound:
        if path.endswith("/") and not origin.is_dir():
            raise EngineError(f"no such folder in {container}: {path}") from None
        folder, name = (
            posixpath.dirname(path.rstrip("/")) or "/",
            posixpath.basename(path.rstrip("/")),
        )
    with tempfile.TemporaryFile() as spool:
        with tarfile.open(fileobj=spool, mode="w", dereference=follow) as tar:
            tar.add(origin, name, filter=None if archive else _rootless)
        spool.seek(0)
        try:
            api.put_archive(container, folder, spool)
        except NotFound:
            raise EngineError(f"no such folder in {container}: {folder}") from None


def _rootless(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Without -a, what is copied in belongs to the container's root (docker's rule)."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member

"""`docker cp`: files from a container to this computer and back.

The rules for where a copy lands are docker's
(https://docs.docker.com/reference/cli/docker/container/cp/).
"""

from __future__ import annotations

import base64
import contextlib
import json
import posixpath
import re
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from course_magics import engine
from course_magics.containers.lifecycle import Done, known
from course_magics.containers.mounts import host_path
from course_magics.containers.unpack import unpack
from course_magics.engine.stream import request
from course_magics.errors import DiskFull, EngineError, OptionError
from course_magics.storage import writing

if TYPE_CHECKING:
    import requests
    from docker import APIClient

#: Go's bit for a folder in a mode.
_FOLDER = 1 << 31


def copy(
    source: str, target: str, line: str, *, follow: bool = False, archive: bool = False
) -> Done:
    """Copy a file or folder; one of both is CONTAINER:PATH.

    follow: copy what a symbolic link points to. archive: keep owner and group, and out of a
    container the set-user-id bits, too, which needs root.
    Out of a container come files, folders and symbolic links, all of them below the destination;
    links that are in the way there are replaced, not followed.
    Raises OptionError, EngineError, DiskFull.
    """
    here, there = _split(source), _split(target)
    if (here is None) == (there is None):
        raise OptionError(
            "cp takes one path in a container, CONTAINER:PATH, and one of this computer",
            hint="for instance: %container cp web:/etc/hostname . (or the other way round)",
        )
    done = Done("copied", [f"{source} to {target}"], line)
    with engine.talking(line) as api:
        try:
            if here is not None:
                if odd := _out(api, *here, target, follow=follow, archive=archive):
                    more = f" and {len(odd) - 5} more" if len(odd) > 5 else ""
                    done.notes.append(f"left out, devices and pipes: {', '.join(odd[:5])}{more}")
            elif there is not None:
                _in(api, source, *there, follow=follow, archive=archive)
        except DiskFull as error:
            error.command = line
            raise
        except OSError as error:
            if error.filename is None:
                raise
            raise EngineError(
                f"cannot copy: {error.filename}: {error.strerror}", command=line
            ) from None
    return done


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
) -> list[str]:
    """Copy it. Returns the names of what cannot be copied: devices and pipes."""
    from docker.errors import NotFound

    known(api, container)
    path = _inside(path)
    # What it is called here: the reader's word, never the container's.
    name = posixpath.basename(posixpath.normpath(path))
    with contextlib.ExitStack() as held:
        try:
            pieces, stat = held.enter_context(sent(api, container, path, follow=follow))
        except NotFound:
            raise EngineError(f"no such file in {container}: {path}") from None
        # Where it is a link, Podman sends what it leads to under the link's name.
        top = {name, str(stat["name"])}
        if path.endswith("/.") or top & {"", "/", "."}:
            top = {"."} if name and path.endswith("/.") else {".", ""}
        is_folder = bool(stat["mode"] & _FOLDER)
        goal = Path(host_path(target))
        if goal.is_dir():
            folder, name = goal, "" if "." in top else name
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
        with _spooled() as spool:
            for piece in pieces:
                with _temporary():
                    spool.write(piece)
            with _temporary():
                spool.seek(0)
            try:
                tar = tarfile.open(fileobj=spool)  # noqa: SIM115 - closing it closes nothing
            except tarfile.TarError as error:
                raise EngineError("the engine sent a broken archive", detail=str(error)) from None
            return unpack(tar, folder, top=top, name=name, archive=archive)


@contextlib.contextmanager
def sent(
    api: APIClient, container: str, path: str, *, follow: bool = False
) -> Iterator[tuple[Iterator[bytes], dict[str, Any]]]:
    """A file or folder as a tar archive, and what the engine says of it.

    follow: where `path` is a symbolic link, what it points to. The engine holds the container
    until the answer is read or closed. Raises docker.errors.NotFound when there is none.
    """
    response = _archive(api, container, path)
    stat = _stat(response)
    for _ in range(5 if follow else 0):
        if not stat.get("linkTarget"):
            break
        response.close()
        path = posixpath.join(posixpath.dirname(path.rstrip("/")), stat["linkTarget"])
        response = _archive(api, container, path)
        stat = _stat(response)
    with contextlib.closing(response):
        yield response.iter_content(1 << 20), stat


def _archive(api: APIClient, container: str, path: str) -> requests.Response:
    return request(
        api,
        "GET",
        f"/containers/{container}/archive",
        params={"path": path},
        headers={"Accept-Encoding": "identity"},
        stream=True,
    )


def _stat(response: requests.Response) -> dict[str, Any]:
    """The engine's words on what is sent: name, mode, linkTarget."""
    stat = json.loads(base64.b64decode(response.headers["X-Docker-Container-Path-Stat"]))
    assert isinstance(stat, dict)
    return stat


@contextlib.contextmanager
def _temporary() -> Iterator[None]:
    with writing(f"a temporary file in {tempfile.gettempdir()}"):
        yield


@contextlib.contextmanager
def _spooled() -> Iterator[IO[bytes]]:
    """A file without a name. Its end may meet a full disk, too, and then has no data to lose."""
    with _temporary():
        spool = tempfile.TemporaryFile()  # noqa: SIM115 - closed below
    try:
        yield spool
    finally:
        with contextlib.suppress(OSError):
            spool.close()


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
        with contextlib.closing(_archive(api, container, path)) as response:
            stat = _stat(response)
        is_folder = bool(stat["mode"] & _FOLDER) or bool(stat.get("linkTarget"))
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
    with _spooled() as spool:
        with _temporary():
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

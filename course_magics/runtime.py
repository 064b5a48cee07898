"""Folders of the user's own: for what lasts, and (short, private, gone at boot) for sockets."""

from __future__ import annotations

import contextlib
import os
import shlex
import stat
import tempfile
from pathlib import Path

from course_magics import storage
from course_magics.errors import CourseError, MachineError

#: A unix socket's name has at most 104 characters (macOS; 108 on Linux), and ssh adds 17 of its own
#: while it makes one, after our own name of up to 20.
_ROOM = 104 - 17 - 20 - 2
#: In the state folder: which folder the sockets are in, where it is not the usual one.
_RECORD = "socket-folder"


def state_dir() -> Path:
    """What outlives a stop: $COURSE_STATE, else $XDG_STATE_HOME/course-magics, else ~/.local/…

    Where COURSE_STATE names a folder with other things in it, `course-magics` in there.
    Raises CourseError where that is not ours either.
    """
    own = os.environ.get("COURSE_STATE")
    if own:
        return _of_ours(expanded(Path(own)).absolute())
    return xdg_folder("XDG_STATE_HOME", ".local/state")


#: What version 0.1.0, which left no mark, has put in a state folder; other programs' names differ.
_EARLIER = (
    *("engine/engine.qcow2", "engine/base.json", "engines/*/daemon.json", "swarms/*.json"),
    *("hosts/*/ssh_config", "measure/*/owner", "compose/*-????????/*.labels.yaml"),
    *("compose/*-????????/files/*.labels.yaml", "registry/registry.*"),
)


def _of_ours(folder: Path) -> Path:
    place = folder
    try:
        for place in (folder, folder / "course-magics"):
            if not place.exists():
                storage.private_folder(place)
            if _is_state(place):
                _check(place)
                storage.private_folder(place)
                if not (place / storage.MARK).exists():
                    (place / storage.MARK).touch(mode=0o600)
                return place
    except OSError:
        return place  # who writes there says what is wrong with it
    raise CourseError(
        f"COURSE_STATE names {folder}, and the folder course-magics in it is not ours",
        hint="COURSE_STATE=/path/to/folder: a new or an empty one",
    )


def _is_state(place: Path) -> bool:
    """Whether it is one of ours, or an empty folder."""
    if (place / storage.MARK).exists() or not any(place.iterdir()):
        return True
    return any(any(place.glob(name)) for name in _EARLIER)


def _check(place: Path) -> None:
    """What is in a state folder is believed: a stranger's mark in one makes it not ours."""
    if fault := storage.distrust(place, above=True):
        raise CourseError(
            f"the state folder {place} is not used: it {fault}",
            hint="COURSE_STATE=/path/to/folder: a new one, where only you may write\n"
            f"if you trust all that is in it: chmod 700 {shlex.quote(str(place))}",
        )


def cache_dir() -> Path:
    """The cache folder: $COURSE_CACHE, else $XDG_CACHE_HOME/course-magics, else ~/.cache/…"""
    own = os.environ.get("COURSE_CACHE")
    return expanded(Path(own)) if own else xdg_folder("XDG_CACHE_HOME", ".cache")


def expanded(path: Path) -> Path:
    """The path with `~` and `~user` as folders. Raises CourseError where there is no such user."""
    try:
        return path.expanduser()
    except RuntimeError:
        raise CourseError(f"{path} names the folder of a user that there is not") from None


def xdg_folder(variable: str, usual: str) -> Path:
    """Our folder in one of the XDG specification's. usual: where that is below the home folder."""
    chosen = os.environ.get(variable)
    return (Path(chosen) if chosen else Path.home() / usual) / "course-magics"


def folder() -> Path:
    """The folder, made where it is missing, with mode 0700.

    Raises MachineError when there is no place for one.
    """
    chosen = os.environ.get("XDG_RUNTIME_DIR")
    own = Path(chosen) / "course-magics" if chosen else None
    if own is None and tempfile.gettempdir() != "/tmp":
        own = Path(tempfile.gettempdir()) / f"course-magics-{_user()}"
    return own if own is not None and _usable(own) else shared_folder()


def shared_folder() -> Path:
    """The one that all of the user's processes see, whatever their environment; made if missing.

    XDG_RUNTIME_DIR differs between a terminal and a notebook server, and goes at logout. Anybody
    may have made a folder of that name in /tmp: then it is another one, and the state folder says
    which. Raises MachineError when there is no place for one.
    """
    if (known := _recorded()) is not None:
        return known
    usual, *others = _places()
    if _usable(usual):
        return usual
    record = state_dir() / _RECORD
    try:
        storage.private_folder(record.parent)
        with storage.lock(record.with_name(f"{_RECORD}.lock")) or contextlib.nullcontext():
            if (known := _recorded()) is not None:
                return known
            found = next((place for place in others if _usable(place)), None)
            if found is None:
                found = Path(tempfile.mkdtemp(prefix=f"{usual.name}-", dir=usual.parent))
            storage.write_atomic(record, f"{found}\n")
            return found
    except OSError as error:
        raise MachineError(
            "no private folder for sockets",
            detail=f"{usual} is somebody else's\n{error}",
            hint="COURSE_STATE=/path/to/folder names a state folder that can be written to",
        ) from None


def _places() -> list[Path]:
    name = f"course-magics-{_user()}"
    return [Path("/tmp") / name, Path("/var/tmp") / name, state_dir() / "sockets"]


def _recorded() -> Path | None:
    """The folder that was chosen in place of the usual one, as long as it can be used."""
    try:
        place = Path((state_dir() / _RECORD).read_text().strip())
    except (OSError, ValueError):
        return None
    return place if place.is_absolute() and _usable(place) else None


def _usable(place: Path) -> bool:
    """Whether it is there, or can be made, for this user alone."""
    if os.name == "posix" and len(str(place)) > _ROOM:
        return False
    try:
        place.mkdir(mode=0o700, exist_ok=True)
        return _private(place)
    except OSError:
        return False


def _private(place: Path) -> bool:
    about = place.lstat()
    if os.name != "posix":
        return stat.S_ISDIR(about.st_mode)
    return (
        stat.S_ISDIR(about.st_mode)
        and about.st_uid == os.getuid()
        and stat.S_IMODE(about.st_mode) == 0o700
    )


def _user() -> str:
    return str(os.getuid()) if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")

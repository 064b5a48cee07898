"""Folders of the user's own: for what lasts, and (short, private, gone at boot) for sockets."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from course_magics import owned
from course_magics.errors import CourseError, MachineError
from course_magics.storage import private_folder

#: A unix socket's name has at most 104 characters (macOS; 108 on Linux), and ssh adds 17 of its own
#: while it makes one, after our own name of up to 20.
_ROOM = 104 - 17 - 20 - 2


def state_dir() -> Path:
    """What outlives a stop: $COURSE_STATE, else $XDG_STATE_HOME/course-magics, else ~/.local/…

    Where COURSE_STATE names a folder with other things in it, `course-magics` in there.
    Raises CourseError where that is not ours either.
    """
    own = os.environ.get("COURSE_STATE")
    if own:
        return _of_ours(Path(own).expanduser().absolute())
    return xdg_folder("XDG_STATE_HOME", ".local/state")


#: What versions without a marker have left in a state folder; other programs' names differ.
_EARLIER = (
    *("engine/engine.qcow2", "engine/base.json", "engines/*/daemon.json", "swarms/*.json"),
    *("hosts/*/ssh_config", "measure/*/owner", "compose/*-????????/*.labels.yaml"),
    *("compose/*-????????/files/*.labels.yaml", "registry/registry.log"),
)


def _of_ours(folder: Path) -> Path:
    place = folder
    try:
        for place in (folder, folder / "course-magics"):
            if not place.exists():
                private_folder(place)
            if owned.claim(place):
                return place
            if any(any(place.glob(name)) for name in _EARLIER):
                owned.mark(place)
                return place
    except OSError:
        return place  # who writes there says what is wrong with it
    raise CourseError(
        f"COURSE_STATE names {folder}, and the folder course-magics in it is not ours",
        hint="COURSE_STATE=/path/to/folder: a new or an empty one",
    )


def xdg_folder(variable: str, usual: str) -> Path:
    """Our folder in one of the XDG specification's. usual: where that is below the home folder."""
    chosen = os.environ.get(variable)
    return (Path(chosen) if chosen else Path.home() / usual) / "course-magics"


def folder() -> Path:
    """The folder, made where it is missing, with mode 0700.

    Raises MachineError when somebody else owns what stands in its place.
    """
    places = [_of_all()]
    if os.environ.get("XDG_RUNTIME_DIR"):
        places.insert(0, Path(os.environ["XDG_RUNTIME_DIR"]) / "course-magics")
    else:
        places.insert(0, Path(tempfile.gettempdir()) / f"course-magics-{_user()}")
    return _first(places)


def shared_folder() -> Path:
    """The one that all of the user's processes see, whatever their environment; made if missing.

    XDG_RUNTIME_DIR differs between a terminal and a notebook server, and goes at logout.
    Raises MachineError when somebody else owns what stands in its place.
    """
    return _first([_of_all()])


def _of_all() -> Path:
    return Path("/tmp") / f"course-magics-{_user()}"


def _first(places: list[Path]) -> Path:
    for place in places:
        if os.name == "posix" and len(str(place)) > _ROOM:
            continue
        try:
            place.mkdir(mode=0o700, exist_ok=True)
        except OSError:
            continue
        if _private(place):
            return place
    raise MachineError(
        "no private folder for sockets",
        detail="\n".join(str(place) for place in places),
        hint="it must be yours alone (mode 0700): remove what stands there",
    )


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

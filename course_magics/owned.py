"""Folders of ours: a marker says that we made one, and only what we made is changed or removed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from course_magics.errors import OptionError
from course_magics.storage import write_atomic

#: The file that marks a folder of ours. In one of results it names what was written, one a line.
MARKER = ".course-magics"


def is_ours(folder: Path) -> bool:
    """Whether we made the folder."""
    return (folder / MARKER).is_file()


def claim(folder: Path) -> bool:
    """Whether the folder is ours; one that is missing or empty becomes so. Raises OSError."""
    if is_ours(folder):
        return True
    try:
        if any(folder.iterdir()):
            return False
    except FileNotFoundError:
        folder.mkdir(parents=True, exist_ok=True)
    except NotADirectoryError:
        return False
    mark(folder)
    return True


def mark(folder: Path) -> None:
    """Say that the folder is ours. Raises OSError."""
    (folder / MARKER).touch(mode=0o600)


def results(folder: Path, names: Iterable[str], *, before: Iterable[str] = ()) -> None:
    """Get ready to write files and folders called `names` into `folder`; it is made if missing.

    Those that an earlier call has announced are written anew. before: what a version that left no
    marker has written. Raises OptionError where a name is taken by what we did not write; nothing
    has been changed then.
    """
    try:
        known = set((folder / MARKER).read_text("utf-8").splitlines())
    except FileNotFoundError:
        known = set(before)
    except (OSError, ValueError) as error:
        raise _unusable(folder, error) from None
    wanted = set(names)
    for name in sorted(wanted - known):
        if (folder / name).exists() or (folder / name).is_symlink():
            raise foreign(folder / name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not wanted <= known:
            text = "".join(f"{name}\n" for name in sorted(wanted | known))
            write_atomic(folder / MARKER, text, mode=0o644)
    except OSError as error:
        raise _unusable(folder, error) from None


def foreign(path: Path) -> OptionError:
    """The refusal to write over `path`."""
    return OptionError(
        f"{path} is there, and this command did not write it",
        hint="--out DIR names another folder; or move it away",
    )


def _unusable(folder: Path, error: Exception) -> OptionError:
    return OptionError(
        f"the folder {folder} cannot be written to",
        detail=str(error),
        hint="--out DIR names another one",
    )

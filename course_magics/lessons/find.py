"""Where exercises and quizzes are: in `exercises/` and `quizzes/` beside the notebook.

Also seen from a folder below or above it: `make run` executes copies in build/work/NAME, and a
terminal stands in the repository.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from course_magics import storage
from course_magics.errors import LessonError, closest
from course_magics.lessons.exercise import Exercise, lacks

_KINDS = ("exercises", "quizzes")


def root() -> Path | None:
    """The folder that holds `exercises/` and `quizzes/`; None where there is none.

    The setting `lessons` counts, else COURSE_LESSONS, else it is looked for from here upwards.
    """
    if named := _named():
        place = Path(named).expanduser().absolute()
        return place.parent if place.name in _KINDS else place
    nearest = _nearest()
    return None if nearest is None or _distrusted(nearest) else nearest


def not_used() -> tuple[str, str]:
    """(what of the nearest folder is not used and why, what to do); "" where nothing is."""
    place = None if _named() else _nearest()
    if place is None or (found := _distrusted(place)) is None:
        return "", ""
    return (
        f"the exercises and quizzes of {place} are not used: {found} {storage.distrust(found)}",
        f"if you trust all that is in it: %config CourseMagics.lessons = {str(place)!r}",
    )


def _named() -> str:
    """The folder that the reader has named."""
    from course_magics import settings

    return settings.current().lessons or os.environ.get("COURSE_LESSONS", "")


def _nearest() -> Path | None:
    here = Path.cwd()
    for folder in (here, *here.parents):
        for place in (folder, folder / "notebooks"):
            if any((place / kind).is_dir() for kind in _KINDS):
                return place
    return None


def _distrusted(place: Path) -> Path | None:
    """What others may have written of that which would run: check.py is a program.

    The folders from here up to `place` count too: who can write to one can put another there.
    """
    here = Path.cwd()
    for folder in (here, *here.parents):
        if not storage.trusted(folder):
            return folder
        if folder in (place, place.parent):
            break
    inside = chain([place], *(_below(place / kind) for kind in _KINDS if (place / kind).is_dir()))
    return next((path for path in inside if not storage.trusted(path)), None)


def _below(folder: Path) -> Iterator[Path]:
    """The folder and everything below it, following links; each folder is entered once."""
    entered = set()
    to_come = [folder]
    while to_come:
        place = to_come.pop()
        yield place
        if place.is_dir() and (real := place.resolve()) not in entered:
            entered.add(real)
            with contextlib.suppress(OSError):  # what cannot be read does not run either
                to_come += place.iterdir()


def exercises() -> list[str]:
    """The names of all exercises, in order."""
    return sorted(p.name for p in _inside("exercises") if p.is_dir() and p.name[0] not in "._")


def quizzes() -> list[str]:
    """The names of all quizzes, in order."""
    return sorted(p.stem for p in _inside("quizzes") if p.suffix == ".yaml")


def exercise(name: str) -> Exercise:
    """The exercise called `name`. Raises LessonError: none of this name, or not a whole one."""
    _known(name, "exercise", exercises(), "%lesson ls lists them")
    folder = _folder("exercises") / name
    if missing := lacks(folder):
        raise LessonError(
            f"{name} is not a whole exercise: {', '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} missing",
            hint="course-magics lesson new NAME makes one with all its files",
        )
    return Exercise(name, folder)


def quiz_file(name: str) -> Path:
    """The file of the quiz called `name`. Raises LessonError where there is none."""
    found = quizzes()
    _known(name, "quiz", found, f"there are: {', '.join(found)}")
    return _folder("quizzes") / f"{name}.yaml"


def _folder(kind: str) -> Path:
    place = root()
    return (place or Path()) / kind


def _inside(kind: str) -> list[Path]:
    try:
        return [] if root() is None else list(_folder(kind).iterdir())
    except OSError:
        return []


def _known(name: str, what: str, names: list[str], otherwise: str) -> None:
    """A name is only ever compared with those that are there: `../x` leads nowhere."""
    if name in names:
        return
    folder = {"exercise": "exercises", "quiz": "quizzes"}[what]
    ignored, remedy = not_used()
    if ignored:
        raise LessonError(ignored, hint=remedy)
    if not names:
        raise LessonError(
            f"there is no {what} here",
            hint=f"they are looked for in {folder}/ beside the notebook, and in the folders above\n"
            "COURSE_LESSONS names another folder",
        )
    near = closest(name, names)
    raise LessonError(
        f"no {what} is called {name!r}", hint=f"did you mean {near}?" if near else otherwise
    )

"""Where exercises and quizzes are: in `exercises/` and `quizzes/` beside the notebook.

Also seen from a folder below or above it: `make run` executes copies in build/work/NAME, and a
terminal stands in the repository.
"""

from __future__ import annotations

import os
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
    for folder in storage.upwards(Path.cwd()):
        for place in (folder, folder / "notebooks"):
            if _holds(place):
                return place if _all_trusted(place) else None
    return None


def not_used() -> Path | None:
    """The nearest folder with exercises that is not used, since another user may write to it."""
    here = Path.cwd()
    for folder in (here, *here.parents) if not _named() else ():
        for place in (folder, folder / "notebooks"):
            if _holds(place):
                return None if root() == place else place
    return None


def _named() -> str:
    """The folder that the reader has named."""
    from course_magics import settings

    return settings.current().lessons or os.environ.get("COURSE_LESSONS", "")


def _holds(place: Path) -> bool:
    return any((place / kind).is_dir() for kind in _KINDS)


def _all_trusted(place: Path) -> bool:
    """Whether nobody else can have written what would run from there: check.py is a program."""
    places = [place]
    for kind in _KINDS:
        if (place / kind).is_dir():
            places += [place / kind, *(place / kind).iterdir()]
            places += (place / kind).glob("*/*")
    return all(map(storage.trusted, places))


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
    if not names and (place := not_used()) is not None:
        raise LessonError(
            f"the {folder} of {place} are not used: another user may write to that folder",
            hint="look at check.py there; if you trust it: "
            f"%config CourseMagics.lessons = {str(place)!r}",
        )
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

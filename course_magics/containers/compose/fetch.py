"""Debian's compose (and docker client) in the cache, for where none is installed."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from course_magics import storage
from course_magics.containers.compose import program
from course_magics.errors import EngineError

_SUITE = "trixie"  # the first Debian with compose 2


def fetch(say: Callable[[str], None], *, force: bool = False, docker: bool = False) -> None:
    """Unpack docker-compose into the cache; nothing where a compose is here, unless `force`.

    docker: the docker client as well, which `%container stack` needs. say: told each step.
    Raises MachineError where apt is missing or refuses.
    """
    wanted = {}
    if force or not _is_here(program.find):
        wanted["docker-compose"] = program.cached()
    if docker and (force or not _is_here(program.docker)):
        wanted["docker-cli"] = program.cached_docker()
    if not wanted:
        say("compose is here already")
        return
    from course_magics.guest.debs import unpack

    with tempfile.TemporaryDirectory(prefix="course-compose-") as place:
        unpack(_SUITE, list(wanted), Path(place), say)
        for package, target in wanted.items():
            found = next(
                p for p in Path(place).rglob(target.name) if p.is_file() and _is_program(p)
            )
            target.parent.mkdir(parents=True, exist_ok=True)
            part = target.with_suffix(".part")
            shutil.copyfile(found, part)
            part.chmod(0o755)
            storage.sync_file(part)
            part.replace(target)
            storage.sync_folder(target.parent)
            say(f"{package} is here: {target}")


def _is_program(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def _is_here(find: Callable[[], object]) -> bool:
    try:
        find()
    except EngineError:
        return False
    return True

"""The real compose command: where it is, and how it is run against the engine in use."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from course_magics import engine, process
from course_magics.containers.compose.project import Project
from course_magics.containers.plugins import plugin
from course_magics.errors import EngineError
from course_magics.guest.model import cache_dir
from course_magics.patience import limit
from course_magics.streams import Sink

#: ■: how long compose may take to end by itself (seconds). What it was doing is undone here.
_GRACE = 0.15
_INSTALL = {
    "linux": "course-magics compose fetch    (or: apt-get install docker-compose-v2)",
    "darwin": "brew install docker-compose",
    "win32": "Docker Desktop brings it",
}
#: For the program's own output: no colours and no cursor movements, a line for each change.
_PLAIN = ("--ansi", "never", "--progress", "plain")


def cached() -> Path:
    """Where `course-magics compose fetch` puts the command."""
    return cache_dir() / "compose" / "docker-compose"


def cached_docker() -> Path:
    """Where `course-magics compose fetch --docker` puts the docker client."""
    return cached().with_name("docker")


def docker() -> Path:
    """The docker client, or the course's own copy. Raises EngineError that says what to type."""
    if (found := shutil.which("docker")) is not None:
        return Path(found)
    if cached_docker().is_file():
        return cached_docker()
    raise EngineError(
        "docker stack is a word of the docker client, which is not installed",
        hint="course-magics compose fetch --docker    (or: apt-get install docker.io)",
    )


def find() -> Path:
    """The command: docker's plugin, `docker-compose` on the PATH, or the course's own copy.

    Raises EngineError that says what to type. Compose 1 is passed over: it reads other files.
    """
    if (found := plugin("docker-compose")) is not None:
        return found
    elsewhere = shutil.which("docker-compose")
    if elsewhere is not None and _is_current(elsewhere):
        return Path(elsewhere)
    if cached().is_file():
        return cached()
    old = f"{elsewhere} is compose 1, which has ended" if elsewhere else None
    raise EngineError(
        "docker compose is not installed",
        detail=old,
        hint=_INSTALL.get(sys.platform, "https://docs.docker.com/compose/install/"),
    )


@functools.cache
def _is_current(command: str) -> bool:
    """Whether this is compose 2 or newer."""
    try:
        done = subprocess.run(
            [command, "version", "--short"],
            capture_output=True,
            text=True,
            timeout=limit(),
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    major = done.stdout.strip().lstrip("v").partition(".")[0]
    return major.isdigit() and int(major) >= 2


def environment() -> dict[str, str]:
    """What makes docker's own programs talk to the engine in use, and to no other."""
    return {**dict.fromkeys(engine.OTHERS, ""), **engine.current().environment}


def run(project: Project | None, words: Sequence[str], *, out: Sink, err: Sink) -> int:
    """Run `docker compose … WORDS` to its end; returns its exit status.

    project: None for a word that needs none. KeyboardInterrupt passes through when it has ended.
    """
    before = project.words() if project is not None else []
    # Without a file compose looks in the folders above, and a stranger's file is his programs. With
    # this one it does not, while a project that it knows by its name alone stays what runs.
    env = {} if project is not None and project.files else {"COMPOSE_FILE": os.devnull}
    given = project.environment if project is not None else {}
    # A folder that was removed must not keep the project from being taken down.
    folder = project.folder if project is not None and project.folder.is_dir() else None
    return process.run(
        [str(find()), *_PLAIN, *before, *words],
        folder=folder,
        env={**given, **environment(), **env},
        out=out,
        err=err,
        grace=_GRACE,
    )


def capture(project: Project | None, words: Sequence[str]) -> tuple[int, str, str]:
    """The same for its text: exit status, output, errors."""
    out, err = process.Kept(), process.Kept()
    status = run(project, words, out=out, err=err)
    return status, out.text, err.text

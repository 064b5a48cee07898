"""An engine that goes away under compose: one clear line, and the next cell works."""

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest

from course_magics import engine
from course_magics.containers.compose import program
from course_magics.engine.namespaced import Namespaced, engine_beside, lacks
from course_magics.errors import EngineError
from course_magics.guest.model import cache_dir
from course_magics.patience import until

from .conftest import Cell

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(bool(lacks()), reason=f"needs root on Linux and dockerd: {lacks()}"),
]
FILE = """\
services:
  web:
    image: course/busybox
    command: sh -c 'while :; do echo tick; sleep 1; done'
    stop_grace_period: 0s
"""
SICK = FILE + '    healthcheck: {test: "false", interval: 90s}\n'


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Namespaced]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COURSE_STATE", str(tmp_path_factory.mktemp("state")))
        with engine_beside(f"c{uuid.uuid4().hex[:5]}") as found:
            image = engine.current().api.get_image("course/busybox:latest")
            there = docker.APIClient(base_url=found.url, version="auto")
            list(there.load_image(b"".join(image)))
            there.close()
            yield found


@pytest.fixture
def project(beside: Namespaced, monkeypatch: pytest.MonkeyPatch, here: Path) -> Iterator[str]:
    """A project on that engine, which is the one in use."""
    try:
        program.find()
    except EngineError:
        monkeypatch.setenv("DOCKER_CONFIG", str(cache_dir() / "newer-docker"))
    engine.use(beside.url)
    yield f"test-{uuid.uuid4().hex[:8]}"
    engine.use("")


@pytest.mark.parametrize("word", ["logs -f", "up", ""])
def test_the_engine_s_power_is_cut(
    beside: Namespaced,
    project: str,
    cell: Cell,
    fails: Callable[[str], BaseException],
    word: str,
) -> None:
    if word == "logs -f":
        cell(f"%%compose -p {project} up -d\n{FILE}")
        text = f"%compose -p {project} {word}"
    else:
        text = f"%%compose -p {project} {word}\n{SICK if not word else FILE}"

    def cut() -> None:
        look = docker.APIClient(base_url=beside.url)
        until(lambda: look.containers(filters={"name": project}), pause=0.1)
        time.sleep(1)
        beside.kill()

    thread = threading.Thread(target=cut)
    thread.start()
    error = fails(text)
    thread.join()
    assert isinstance(error, EngineError)
    assert len(error.lines()) <= 6, error
    assert "Docker engine" in error.message, error
    beside.start()
    cell(f"%compose -p {project} ps -a")
    cell(f"%compose -p {project} down")

"""A registry in a container of the engine: pushed to and pulled from, and gone afterwards."""

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from docker.errors import ImageNotFound, NotFound

from course_magics import settings
from course_magics.containers import transfer
from course_magics.errors import ContainerError, RegistryError
from course_magics.registry import classroom
from course_magics.registry.contents import Client

pytestmark = pytest.mark.engine


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def registry(name: str, api: docker.APIClient) -> Iterator[str]:
    yield name
    classroom.stop(name)
    with pytest.raises(NotFound):
        api.inspect_container(name)
    with pytest.raises(ImageNotFound):
        api.inspect_image(f"course-demo/{name}")
    classroom.stop(name)  # a second time: nothing to do, and no fault


def test_push_and_pull(registry: str, port: int, api: docker.APIClient) -> None:
    for _ in range(2):  # what the first call has left does not disturb the second
        assert classroom.start(registry, port).state == "running"
    there = f"127.0.0.1:{port}/{registry}"
    api.tag("course/busybox", there, "1")
    try:
        transfer.push(f"{there}:1", "docker push")
        assert Client(f"127.0.0.1:{port}").repositories() == [registry]
        api.remove_image(f"{there}:1")
        transfer.pull(f"{there}:1", "docker pull")
        assert api.inspect_image(f"{there}:1")["Id"] == api.inspect_image("course/busybox")["Id"]
    finally:
        api.remove_image(f"{there}:1", force=True)


def test_nothing_answers(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings.current(), "patience", 1)
    with pytest.raises(RegistryError, match=f"no registry answers at 127.0.0.1:{port}"):
        classroom.wait(port)


def test_the_program_is_taken_from_this_computer_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "cache"))
    program = tmp_path / classroom.PROGRAM
    program.write_text("#!/bin/sh\n")
    monkeypatch.setattr(shutil, "which", lambda name: str(program))
    folder = classroom.context()
    assert [p.name for p in folder.iterdir()] == [classroom.PROGRAM]
    assert (folder / classroom.PROGRAM).stat().st_mode & 0o111
    program.unlink()
    assert classroom.context() == folder
    copy = classroom.context(tmp_path / "new" / "copy")
    assert (copy / classroom.PROGRAM).stat().st_mode & 0o111
    assert [p.name for p in (tmp_path / "cache").iterdir()] == ["registry"]


def test_neither_here_nor_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, api: docker.APIClient
) -> None:
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(classroom, "_FETCH", "echo no such host >&2; exit 3")
    said: list[str] = []
    with pytest.raises(RegistryError, match="could not be fetched") as raised:
        classroom.context(say=said.append)
    assert "apt-get install docker-registry" in str(raised.value)
    assert said == ["docker-registry is not installed here: apt fetches it in a container"]
    assert isinstance(raised.value.__context__, ContainerError)
    left = [n for c in api.containers(all=True) for n in c["Names"]]
    assert not [n for n in left if "registry-fetch" in n]

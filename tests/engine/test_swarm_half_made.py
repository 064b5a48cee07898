"""A swarm whose files are damaged or gone is still taken away: no dockerd is lost track of."""

from __future__ import annotations

import contextlib
import os
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from course_magics.cli import main
from course_magics.engine.bridge import Bridge
from course_magics.engine.namespaced import Namespaced, lacks
from course_magics.errors import EngineError
from course_magics.runtime import state_dir
from course_magics.swarms.local import Swarm

from .beside import traces

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(bool(lacks()), reason=f"needs root on Linux and dockerd: {lacks()}"),
]


@pytest.fixture
def swarm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Swarm]:
    """A swarm that nobody has made yet, with a state folder of its own."""
    monkeypatch.setenv("COURSE_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    found = Swarm(f"h{uuid.uuid4().hex[:5]}")
    yield found
    node = Namespaced(f"{found.name}-1", Bridge(found.name))  # whatever a failing test has left
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = line.read_bytes()
            if words.startswith(b"unshare\0") and str(node.folder).encode() in words:
                os.kill(int(line.parent.name), signal.SIGKILL)
    node.remove()
    node.bridge.remove()


def cut(file: Path) -> None:
    """As a full disk or a power cut leaves it."""
    file.write_bytes(file.read_bytes()[:5])


DAMAGE = {
    "the file is empty, the pid is cut off": lambda file, pid: (file.write_text(""), cut(pid)),
    "the file is cut off, the pid is gone": lambda file, pid: (cut(file), pid.unlink()),
    "the file is gone": lambda file, pid: file.unlink(),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_down_removes_all(swarm: Swarm, damage, capsys: pytest.CaptureFixture[str]) -> None:  # type: ignore[no-untyped-def]
    swarm.up(1, images=["course/busybox"])
    node = swarm.nodes[0]
    file = state_dir() / "swarms" / f"{swarm.name}.json"
    damage(file, state_dir() / "engines" / node.name / "pid")
    at = ["--name", swarm.name]
    assert main(["swarm", "status", *at]) == 1
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert f"course-magics swarm {'down' if file.exists() else 'up'} --name {swarm.name}" in said
    with pytest.raises(EngineError) as caught:  # nothing is made over it
        swarm.up(1)
    assert f"course-magics swarm down --name {swarm.name}" in (caught.value.hint or "")
    assert main(["swarm", "down", *at]) == 0
    assert capsys.readouterr().out == f"removed: {node.name}\n"
    assert not any(traces(swarm.name).values()), traces(swarm.name)


def test_one_that_was_killed_before_it_made_anything(swarm: Swarm) -> None:
    file = state_dir() / "swarms" / f"{swarm.name}.json"
    file.parent.mkdir(parents=True)
    file.touch()
    assert swarm.down() == [swarm.name]
    assert not file.exists()
    assert swarm.down() == []

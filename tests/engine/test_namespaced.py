"""A whole engine in namespaces of its own: it works, its power can be cut, and nothing stays."""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from course_magics.engine.bridge import Bridge
from course_magics.engine.namespaced import Namespaced, engine_beside, lacks
from course_magics.errors import EngineError, MachineError, OptionError

from .beside import traces

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(bool(lacks()), reason=f"needs root on Linux and dockerd: {lacks()}"),
]
BUSYBOX = "course/busybox:latest"


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A name that nobody else uses; the state lies in a folder of the test's."""
    monkeypatch.setenv("COURSE_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    name = f"t{uuid.uuid4().hex[:6]}"
    yield name
    assert not any(traces(name).values()), traces(name)


def test_it_is_an_engine_of_its_own(api: docker.APIClient, own: str) -> None:
    with engine_beside(own, settings={"labels": ["colour=blue"]}) as beside:
        left = {kind for kind, found in traces(own).items() if found}
        assert {"links", "rules", "processes", "state", "sockets"} <= left
        there = docker.APIClient(base_url=beside.url, version="auto")
        assert there.info()["Name"] == own
        assert there.info()["Labels"] == ["colour=blue"]
        assert there.images() == []
        list(there.load_image(b"".join(api.get_image(BUSYBOX))))
        made = there.create_container(BUSYBOX, ["httpd", "-f", "-h", "/etc"])
        there.start(made["Id"])
        assert not [c for c in api.containers(all=True) if c["Id"] == made["Id"]]

        beside.kill()
        assert not beside.answers()
        assert not traces(own)["processes"], "the container went with its engine"
        beside.start()
        ended = there.inspect_container(made["Id"])["State"]
        assert not ended["Running"], "as after a power cut"
        there.close()


def test_settings_that_dockerd_refuses_are_in_the_error(own: str) -> None:
    with (
        pytest.raises(EngineError, match=f"the engine {own} has ended") as caught,
        engine_beside(own, settings={"no-such-setting": 1}),
    ):
        pass
    assert "no-such-setting" in (caught.value.detail or "")


@pytest.mark.parametrize("name", ["", "Über", "../x", "much-too-long-a-name"])
def test_a_name_that_cannot_be_one(name: str) -> None:
    with pytest.raises(OptionError, match="cannot be part of a network interface's name"):
        Bridge(name)


def test_a_network_that_is_in_use_is_not_taken_away(own: str) -> None:
    """Two with one name: the second one's failure leaves the first alone."""
    bridge = Bridge(own)
    bridge.make()
    try:
        first = Namespaced(own, bridge)
        first.start()
        second = Namespaced(own, bridge)
        assert second.pid == first.pid
        second.start()  # does nothing
        assert first.answers()
        first.remove()
    finally:
        bridge.remove()
    with pytest.raises((EngineError, MachineError)):
        Namespaced(own, bridge).start()


def test_an_interrupt_leaves_nothing(own: str) -> None:
    program = (
        "from course_magics.engine.namespaced import engine_beside\n"
        f"with engine_beside({own!r}): print('up', flush=True)\n"
    )
    for wait in (0.4, 0.6):
        with subprocess.Popen(
            [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            time.sleep(wait)
            process.send_signal(signal.SIGINT)
            assert process.wait(20) != 0 or process.stdout.read()  # type: ignore[union-attr]
        assert not any(traces(own).values()), (wait, traces(own))
    assert os.geteuid() == 0

"""What a power cut leaves half written: it is still found, and taken away."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from course_magics.errors import EngineError, OptionError
from course_magics.machines import hosts
from course_magics.swarms.local import Swarm


@pytest.mark.parametrize("text", ["", '{"nodes": 3, "on": "name'])
def test_a_swarm_whose_file_is_cut_off_can_be_taken_down(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COURSE_STATE", str(tmp_path))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    file = tmp_path / "swarms" / "cut.json"
    file.parent.mkdir()
    file.write_text(text)
    swarm = Swarm("cut")
    assert swarm.exists
    with pytest.raises(EngineError, match="cannot be read") as caught:
        _ = swarm.nodes
    assert "course-magics swarm down --name cut" in (caught.value.hint or "")
    assert swarm.down() == ["cut"]
    assert not swarm.exists
    with pytest.raises(EngineError, match="there is no swarm"):
        _ = swarm.nodes


@pytest.mark.parametrize("name", ["github.com", "localhost"])
def test_a_host_is_not_called_like_a_computer_that_there_is(name: str) -> None:
    """ssh would reach the course's machine in its place, password and all."""
    with pytest.raises(OptionError, match="computer"):
        hosts.free_for_ssh(name)


def test_a_name_of_one_s_own_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name server that does not answer (a fake: none is silent on demand) is not waited for."""
    monkeypatch.setattr(hosts, "_NAME_SERVER", 0.1)
    monkeypatch.setattr(hosts.socket, "getaddrinfo", lambda *words: time.sleep(1) or [])
    hosts.free_for_ssh("course-no-such-computer")

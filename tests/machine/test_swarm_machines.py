"""A swarm of two real machines: made without root, a service on both, a port on both, removed."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from course_magics.cli import main
from course_magics.engine import contexts
from course_magics.machines import hosts, ssh
from course_magics.patience import until
from course_magics.swarms.local import Swarm

pytestmark = pytest.mark.machine

NAME = "test-sw"
ONE, TWO = f"{NAME}-1", f"{NAME}-2"


@pytest.fixture
def place(ssh_place: Path) -> Iterator[Path]:
    """A folder of the test's own; a swarm that is left is removed."""
    yield ssh_place
    Swarm(NAME).down()


def _cell(ip: InteractiveShell, text: str) -> Any:
    result = ip.run_cell(text)
    result.raise_error()
    return result.result


def _status() -> list[tuple[str, bool, str, str]]:
    return [(n.name, n.runs, n.role, n.state) for n in Swarm(NAME).status()]


def test_two_machines_from_up_to_down(
    ip: InteractiveShell, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--name", NAME, "--nodes", "2", "--on", "machines", "--images", "course/busybox"]
    assert main(["swarm", "up", *words]) == 0, capsys.readouterr().err
    assert _status() == [(ONE, True, "leader", "ready"), (TWO, True, "worker", "ready")]
    assert contexts.load(TWO).host == f"ssh://{TWO}"
    assert hosts.names() == [], "they are no hosts of `course-magics host`"

    _cell(ip, f"%engine use {ONE}")
    made = _cell(
        ip,
        "%container service create --name web --replicas 2 --update-monitor 1s "
        "--stop-grace-period 0s -p 8080:80 course/busybox httpd -f -h /etc",
    )
    assert "tasks    2 of 2 run" in str(made)
    rows = _cell(ip, "%container service ps web").rows
    assert sorted(r["Node"] for r in rows) == [ONE, TWO]

    # The routing mesh: one task is left, and both nodes answer.
    _cell(ip, "%container service scale web=1")
    folder = place / "state" / "swarms" / NAME
    for node in Swarm(NAME).nodes:
        script = f"curl -fsS --noproxy '*' -m 20 http://{node.address}:8080/group | head -1"
        assert ssh.run(folder, ONE, script).stdout.startswith("root")

    Swarm(NAME).kill("2")
    assert _status()[1][1] is False
    capsys.readouterr()
    assert main(["swarm", "kill", "--name", NAME, "2"]) == 1
    assert f"{TWO} does not run" in capsys.readouterr().err
    assert main(["swarm", "start", "--name", NAME, "2"]) == 0, capsys.readouterr().err
    whole = [(ONE, True, "leader", "ready"), (TWO, True, "worker", "ready")]
    until(lambda: _status() == whole, sign=_status, pause=1, what="the second node")

    _cell(ip, "%engine use")
    assert main(["swarm", "down", "--name", NAME]) == 0
    assert contexts.names() == ["default"]
    assert not list((place / "state").glob("swarms*"))
    shown = subprocess.run(["ps", "-e", "-ww", "-o", "args="], capture_output=True, text=True)
    assert str(place) not in shown.stdout, "no machine runs"


def test_a_swarm_that_cannot_be_made_leaves_nothing(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VAGRANT_DEFAULT_PROVIDER", "nonsense")
    assert main(["swarm", "up", "--name", NAME, "--on", "machines"]) == 1
    assert "nonsense" in capsys.readouterr().err
    assert contexts.names() == ["default"]
    assert not list((place / "state").glob("swarms*"))

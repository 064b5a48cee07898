"""Each experiment for real: a process, a container and a machine; and nothing is left of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from course_magics import engine, labels
from course_magics.errors import MachineError
from course_magics.experiments import measure, nesting
from course_magics.experiments.result import Measurement, Observations
from course_magics.machines import program
from course_magics.patience import until

pytestmark = [pytest.mark.machine, pytest.mark.engine]

#: nesting and isolation have tests of their own.
NUMBERS = ("startup", "memory", "disk", "cpu", "syscalls", "files", "network", "density")


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A state folder of the test's own, and a look at what is left afterwards."""
    monkeypatch.setenv("COURSE_STATE", str(tmp_path / "state"))
    yield tmp_path / "state"
    # QEMU removes its last files and ends after it has said good-bye.
    until(lambda: not left(tmp_path / "state"))
    assert left(tmp_path / "state") == []


def left(state: Path, owner: str | None = None) -> list[str]:
    """Containers of this process, machines and their folders that are still there."""
    with engine.talking("docker ps") as api:
        mine = f"{labels.OWNER}={owner or labels.owner()}"
        found = [c["Id"][:12] for c in api.containers(all=True, filters={"label": mine})]
    found += [str(p) for p in (state / "measure").glob("*")]
    for process in Path("/proc").glob("[0-9]*/cwd"):
        try:
            where = str(process.readlink())
        except OSError:
            continue
        if where.startswith(str(state)):
            found.append(where)
    return found


@pytest.mark.parametrize("name", NUMBERS)
def test_an_experiment(name: str) -> None:
    found = measure(name, quick=True, repeat=1)
    assert isinstance(found, Measurement)
    assert {s.subject for s in found.series} == {"process", "container", "machine"}
    assert [s.missing for s in found.series if s.missing] == []
    assert all(s.values for s in found.series), str(found)
    assert [name for name, _ in found.how].count("machine") >= 1
    assert found.plot().bars


def test_what_is_isolated() -> None:
    found = measure("isolation")
    assert isinstance(found, Observations)
    assert found.missing == {}
    kernel = found["runs on this computer's kernel"]
    assert (kernel["process"], kernel["machine"]) == (True, False)
    sees = found["sees a process of this computer"]
    assert (sees["process"], sees["container"], sees["machine"]) == (True, False, False)
    assert found["root inside may load kernel modules"]["machine"] is True
    assert found["root inside may load kernel modules"]["container"] is False
    assert "virtio_blk" in found.seen["machine"]["drivers"]


def test_a_machine_in_a_machine_in_a_container() -> None:
    assert nesting.prepare()
    found = measure("nesting")
    assert isinstance(found, Measurement)
    names = [row["name"] for row in found.rows if row["median"]]
    assert names == [
        "container, the work",
        *("level 1, boot", "level 1, the work", "level 2, boot", "level 2, the work"),
    ]
    assert found["level 1"]["emulated"] and found["level 2"]["emulated"]


def test_without_vagrant_the_others_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent() -> str:
        raise MachineError("vagrant is not installed")

    monkeypatch.setattr(program, "find", absent)
    found = measure("cpu", quick=True, repeat=1)
    assert isinstance(found, Measurement)
    assert found["machine"]["missing"] == "vagrant is not installed"
    assert found.median("process") and found.median("container")
    assert "vagrant is not installed" in str(found)


@pytest.mark.parametrize("moment", ["vagrant", "machine"])
def test_an_interrupt_leaves_nothing(moment: str, state: Path) -> None:
    """■ while vagrant makes the machine, and while the machine boots."""
    process = subprocess.Popen(
        [sys.executable, "-c", "import sys; from course_magics.cli import main; sys.exit(main())", "measure", "startup", "--repeat", "1"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ,
    )  # fmt: skip
    owner = labels.owner(process.pid)
    wanted = "*/.vagrant" if moment == "vagrant" else "*/.vagrant/machines/default/*/pid"
    try:
        found = (state / "measure").glob

        def files() -> int:
            return len(list(found("**/*")))

        until(lambda: process.poll() is not None or list(found(wanted)), sign=files, pause=0.1)
        assert process.poll() is None and list(found(wanted)), "it has not come so far"
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    words = "interrupted: startup was not measured to its end; removed: 1 machine"
    assert words in said
    # What vagrant knows of the machine is removed by a process that goes on.
    until(lambda: not left(state, owner), sign=lambda: left(state, owner), pause=0.2)
    assert left(state, owner) == []

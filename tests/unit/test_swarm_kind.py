"""Where a swarm's nodes are to be: with root and without, with vagrant and without."""

import os
import shutil
from pathlib import Path

import pytest

from course_magics import memory
from course_magics.cli import main
from course_magics.errors import EngineError, OptionError
from course_magics.swarms import members
from course_magics.swarms.members import choose, room

UP = "course-magics swarm up"


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The only folder in which programs are found; and we are not root, as most readers."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("COURSE_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    (tmp_path / "bin").mkdir()
    return tmp_path / "bin"


def _install(folder: Path, name: str) -> None:
    (folder / name).touch(mode=0o755)


def test_without_root_machines_where_vagrant_is(programs: Path) -> None:
    _install(programs, "vagrant")
    assert shutil.which("vagrant")
    assert choose(None, UP) == "machines"


def test_with_root_namespaces_even_where_vagrant_is(
    programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _install(programs, "vagrant")
    monkeypatch.setattr(members, "lacks", lambda programs=None: [])
    assert choose(None, UP) == "namespaces"
    assert choose("machines", UP) == "machines"


def test_without_either_one_error_that_says_both_ways(
    programs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(EngineError) as raised:
        choose(None, UP)
    assert "vagrant is not installed" in raised.value.message
    assert f"{UP} --on machines" in (raised.value.hint or "")
    assert main(["swarm", "up"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("several engines cannot be started here: ")
    assert main(["swarm", "up", "--on", "machines"]) == 1
    assert "vagrant is not installed" in capsys.readouterr().err


def test_on_macos_nobody_is_sent_to_root(monkeypatch: pytest.MonkeyPatch, programs: Path) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    with pytest.raises(EngineError) as raised:
        choose(None, UP)
    assert "sudo" not in (raised.value.hint or "")
    _install(programs, "vagrant")
    assert choose(None, UP) == "machines"


def test_what_is_wanted_and_cannot_be(programs: Path) -> None:
    with pytest.raises(OptionError, match="--on takes namespaces or machines, not moon"):
        choose("moon", UP)
    with pytest.raises(OptionError, match="--programs is for --on namespaces"):
        choose("machines", UP, programs)


def test_room_goes_by_tools_and_memory(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available", lambda: 2 << 30)
    assert room(1) == "", "no tools"
    _install(programs, "vagrant")
    assert (room(1), room(3)) == ("machines", ""), "2 GB hold one machine more, not three"
    monkeypatch.setattr(members, "lacks", lambda programs=None: [])
    assert (room(3), room(9)) == ("namespaces", "namespaces")
    monkeypatch.setattr(memory, "available", lambda: 100 << 20)
    assert room(1) == ""
    monkeypatch.setattr(memory, "available", lambda: None)
    assert room(9) == "namespaces", "macOS does not say"


def test_memory_is_what_the_kernel_has_or_the_groups_limit(tmp_path: Path) -> None:
    assert memory.available(tmp_path / "meminfo", tmp_path) is None
    (tmp_path / "meminfo").write_text("MemTotal: 8000 kB\nMemAvailable:    4000 kB\n")
    assert memory.available(tmp_path / "meminfo", tmp_path) == 4000 * 1024
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("1000\n")
    assert memory.available(tmp_path / "meminfo", tmp_path) == 4000 * 1024
    (tmp_path / "memory.max").write_text("3000\n")
    assert memory.available(tmp_path / "meminfo", tmp_path) == 2000
    (tmp_path / "memory.current").write_text("3001\n")
    assert memory.available(tmp_path / "meminfo", tmp_path) == 0


def half_made(tmp_path: Path) -> Path:
    """Machines of a swarm whose file was cut off. Returns their folder."""
    folder = tmp_path / "state" / "swarms" / "swarm"
    (folder / ".vagrant/machines/swarm-2/qemu").mkdir(parents=True)
    (folder / ".vagrant/machines/swarm-2/qemu/id").touch()
    (folder / "Vagrantfile").touch()
    folder.with_suffix(".json").write_text('{"nodes": 2, "on": "mach')
    return folder


@pytest.mark.parametrize("status", [0, 1])
def test_machines_of_a_cut_off_swarm_are_destroyed_or_kept_in_sight(
    programs: Path, tmp_path: Path, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """A stand-in for vagrant writes down what it was called for, and refuses on demand."""
    folder = half_made(tmp_path)
    (programs / "vagrant").write_text(
        f'#!/bin/sh\necho "$PWD $*" >>{tmp_path}/log\ncase $1 in destroy) exit {status};; esac\n'
    )
    (programs / "vagrant").chmod(0o755)
    assert main(["swarm", "down"]) == status
    assert f"{folder} destroy -f" in (tmp_path / "log").read_text()
    assert folder.exists() is bool(status)
    assert folder.with_suffix(".json").exists() is bool(status), "still known"
    if not status:
        assert capsys.readouterr().out == "removed: swarm-2\n"

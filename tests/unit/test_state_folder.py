"""COURSE_STATE may name any folder: what is in there already stays as it is."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from course_magics import runtime
from course_magics.cli import main
from course_magics.errors import CourseError


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))


def tree(folder: Path) -> dict[str, tuple[int, str]]:
    """Each file and folder: mode and content."""
    return {
        str(p.relative_to(folder)): (p.stat().st_mode, p.read_text() if p.is_file() else "")
        for p in sorted(folder.rglob("*"))
    }


def state(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COURSE_STATE", str(folder))
    return runtime.state_dir()


# --- COURSE_STATE ---------------------------------------------------------------------------------


def test_a_state_folder_full_of_other_things_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    for name in ("hosts/web/Vagrantfile", "swarms/swarm/notes", "engines/swarm-1/thesis"):
        (home / name).parent.mkdir(parents=True)
        (home / name).write_text("mine")
    (home / "swarms/swarm.txt").write_text("mine")
    home.chmod(0o755)
    before = tree(home)
    assert state(home, monkeypatch) == home / "course-magics"
    # The words that remove and write below it.
    assert main(["host", "rm", "web"]) == 1
    assert "no such host" in capsys.readouterr().err
    assert main(["swarm", "down"]) == 0
    assert main(["swarm", "status"]) == 1
    after = {k: v for k, v in tree(home).items() if not k.startswith("course-magics")}
    assert after == before
    assert stat.S_IMODE(home.stat().st_mode) == 0o755


def test_a_new_an_empty_and_a_marked_one_are_used_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert state(tmp_path / "new/deep", monkeypatch) == tmp_path / "new/deep"
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700
    (tmp_path / "empty").mkdir()
    assert state(tmp_path / "empty", monkeypatch) == tmp_path / "empty"
    (tmp_path / "empty/notes").touch()  # what is put there later does not move the state
    assert state(tmp_path / "empty", monkeypatch) == tmp_path / "empty"


@pytest.mark.parametrize("name", ["engine/engine.qcow2", "swarms/swarm.json", "hosts/a/ssh_config"])
def test_the_state_of_a_version_without_a_marker_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "state" / name).parent.mkdir(parents=True)
    (tmp_path / "state" / name).touch()
    (tmp_path / "state/notes").touch()
    assert state(tmp_path / "state", monkeypatch) == tmp_path / "state"


def test_a_stranger_to_both_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "home/course-magics").mkdir(parents=True)
    (tmp_path / "home/course-magics/essay").touch()
    with pytest.raises(CourseError, match="is not ours"):
        state(tmp_path / "home", monkeypatch)
    assert main(["swarm", "status"]) == 1

"""COURSE_STATE may name any folder: what is in there already stays as it is."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
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


# --- whose it is ----------------------------------------------------------------------------------


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder that strangers reach, with one of a stranger's in it that is marked as ours."""
    folder = Path(tempfile.mkdtemp(prefix="shared-", dir="/tmp"))
    folder.chmod(0o1777)
    script = "mkdir -m 777 theirs empty; touch theirs/.made-by-course-magics"
    subprocess.run(["sh", "-ec", script], cwd=folder, user=65534, check=True)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be two users")
@pytest.mark.parametrize("name", ["theirs", "empty", "theirs/mine"])
def test_a_stranger_s_state_folder_is_refused(
    shared: Path, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also an empty one: who owns it can put anything there later."""
    before = tree(shared)
    with pytest.raises(
        CourseError, match=f"the state folder {shared / name} is not used"
    ) as caught:
        state(shared / name, monkeypatch)
    assert "belongs to another user" in caught.value.message
    assert "COURSE_STATE=/path/to/folder" in str(caught.value.hint)
    assert main(["swarm", "status"]) == 1
    assert "is not used" in capsys.readouterr().err
    after = tree(shared)
    after.pop("theirs/mine", None)
    assert after == before


def test_an_own_one_is_closed_to_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = state(tmp_path / "own", monkeypatch)
    own.chmod(0o755)
    assert state(own, monkeypatch) == own
    assert stat.S_IMODE(own.stat().st_mode) == 0o700
    own.chmod(0o777)  # others may have been there
    with pytest.raises(CourseError, match="it can be written by other users") as caught:
        state(own, monkeypatch)
    assert f"chmod 700 {own}" in str(caught.value.hint)
    own.chmod(0o700)
    own.parent.chmod(0o777)
    try:
        with pytest.raises(CourseError, match=f"lies in {tmp_path}, which can be written"):
            state(own, monkeypatch)
        own.parent.chmod(0o1777)  # as /tmp: nobody replaces what is ours
        assert state(own, monkeypatch) == own
    finally:
        own.parent.chmod(0o700)

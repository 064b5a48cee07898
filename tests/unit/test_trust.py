"""A stranger's folder above the notebook decides nothing: neither the engine nor what runs."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

from course_magics import settings, storage
from course_magics.errors import LessonError
from course_magics.lessons import find

STRANGER = 65534
CHECK = "from pathlib import Path\n\n\ndef check(state):\n    Path('{}').touch()\n    yield None\n"
root_only = pytest.mark.skipif(os.getuid() != 0, reason="only root can be two users")


@pytest.fixture(autouse=True)
def not_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COURSE_LESSONS", raising=False)


@pytest.fixture
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder as /tmp is: everybody may make things in it."""
    folder = Path("/tmp") / f"shared-{os.getpid()}"
    folder.mkdir()
    folder.chmod(0o1777)
    yield folder
    shutil.rmtree(folder)


def by_a_stranger(script: str, folder: Path) -> None:
    """Run a shell script as another user of this computer."""
    subprocess.run(["sh", "-ec", script], cwd=folder, user=STRANGER, check=True)


def exercise(folder: Path, pwned: Path) -> str:
    """A script that makes an exercise whose check is a program of its author's."""
    lines = ["mkdir -p exercises/01-bait/hints quizzes"]
    for name in ("task.md", "solution.md", "other-way.md", "reset.md", "setup.md"):
        lines.append(f"echo '# x' > exercises/01-bait/{name}")
    lines.append(f"cat > exercises/01-bait/check.py <<'END'\n{CHECK.format(pwned)}END")
    lines.append("printf '```state\\n1\\n```\\nhint\\n' > exercises/01-bait/hints/a.md")
    return "\n".join(lines)


@root_only
def test_a_stranger_s_exercises_are_not_run(
    shared: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Made where everybody may write, above the reader's own folder."""
    by_a_stranger(exercise(shared, tmp_path / "pwned"), shared)
    mine = shared / "mine"
    mine.mkdir(mode=0o755)
    monkeypatch.chdir(mine)
    assert find.exercises() == []
    with pytest.raises(LessonError, match="another user may write to that folder") as caught:
        find.exercise("01-bait")
    assert str(shared) in str(caught.value)
    assert not (tmp_path / "pwned").exists()
    # Named, they are the reader's own decision.
    monkeypatch.setenv("COURSE_LESSONS", str(shared))
    assert find.exercises() == ["01-bait"]


@root_only
def test_a_stranger_s_settings_are_not_used(
    shared: Path, monkeypatch: pytest.MonkeyPatch, ip: InteractiveShell
) -> None:
    by_a_stranger(
        "printf '[tool.course_magics]\\nengine = \"tcp://10.9.9.9:2375\"\\n' > pyproject.toml",
        shared,
    )
    mine = shared / "mine"
    mine.mkdir(mode=0o755)
    monkeypatch.chdir(mine)
    assert settings._from_pyproject(mine) == {}
    # The counter-test: the same file, the reader's own.
    shutil.copy(shared / "pyproject.toml", mine)
    assert settings._from_pyproject(mine) == {"engine": "tcp://10.9.9.9:2375"}


def test_a_file_that_others_may_write_is_told(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = here / "pyproject.toml"
    file.write_text('[tool.course_magics]\nengine = "x"\n')
    file.chmod(0o666)
    assert settings._from_pyproject(here) == {}
    assert "is not used: another user may write to it" in capsys.readouterr().out


def test_own_exercises_are_found_upwards(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subprocess.run(["sh", "-ec", exercise(here, here / "pwned")], cwd=here, check=True)
    (here / "below/it").mkdir(parents=True)
    monkeypatch.chdir(here / "below/it")
    assert find.exercises() == ["01-bait"]
    (here / "exercises/01-bait/check.py").chmod(0o666)
    assert find.exercises() == []


@root_only
def test_a_group_counts_as_long_as_nobody_else_is_in_it(tmp_path: Path) -> None:
    """A pod's volumes belong to a group that may write, and has no other member."""
    folder = tmp_path / "volume"
    folder.mkdir()
    os.chown(folder, 0, 4242)
    folder.chmod(0o2770)
    assert storage.trusted(folder)
    os.chown(folder, 0, STRANGER)  # nogroup, which is nobody's own group
    folder.chmod(0o2770)
    assert stat.S_IMODE(folder.stat().st_mode) & 0o020
    assert not storage.trusted(folder)

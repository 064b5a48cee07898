"""`make clean` in a copy of the project: what setup and the course made goes, all else stays.

bash, make, git and the scripts are the real ones. Python's venv and pip are not asked, for that takes
a minute: a stand-in `python3` makes the folder, and a stand-in `vagrant` writes down where it was.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, ("bash", "make", "git"))), reason="needs bash, make and git"
)
_PYTHON = """\
#!/bin/sh
# python3 -m venv DIR makes the folder; all else (pip, course-magics) does nothing.
if [ "$2" = venv ]; then mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; fi
"""
_VAGRANT = '#!/bin/sh\necho "$PWD" >>"$LOG"\n[ ! -e refuse ] || exit 1\n'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of what `make clean` consists of, below a folder whose name has a blank."""
    here = tmp_path / "my course"
    (here / "notebooks").mkdir(parents=True)
    shutil.copytree(ROOT / ".ci", here / ".ci")
    shutil.copy(ROOT / "Makefile", here)
    (here / "pyproject.toml").touch()
    (here / "notebooks/01-a.ipynb").write_text('"%vagrant up --dir machines/01-lab"')
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in (("python3", _PYTHON), ("vagrant", _VAGRANT)):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    for line in ("git init -q", "git add ."):
        subprocess.run(line.split(), cwd=here, check=True)
    return here


def run(project: Path, *words: str, status: int = 0, **more: str) -> str:
    """Run a command in the project, with a home folder of its own."""
    home = project.parent
    env = {
        "PATH": f"{home / 'bin'}:{os.environ['PATH']}", "HOME": str(home), "LOG": str(home / "log"),
        **more,
    }  # fmt: skip
    done = subprocess.run(words, cwd=project, env=env, capture_output=True, text=True)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def made_by_setup(project: Path, venv: str) -> Path:
    """The environment as .ci/setup makes it; its other steps (apt, the guest) are left out."""
    setup = project / ".ci" / "setup-python"
    lines = (project / ".ci" / "setup").read_text().splitlines()
    at = lines.index("system_packages")
    setup.write_text("\n".join([*lines[:at], "python_packages"]))
    run(project, "bash", ".ci/setup-python", venv)
    return project / venv


@pytest.mark.parametrize("name", ["env", "my env", "-r"])
def test_an_environment_that_setup_did_not_make_stays(project: Path, name: str) -> None:
    theirs = project / name
    (theirs / "bin").mkdir(parents=True)
    (theirs / "thesis.txt").write_text("years of work")
    # Setup may well have used it: then its stamp lies there, and is no licence to remove it.
    (theirs / ".course-magics-setup").touch()
    said = run(project, "make", "clean", f"VENV={name}")
    assert (theirs / "thesis.txt").read_text() == "years of work"
    assert "setup did not make it" in said


def test_the_environment_variable_is_not_asked(project: Path) -> None:
    ours = made_by_setup(project, "env")
    run(project, "make", "clean", VENV=str(ours))
    assert (ours / "bin/python").exists()


@pytest.mark.parametrize("name", [".venv", "my env", "-r"])
def test_one_that_setup_made_goes(project: Path, name: str) -> None:
    ours = made_by_setup(project, name)
    assert (ours / "bin/python").exists()
    run(project, "make", "clean", f"VENV={name}")
    assert not ours.exists()


def test_one_that_setup_found_is_used_and_stays(project: Path) -> None:
    theirs = project / "env"
    run(project, "python3", "-m", "venv", "env")
    made_by_setup(project, "env")
    assert (theirs / ".course-magics-setup").exists()
    run(project, "make", "clean", "VENV=env")
    assert (theirs / "bin/python").exists()


def test_setup_makes_none_in_a_folder_of_other_things(project: Path) -> None:
    (project / "home").mkdir()
    (project / "home/thesis.txt").touch()
    with pytest.raises(AssertionError, match="is no virtual environment"):
        made_by_setup(project, "home")
    assert [p.name for p in (project / "home").iterdir()] == ["thesis.txt"]


def test_a_link_to_an_environment_is_not_followed(project: Path) -> None:
    ours = made_by_setup(project, "env")
    (project / "link").symlink_to(ours)
    run(project, "make", "clean", "VENV=link/")
    assert (ours / "bin/python").exists()


def test_only_the_course_s_machines_are_destroyed(project: Path) -> None:
    ours = ["notebooks/machines/01-lab", "build/work/01-a b/machines/01-lab"]
    theirs = ["notebooks/machines/mine", "notebooks/my project", "notebooks/machines/theirs"]
    (project / "notebooks/mine.ipynb").write_text('"%vagrant up --dir machines/theirs"')
    for folder in (*ours, *theirs):
        (project / folder / ".vagrant/machines").mkdir(parents=True)
    run(project, "make", "clean")
    log = (project.parent / "log").read_text().splitlines()
    assert sorted(log) == sorted(str(project / folder) for folder in ours)
    assert [(project / folder).exists() for folder in ours] == [False, False]
    assert all((project / folder / ".vagrant").exists() for folder in theirs)


def test_a_machine_that_cannot_be_removed_is_not_lost_sight_of(project: Path) -> None:
    folder = project / "notebooks/machines/01-lab"
    (folder / ".vagrant").mkdir(parents=True)
    (folder / "refuse").touch()
    said = run(project, "make", "clean", status=2)
    assert "vagrant could not remove the machine of notebooks/machines/01-lab" in said
    assert (folder / ".vagrant").exists()

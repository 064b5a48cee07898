"""Nothing that we did not make is changed or removed, wherever a folder is named for us."""

from __future__ import annotations

import stat
from pathlib import Path

import nbformat
import pytest

from course_magics import course, runtime
from course_magics.cli import main
from course_magics.course import site
from course_magics.errors import CourseError, OptionError


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


# --- results --------------------------------------------------------------------------------------


def notebook(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# A")]), path)


def course_run(out: str) -> int:
    return course.main(["run", "books", "--keep", "--out", out])


@pytest.mark.parametrize("name", ["a.html", "a.ipynb", "times.json", "work", "images"])
def test_run_writes_over_nothing_but_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    notebook(tmp_path / "books/a.ipynb")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / name).write_text("mine")
    before = tree(tmp_path / "mine")
    assert course_run("mine") == 1
    assert f"mine/{name} is there, and this command did not write it" in capsys.readouterr().err
    assert tree(tmp_path / "mine") == before


def test_run_does_not_write_over_the_notebook_itself(tmp_path: Path) -> None:
    notebook(tmp_path / "books/a.ipynb")
    before = tree(tmp_path / "books")
    assert course_run("books") == 1
    assert tree(tmp_path / "books") == before


def test_run_a_second_time_and_beside_other_things(tmp_path: Path) -> None:
    notebook(tmp_path / "books/a.ipynb")
    (tmp_path / "build/docs").mkdir(parents=True)
    (tmp_path / "build/notes").write_text("mine")
    assert [course_run("build"), course_run("build")] == [0, 0]
    notebook(tmp_path / "books/b.ipynb")
    assert course_run("build") == 0
    assert (tmp_path / "build/b.html").exists()
    assert (tmp_path / "build/notes").read_text() == "mine"


def test_run_goes_on_in_the_folder_of_a_version_without_a_marker(tmp_path: Path) -> None:
    notebook(tmp_path / "books/a.ipynb")
    assert course_run("build") == 0
    (tmp_path / "build/.course-magics").unlink(missing_ok=True)
    assert course_run("build") == 0


@pytest.mark.parametrize("name", ["a.html", "index.html", "reveal.js"])
def test_slides_write_over_nothing_but_their_own(tmp_path: Path, name: str) -> None:
    notebook(tmp_path / "books/a.ipynb")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / name).write_text("mine")
    before = tree(tmp_path / "mine")
    assert course.main(["slides", "books", "--out", "mine"]) == 1
    assert tree(tmp_path / "mine") == before
    assert course.main(["slides", "books", "--out", "new"]) == 0
    (tmp_path / "new/.course-magics").unlink()  # as an earlier version left it
    assert course.main(["slides", "books", "--out", "new"]) == 0


def project(root: Path) -> None:
    """A repository whose site has one page."""
    notebook(root / "notebooks/a.ipynb")
    (root / "docs").mkdir()
    (root / "docs/index.rst").write_text("A\n=\n\n.. toctree::\n   :glob:\n\n   b\n")
    (root / "docs/b.rst").write_text("B\n=\n")
    (root / "docs/conf.py").write_text("project = 'course_magics'\nexclude_patterns = ['note*']\n")


def test_docs_write_into_no_folder_of_other_things(tmp_path: Path) -> None:
    pytest.importorskip("sphinx")
    project(tmp_path)
    for place in (
        "mine",
        "new-source",
    ):  # sources were laid together beside the site, emptied first
        (tmp_path / place).mkdir()
        (tmp_path / place / "thesis").write_text("mine")
    before = {place: tree(tmp_path / place) for place in ("mine", "new-source")}
    with pytest.raises(OptionError, match="did not write it"):
        site.make(tmp_path, tmp_path / "mine")
    assert site.make(tmp_path, tmp_path / "new") == 0
    assert {place: tree(tmp_path / place) for place in before} == before
    assert site.make(tmp_path, tmp_path / "new") == 0
    (tmp_path / "new/.course-magics").unlink()  # as an earlier version left it
    assert site.make(tmp_path, tmp_path / "new") == 0

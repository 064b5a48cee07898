"""A run of notebooks takes away what they have made, also after a failing cell."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import uuid
from pathlib import Path

import nbformat
import psutil
import pytest

from course_magics import course, engine, runs, storage
from course_magics.course import execute, left, undo


def write(path: Path, *cells: str | tuple[str, str], stored: str = "") -> None:
    """A notebook; a cell with a tag is a pair. stored: an output that an earlier run has left."""
    book = nbformat.v4.new_notebook()
    for cell in cells:
        source, tag = (cell, "") if isinstance(cell, str) else cell
        made = nbformat.v4.new_code_cell(source, metadata={"tags": [tag]} if tag else {})
        if stored:
            made.outputs = [nbformat.v4.new_output("stream", text=stored)]
        book.cells.append(made)
    nbformat.write(book, path)


def outputs(path: Path) -> list[str]:
    cells = nbformat.read(path, 4).cells
    return ["".join(o.get("text", o.get("evalue", "")) for o in c.outputs) for c in cells]


def test_clean_up_cells_run_after_a_failing_one(here: Path) -> None:
    write(
        here / "a.ipynb",
        "print('begun')",
        "1 / 0",
        "print('not reached')",
        ("print('cleaned')", "clean-up"),
        ("no_such_name", "clean-up"),
        ("print('cleaned as well')", "clean-up"),
        stored="of another run",
    )
    assert course.main(["run", "--keep", "a.ipynb"]) == 1
    said = outputs(here / "build/a.ipynb")
    assert said[0] == "begun\n"
    assert said[2] == ""
    assert (said[3], said[5]) == ("cleaned\n", "cleaned as well\n")
    page = (here / "build/a.html").read_text()
    assert "of another run" not in page
    assert "ZeroDivisionError" in page


def test_the_first_failure_is_the_one_that_is_told(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(here / "a.ipynb", "1 / 0", ("no_such_name", "clean-up"))
    assert course.main(["run", "--keep", "a.ipynb"]) == 1
    out = capsys.readouterr().out
    assert "cell 1: ZeroDivisionError: division by zero" in out
    assert "NameError" not in out


def test_a_dead_kernel_is_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(here / "a.ipynb", "import os\nos.kill(os.getpid(), 9)", ("print(1)", "clean-up"))
    write(here / "b.ipynb", "print('the next one runs')")
    assert course.main(["run", "--keep", "--jobs", "1", "a.ipynb", "b.ipynb"]) == 1
    out = capsys.readouterr().out
    assert "cell 1: the kernel died" in out
    assert outputs(here / "build/b.ipynb") == ["the next one runs\n"]


def test_a_silent_cell_is_interrupted_and_a_slow_one_is_not(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit is on silence: the second notebook takes longer in all, and says something."""
    monkeypatch.setattr(execute, "_PATIENCE", 5)
    write(here / "a.ipynb", "import time\ntime.sleep(1000)", ("print('cleaned')", "clean-up"))
    slow = "import time\nfor i in range(16):\n    print(i, flush=True); time.sleep(0.5)"
    write(here / "b.ipynb", slow)
    assert course.main(["run", "--keep", "--jobs", "2", "a.ipynb", "b.ipynb"]) == 1
    out = capsys.readouterr().out
    assert "cell 1: the cell showed nothing for 5 s and was interrupted" in out
    assert outputs(here / "build/a.ipynb")[1] == "cleaned\n"
    assert outputs(here / "build/b.ipynb")[0].endswith("15\n")


def test_processes_of_a_run_are_ended(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Also after a notebook that passed: then that is its fault."""
    lasting = (
        "import subprocess\n"
        "p = subprocess.Popen(['sleep', '1000'], start_new_session=True)\nprint(p.pid)"
    )
    write(here / "a.ipynb", lasting)
    assert course.main(["run", "--keep", "a.ipynb"]) == 1
    out = capsys.readouterr().out
    pid = int(outputs(here / "build/a.ipynb")[0])
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == "zombie"
    assert "it left things behind" in out
    assert f"process {pid} sleep" in out


def test_another_run_s_processes_stay(here: Path) -> None:
    other = subprocess.Popen(["sleep", "100"], env={**os.environ, runs.VARIABLE: "other-1"})
    try:
        write(here / "a.ipynb", "1")
        assert course.main(["run", "--keep", "a.ipynb"]) == 0
        assert other.poll() is None
        assert [p.pid for p in undo.processes("other-1")] == [other.pid]
    finally:
        other.send_signal(signal.SIGKILL)
        other.wait()


@pytest.mark.engine
def test_what_is_on_the_engine_is_removed(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = f"cleans-{uuid.uuid4().hex[:8]}"
    write(
        here / "a.ipynb",
        "%load_ext course_magics",
        f"%container run -d --name {name} course/busybox sleep 1000",
        f"%container network create {name}",
        f"%container volume create {name}",
        "%container run course/busybox false",
    )
    with engine.talking("docker run") as api:
        theirs = api.create_container("course/busybox", ["true"], name=f"{name}-theirs")
        try:
            assert course.main(["run", "--keep", "a.ipynb"]) == 1
            names = [c["Names"][0] for c in api.containers(all=True)]
            assert f"/{name}" not in names
            assert f"/{name}-theirs" in names
            assert not api.networks(names=[name])
            assert not api.volumes(filters={"name": name})["Volumes"]
        finally:
            api.remove_container(theirs["Id"], force=True)
    out = capsys.readouterr().out
    assert f"container {name}" in out
    assert f"network {name}" in out
    assert f"volume {name}" in out


@pytest.mark.engine
def test_what_cannot_be_attributed_is_named_with_its_command(here: Path) -> None:
    """Somebody else may have made it during the run: it is named, and stays."""
    name = f"named-{uuid.uuid4().hex[:8]}"
    before = left.things([], all=True)
    with engine.talking("docker volume create") as api:
        api.create_volume(name)
        try:
            now = left.things([], all=True)
            new = {"volumes": sorted(set(now["volumes"]) - set(before["volumes"]))}
            assert name in new["volumes"]
            assert f"left behind: volumes: {name}  → docker volume rm {name}" in left.told(new)
        finally:
            api.remove_volume(name)


def test_every_kind_has_its_command() -> None:
    kinds = {
        **{kind: ["a b"] for kind in left._REMOVE},
        "machines": ["work/my lab default"],
        "processes": ["17 sleep"],
    }
    lines = left.told(kinds)
    assert all("  → " in line for line in lines)
    assert "left behind: containers: a b  → docker rm -f 'a b'" in lines
    assert any(line.endswith("cd 'work/my lab' && vagrant destroy -f default") for line in lines)
    assert any(line.endswith("→ kill 17") for line in lines)


def test_a_process_that_ends_while_it_is_looked_at_is_not_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A fake: none ends on demand between two looks at it."""

    class Ending:
        pid = 1438

        def name(self) -> str:
            raise psutil.NoSuchProcess(self.pid)

    monkeypatch.setattr(left.undo, "processes", lambda run: [Ending()])
    assert left._processes(all=False, run="") == []


@pytest.mark.engine
def test_another_run_beside_it_is_none_of_its_business(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What another run, or the reader, makes meanwhile is in use: the run does not fail for it."""
    name = f"beside-{uuid.uuid4().hex[:8]}"
    write(
        here / "a.ipynb",
        "import os, subprocess, sys\n"
        "os.environ['COURSE_RUN'] = 'other-1'\n"
        "other = subprocess.Popen(['sleep', '100'], start_new_session=True)\n"
        "from course_magics import runs\nfrom course_magics.runtime import state_dir\n"
        "runs.note(runs.SWARM, 'theirs')\n(state_dir() / 'swarms').mkdir()\n"
        "(state_dir() / 'swarms' / 'theirs.json').write_text('{}')",
        "%load_ext course_magics",
        f"%container run -d --name {name} course/busybox sleep 1000",
        f"%container volume create {name}",
        "del os.environ['COURSE_RUN']",
        f"%container run -d --name {name}-mine course/busybox sleep 1000",
        f"%container commit {name}-mine {name}",
    )
    monkeypatch.setenv("COURSE_STATE", str(tmp_path / "state"))
    try:
        # Its kernel marks what it makes by another run's name, as that run's kernel would.
        status = course.main(["run", "a.ipynb"])
        assert status == 0, capsys.readouterr().out
        assert name in left.things([])["containers"], "all of it is seen by who asks for all"
    finally:
        for one in undo.processes("other-1"):
            one.kill()
        with engine.talking("docker rm -f") as api:
            api.remove_container(name, force=True)
            api.remove_container(f"{name}-mine", force=True)
            api.remove_volume(name)
            api.remove_image(name)


def test_what_comes_and_goes_beside_it_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = itertools.count()
    monkeypatch.setattr(left, "_PATIENCE", 1)
    monkeypatch.setattr(left, "things", lambda *_, **__: {"processes": [f"{next(looks)} other"]})
    assert list(left.left({}, [])) == ["processes"]


def test_notes_of_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a run has made in the state folder is known until it is removed."""
    monkeypatch.setenv("COURSE_STATE", str(tmp_path))
    monkeypatch.delenv(runs.VARIABLE, raising=False)
    runs.note(runs.HOST, "outside")
    monkeypatch.setenv(runs.VARIABLE, "a-1")
    runs.note(runs.HOST, "one-two")
    runs.note(runs.SWARM, "s10")
    assert runs.made("a-1") == [("host", "one-two"), ("swarm", "s10")]
    assert runs.made("b-1") == []
    runs.forget(runs.HOST, "one-two")
    assert runs.made("a-1") == [("swarm", "s10")]
    runs.close("a-1")
    assert [path.name for path in tmp_path.iterdir()] == [storage.MARK]


def test_every_notebook_that_makes_things_has_clean_up_cells() -> None:
    folder = Path(__file__).parents[2] / "notebooks"
    for path in sorted(folder.glob("*.ipynb")):
        cells = json.loads(path.read_text("utf-8"))["cells"]
        tags = [t for c in cells for t in c["metadata"].get("tags", ())]
        assert execute.CLEAN_UP in tags, path.name

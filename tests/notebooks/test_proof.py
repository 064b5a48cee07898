"""`course-magics test`, as an instructor types it, and what a run leaves behind."""

from __future__ import annotations

import importlib.util
import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

from course_magics import course, engine, labels, settings
from course_magics.cli import main
from course_magics.course.left import left, things, told

from .test_form import GOOD


@pytest.fixture
def books(here: Path) -> Path:
    """A folder with a notebook whose form has faults and whose outputs are right."""
    folder = here / "books"
    folder.mkdir()
    write(folder / "00-a.ipynb", ("6 * 7", "42"), ("'a' + 'b'", "'ab'"))
    return folder


def write(path: Path, *cells: tuple[str, str]) -> None:
    book = nbformat.v4.new_notebook()
    for source, said in cells:
        cell = nbformat.v4.new_code_cell(source)
        if said:
            cell.execution_count = 1
            cell.outputs = [
                nbformat.v4.new_output("execute_result", {"text/plain": said}, execution_count=1)
            ]
        book.cells.append(cell)
    nbformat.write(book, path)


def test_fast_reads_and_runs_nothing(books: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(books / "00-a.ipynb", ("open('made', 'w').close()", ""))
    assert main(["test", "--fast", "books"]) == 1
    out = capsys.readouterr().out
    assert "00-a.ipynb: exercise: no cell with %quiz" in out
    assert "nbval" not in out
    assert not (books / "made").exists()


def test_a_notebook_without_faults_passes(books: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cells: list[dict[str, Any]] = json.loads(json.dumps(GOOD))
    for number, cell in enumerate(cells):
        cell["id"] = f"c{number}"
        if cell["cell_type"] == "code":
            cell["execution_count"] = number
        cell["source"] = cell["source"].replace("images/00-a.svg", "images/00-b.svg")
    (books / "images").mkdir()
    (books / "images/00-b.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><title>A</title><desc>B</desc></svg>'
    )
    for name in ("task.md", "check.py", "solution.md", "other-way.md", "reset.md", "hints/a.md"):
        path = books / "exercises/00-a" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    (books / "quizzes").mkdir()
    (books / "quizzes/00-a.yaml").write_text("")
    cells[-1]["source"] = cells[-1]["source"].replace("\n\nNext: **01-b**.", "")
    (books / "00-a.ipynb").write_text(
        json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    )
    assert main(["test", "--fast", "books/00-a.ipynb"]) == 0
    assert "1 notebook, no faults" in capsys.readouterr().out


def test_an_output_that_differs_is_shown_with_its_cell(
    books: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(books / "01-b.ipynb", ("6 * 7", "42"), ("6 * 8", "49"), ("1 / 0", ""))
    assert main(["test", "books"]) == 1
    out = capsys.readouterr().out
    rows = {line.split()[0]: line for line in out.splitlines() if line[:2] in ("00", "01")}
    assert "01-b.ipynb code cell 2: " in out
    assert "49" in out and "48" in out
    assert "01-b.ipynb code cell 3: " in out
    assert "ZeroDivisionError" in out
    assert "00-a.ipynb code cell" not in out
    assert "2 faults" in rows["01-b.ipynb"]


def test_each_notebook_knows_its_name_and_progress_is_not_the_readers(
    books: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COURSE_PROGRESS", "/mine")
    source = "import os\n(os.path.basename(os.environ['JPY_SESSION_NAME']), os.environ['COURSE_PROGRESS'] == '/mine')"
    write(books / "01-b.ipynb", (source, "('01-b.ipynb', False)"))
    proofs = course.prove([books / "01-b.ipynb"], lambda line: None)
    assert [proof.run for proof in proofs] == [[]]
    assert course.main(["run", "--keep", "books/01-b.ipynb"]) == 0
    book = nbformat.read("build/01-b.ipynb", 4)
    assert book.cells[0].outputs[0].data["text/plain"] == "('01-b.ipynb', False)"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "there is no nowhere"),
        (["empty"], "no notebooks in empty"),
    ],
)
def test_what_is_not_there_is_one_line(
    here: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "empty").mkdir()
    assert main(["test", *words]) == 1
    assert said in capsys.readouterr().err.splitlines()[0]


def test_without_nbval_it_says_what_to_install(
    books: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == "nbval" else real(name, *a)
    )
    assert main(["test", "books"]) == 1
    assert "pip install nbval" in capsys.readouterr().err


@pytest.mark.engine
class TestLeft:
    @pytest.fixture
    def name(self) -> Iterator[str]:
        name = f"left-{uuid.uuid4().hex[:6]}"
        yield name
        api = engine.current().api
        for found in api.containers(all=True, filters={"name": name}):
            api.remove_container(found["Id"], force=True)
        for found in api.networks(names=[name]):
            api.remove_network(found["Id"])

    @pytest.fixture(autouse=True)
    def quick(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What is left on purpose does not go: it is not waited for."""
        monkeypatch.setattr(settings.current(), "patience", 1)

    def test_what_the_course_left_is_named(self, here: Path, name: str) -> None:
        before = things([])
        api = engine.current().api
        api.create_container("course/busybox", name=name, labels=labels.ours())
        api.create_network(name, labels=labels.ours())
        new = left(before, [])
        assert name in new["containers"]
        assert name in new["networks"]
        assert any(line.startswith("left behind: containers:") for line in told(new))

    def test_a_strangers_container_is_none_of_ours(self, here: Path, name: str) -> None:
        before, every = things([]), things([], all=True)
        engine.current().api.create_container("course/busybox", name=name)
        assert name not in left(before, []).get("containers", [])
        assert name in left(every, [], all=True)["containers"]

    def test_a_machine_that_is_there_is_named(self, here: Path) -> None:
        id = here / "work/03-vagrant/machines/lab/.vagrant/machines/default/qemu/id"
        id.parent.mkdir(parents=True)
        before = things([here / "work"])
        id.write_text("x")
        assert left(before, [here / "work"])["machines"] == ["work/03-vagrant/machines/lab default"]

    def test_a_run_that_leaves_something_fails(
        self, here: Path, name: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        line = f"%container run -d --name {name} course/busybox sleep 99"
        write(here / "00-a.ipynb", ("%load_ext course_magics", ""), (line, ""))
        assert course.main(["run", "00-a.ipynb"]) == 1
        out = capsys.readouterr().out
        assert "[1/1] 00-a.ipynb" in out
        assert "it left things behind" in out
        assert f"    container {name}" in out
        with engine.talking("docker ps -a") as api:
            assert not api.containers(all=True, filters={"name": name}), "it was removed"

"""The headless runner behind `make run` and `make store`, and the notebooks' own form."""

from pathlib import Path

import nbformat
import pytest

from course_magics import course

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


def write(path: Path, *cells: str) -> None:
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    nbformat.write(book, path)


def test_run_writes_copies_and_a_table(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "books").mkdir()
    write(here / "books/a.ipynb", "open('made', 'w').close()", "6 * 7")
    write(here / "books/b.ipynb", "%load_ext course_magics", "%container rnu", "'not reached'")
    write(here / "books/c.ipynb", "1")
    assert course.main(["run", "books", "--out", "build"]) == 1
    out = capsys.readouterr().out
    assert "[1/3] a.ipynb" in out
    rows = [line.split() for line in out.split("\n") if ".ipynb " in line and "[" not in line]
    assert [(r[0], r[1], r[3]) for r in rows] == [
        ("a.ipynb", "2", "passed"),
        ("b.ipynb", "3", "failed"),
        ("c.ipynb", "1", "passed"),
    ]
    assert "b.ipynb: cell 2 failed" in out
    assert "did you mean %container run?" in out
    assert "42" in (here / "build/a.html").read_text()
    assert (here / "build/b.ipynb").exists()
    assert (here / "build/work/a/made").exists()
    assert not (here / "books/made").exists()


def test_store_keeps_outputs_but_no_views(here: Path) -> None:
    view = "{'application/vnd.jupyter.widget-view+json': {'model_id': 'x'}}"
    write(
        here / "a.ipynb",
        f"from IPython.display import display\ndisplay({view}, raw=True)\nprint(1)\nprint(2)\n3",
    )
    assert course.main(["store", "a.ipynb"]) == 0
    outputs = nbformat.read(here / "a.ipynb", 4).cells[0].outputs
    assert [o.output_type for o in outputs] == ["stream", "execute_result"]
    assert outputs[0].text == "1\n2\n"


def test_store_leaves_a_failing_notebook_as_it_was(here: Path) -> None:
    write(here / "a.ipynb", "1", "1 / 0")
    before = (here / "a.ipynb").read_bytes()
    assert course.main(["store", "a.ipynb"]) == 1
    assert (here / "a.ipynb").read_bytes() == before


def test_no_notebooks_is_a_failure(here: Path) -> None:
    assert course.main(["run", "."]) == 1


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_every_notebook_can_be_taught(path: Path) -> None:
    """Goals, a prediction, an exercise, slides, further reading; outputs stored; no dead views."""
    book = nbformat.read(path, 4)
    prose = "\n".join(c.source for c in book.cells if c.cell_type == "markdown")
    for part in (
        "After this notebook you can",
        "**Predict:**",
        "## Your turn",
        "## Further reading",
    ):
        assert part in prose, part
    assert all("slideshow" in c.metadata for c in book.cells)
    code = [c for c in book.cells if c.cell_type == "code"]
    assert sum(bool(c.outputs) for c in code) > len(code) // 2
    assert "widget-view" not in path.read_text("utf-8")
    assert "![](" not in prose


def test_there_are_notebooks() -> None:
    assert len(NOTEBOOKS) >= 3

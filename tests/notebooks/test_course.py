"""The headless runner behind `make run` and `make store`, and the notebooks' own form."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import pytest

from course_magics import course
from course_magics.course.lint import lint, lint_folder

#: The lecture's sections in its order.
COURSE = [
    "00-start-here",
    "01-virtualization",
    "02-docker",
    "03-vagrant",
    "04-architecture",
    "05-images-registries",
    "06-containers",
    "07-layers-instructions",
    "08-machine-hosts",
    "09-compose",
    "10-swarm",
    "11-namespaces-cgroups-lxc",
    "12-union-mounts-chroot",
    "13-containers-vs-vms",
    "14-measured",
    "15-use-cases",
    "16-interop",
    "17-inception",
    "18-summary",
]
NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


def write(path: Path, *cells: str) -> None:
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    nbformat.write(book, path)


def test_run_writes_copies_and_a_table(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "books").mkdir()
    write(here / "books/a.ipynb", "open('made', 'w').close()", "6 * 7")
    write(here / "books/b.ipynb", "%load_ext course_magics", "%container rnu", "'not reached'")
    write(here / "books/c.ipynb", "1")
    assert course.main(["run", "books", "--out", "build", "--jobs", "1"]) == 1
    out = capsys.readouterr().out
    assert "[1/3] a.ipynb" in out
    rows = [line.split() for line in out.split("\n") if ".ipynb " in line and "[" not in line]
    assert [(r[0], r[1], r[3]) for r in rows] == [
        ("a.ipynb", "2", "passed"),
        ("b.ipynb", "3", "failed"),
        ("c.ipynb", "1", "passed"),
    ]
    assert "b.ipynb, cell 2: %container rnu" in out
    assert "did you mean %container run?" in out
    assert "cell 2: OptionError: " in out  # the table, too, says what and where
    assert "log: build/b.log" in out
    assert "did you mean %container run?" in (here / "build/b.log").read_text()
    assert not (here / "build/a.log").exists()
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


def test_store_keeps_what_is_beside_a_view(here: Path) -> None:
    """A live picture has a still one beside it, for pages without a kernel."""
    bundle = (
        "{'application/vnd.jupyter.widget-view+json': {'model_id': 'x'}, "
        "'text/plain': 'life', 'image/svg+xml': '<svg/>'}"
    )
    write(here / "a.ipynb", f"from IPython.display import display\ndisplay({bundle}, raw=True)")
    assert course.main(["store", "a.ipynb"]) == 0
    (output,) = nbformat.read(here / "a.ipynb", 4).cells[0].outputs
    assert dict(output.data) == {"text/plain": "life", "image/svg+xml": "<svg/>"}


def test_store_leaves_a_failing_notebook_as_it_was(here: Path) -> None:
    write(here / "a.ipynb", "1", "1 / 0")
    before = (here / "a.ipynb").read_bytes()
    assert course.main(["store", "a.ipynb"]) == 1
    assert (here / "a.ipynb").read_bytes() == before


def test_two_at_a_time_end_in_a_table_in_order(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first sleeps, so that the second ends before it; each waits for the other's sign."""
    wait = "import pathlib, time\nwhile not pathlib.Path('../other').exists(): time.sleep(0.05)"
    write(here / "a.ipynb", wait)
    write(here / "b.ipynb", "import pathlib\npathlib.Path('../other').touch()")
    assert course.main(["run", "--keep", "--jobs", "2", "."]) == 0
    out = capsys.readouterr().out
    rows = [line.split()[0] for line in out.split("\n") if line.endswith("passed")]
    assert rows == ["a.ipynb", "b.ipynb"]
    assert "[2/2] " in out


def test_a_page_holds_its_drawings(here: Path) -> None:
    (here / "books/images").mkdir(parents=True)
    (here / "books/images/a.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    write(here / "books/a.ipynb", "open('images/a.svg').read()[:4]")
    book = nbformat.read(here / "books/a.ipynb", 4)
    book.cells.append(nbformat.v4.new_markdown_cell("![A drawing](images/a.svg)"))
    nbformat.write(book, here / "books/a.ipynb")
    assert course.main(["run", "--keep", "books"]) == 0
    page = (here / "build/a.html").read_text()
    assert "data:image/svg+xml;base64" in page
    assert (here / "build/images/a.svg").exists()


def test_how_long_is_a_table(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert course.main(["timing", str(NOTEBOOKS[0])]) == 1
    assert "make run" in capsys.readouterr().err
    write(here / "a.ipynb", "1")
    assert course.main(["run", "--keep", "a.ipynb"]) == 0
    capsys.readouterr()
    assert course.main(["timing", "a.ipynb"]) == 0
    assert "| a | – | " in capsys.readouterr().out


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


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_every_notebook_keeps_the_rules(path: Path) -> None:
    """Parts, slides, links, drawings, facts: course_magics.course.lint."""
    assert list(map(str, lint(path))) == []


def test_there_are_notebooks() -> None:
    assert [path.stem for path in NOTEBOOKS] == COURSE
    assert list(map(str, lint_folder(NOTEBOOKS[0].parent))) == []


def test_notebooks_run_where_an_event_loop_runs_already(here: Path) -> None:
    write(here / "a.ipynb", "6 * 7")

    async def called() -> int:
        return course.main(["store", "a.ipynb"])

    # In a thread of its own: the browser tests leave a loop running in this one.
    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(lambda: asyncio.run(called())).result() == 0
    assert nbformat.read(here / "a.ipynb", 4).cells[0].outputs[0].data["text/plain"] == "42"


def test_a_notebook_that_is_not_there(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(here / "00-start.ipynb", "1")
    assert course.main(["run", "00-strat.ipynb"]) == 1
    err = capsys.readouterr().err
    assert "there is no 00-strat.ipynb" in err
    assert "did you mean 00-start.ipynb?" in err
    assert course.main(["run", "nowhere"]) == 1
    assert "did you mean" not in capsys.readouterr().err

"""A cell whose magic fails, fails: for strict nbval, nbval --nbval-lax, nbmake and papermill.

Each notebook has one cell that must fail. A good notebook beside them shows that the runners pass
what is right, so that "failed" means the magic and not the set-up.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest

pytestmark = pytest.mark.engine

GOOD = "%container run --rm course/busybox true"
BAD = {
    "unknown_option": "%container run --nmae x course/busybox",
    "unknown_word": "%container rnu course/busybox",
    "unknown_image": "%container run --rm --pull never course/nothing true",
    "failing_step": "%%dockerfile\nFROM course/busybox\nRUN exit 3",
    "empty_dockerfile": "%%dockerfile",
    "exit_3": "%container run --rm course/busybox sh -c 'exit 3'",
    "no_engine": "%engine use unix:///nowhere/docker.sock",
    "vagrant_error": "%vagrant up --dir empty",
    "wrong_vagrantfile": "%%vagrantfile --dir bad\nVagrant.configure('2') do |config|\n  config.vm.bxo = 1\nend",
}


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a notebook for each kind of failure, and a good one."""
    folder = tmp_path_factory.mktemp("books")
    (folder / "empty").mkdir()
    for name, cell in {"good": GOOD, **BAD}.items():
        load = nbformat.v4.new_code_cell("%load_ext course_magics")
        book = nbformat.v4.new_notebook(cells=[load, nbformat.v4.new_code_cell(cell)])
        book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
        if name == "good":
            line = "$ docker run --rm course/busybox true"
            html = f"<div>{_html(line)}</div>"
            data = {"text/plain": line, "text/html": html}
            book.cells[1].execution_count = 2
            book.cells[1].outputs = [
                nbformat.v4.new_output("execute_result", data, execution_count=2)
            ]
        nbformat.write(book, folder / f"{name}.ipynb")
    return folder


def _html(line: str) -> str:
    from course_magics.display import Command

    return Command(line.removeprefix("$ ")).html()


def run(folder: Path, *words: str) -> str:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")}
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        timeout=300,
    )
    return done.stdout + done.stderr


def failed_under_pytest(folder: Path, *flags: str) -> set[str]:
    """The notebooks of which a cell failed, by pytest's own short report."""
    out = run(
        folder,
        "pytest",
        "-q",
        "-p",
        "no:randomly",
        "-p",
        "no:cacheprovider",
        "-rfE",
        "-n",
        "2",
        *flags,
        ".",
    )
    assert re.search(r"\d+ failed", out), out[-3000:]
    return set(re.findall(r"^(?:FAILED|ERROR) (\w+)\.ipynb", out, re.MULTILINE)) | set(
        re.findall(r"^(?:FAILED|ERROR) .*?(\w+)\.ipynb", out, re.MULTILINE)
    )


def under_papermill(folder: Path) -> set[str]:
    failed = set()
    for path in sorted(folder.glob("*.ipynb")):
        target = folder / "out" / path.name
        target.parent.mkdir(exist_ok=True)
        out = run(
            folder, "papermill", "-k", "python3", "--cwd", str(folder), str(path), str(target)
        )
        if "PapermillExecutionError" in out:
            failed.add(path.stem)
    return failed


RUNNERS: dict[str, Callable[[Path], set[str]]] = {
    "nbval": lambda f: failed_under_pytest(f, "--nbval", "--dist", "loadscope"),
    "nbval-lax": lambda f: failed_under_pytest(f, "--nbval-lax", "--dist", "loadscope"),
    "nbmake": lambda f: failed_under_pytest(f, "--nbmake"),
    "papermill": under_papermill,
}


@pytest.mark.parametrize("runner", RUNNERS)
def test_every_failing_cell_fails_and_the_good_one_passes(books: Path, runner: str) -> None:
    assert RUNNERS[runner](books) == set(BAD)


def test_the_error_of_a_failing_cell_is_ours(books: Path, tmp_path: Path) -> None:
    """What papermill stored of one failure: our few lines, no traceback of this package."""
    path = books / "exit_3.ipynb"
    run(books, "papermill", "-k", "python3", str(path), str(tmp_path / "seen.ipynb"))
    book = json.loads((tmp_path / "seen.ipynb").read_text())
    errors = [o for c in book["cells"] for o in c.get("outputs", []) if o["output_type"] == "error"]
    assert [e["ename"] for e in errors] == ["ContainerError"]
    text = "\n".join(errors[0]["traceback"])
    assert "ended with status 3" in text
    assert "site-packages" not in text
    assert "course_magics/" not in text

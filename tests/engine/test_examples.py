"""Lines from Docker's documentation run from cells, and do what the documentation says."""

import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import docker
import pytest
from docker.errors import APIError

from course_magics.patience import until

from .conftest import Cell
from .examples import EXAMPLES, Example

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("composer")]


@pytest.fixture
def place(name: str, api: docker.APIClient, here: Path) -> Iterator[str]:
    """A name whose networks and volumes are removed as well, and those of its compose project."""
    yield name
    for found in api.containers(all=True, filters={"name": name}):
        api.remove_container(found["Id"], force=True, v=True)
    for remove, more in ((api.remove_network, "default"), (api.remove_volume, "data")):
        for each in (name, f"{name}_{more}"):
            with suppress(APIError):
                remove(each)


def test_there_are_enough() -> None:
    assert len({e.cell for e in EXAMPLES}) >= 60
    assert len({e.cell for e in EXAMPLES if e.cell.startswith("%compose ")}) >= 10


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e.cell.split("\n")[0][1:60])
def test_an_example(
    cell: Cell, place: str, capsys: pytest.CaptureFixture[str], example: Example
) -> None:
    for text in example.before:
        cell(text.replace("NAME", place))
    capsys.readouterr()
    result = cell(example.cell.replace("NAME", place)).result
    wanted = example.says.replace("NAME", place)
    if not example.holds:
        assert wanted in f"{capsys.readouterr().out}\n{result}"
        return
    line = f"docker {_quoted(example.holds.replace('NAME', place))}"

    def holds() -> bool:  # also of a program that `-d` has only begun
        done = subprocess.run(["sh", "-c", line], capture_output=True, text=True)
        return not done.returncode and wanted in done.stdout

    assert until(holds), line


def _quoted(line: str) -> str:
    """A template without blanks needs no quotes in the table, but a shell wants them."""
    return " ".join(
        f"'{w}'" if w.startswith("{{") and w.endswith("}}") else w for w in line.split(" ")
    )

"""What a student hands in cannot steer the instructor's terminal, nor end a command in a traceback."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from course_magics import course
from course_magics.cli import main
from course_magics.course.book import read
from course_magics.course.lint import lint
from course_magics.terminal import say

ESCAPE = "\x1b]0;owned\x07\x1b[2J\u202e"
NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
BOOK = json.loads((NOTEBOOKS / "02-docker.ipynb").read_text("utf-8"))


def test_say_lets_nothing_through_but_lines(capsys: pytest.CaptureFixture[str]) -> None:
    say(f"one{ESCAPE}\ntwo\r\n")
    out = capsys.readouterr().out
    assert out.splitlines()[1] == "two"
    assert not set(out) & {"\x1b", "\x07", "\r", "\u202e"}


@pytest.mark.parametrize("run", [course.main, main])
def test_a_notebook_cannot_steer_the_terminal(
    run: Any, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cell = {"cell_type": "markdown", "id": ESCAPE, "metadata": {}, "source": f"# {ESCAPE}"}
    bad = {
        "cell_type": "code",
        "id": "x",
        "metadata": {"slideshow": {"slide_type": ESCAPE}},
        "source": "",
        "outputs": [],
    }
    (here / f"00-{ESCAPE.replace('/', '')}.ipynb").write_text(
        json.dumps({"cells": [cell, bad], "metadata": {}})
    )
    words = ["lint", "."] if run is course.main else ["test", "--fast", "."]
    assert run(words) == 1
    said = "".join(capsys.readouterr())
    assert "fault" in said
    assert not set(said) & {"\x1b", "\x07", "\u202e"}


def broken(value: Any, path: list[Any], junk: Any) -> Any:
    """A copy of a notebook with one of its values replaced."""
    found = copy.deepcopy(value)
    place = found
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = junk
    return found


def paths(value: Any, depth: int = 5) -> list[list[Any]]:
    """The places in a notebook that hold something."""
    found = []
    steps = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value[:6])
        if isinstance(value, list)
        else ()
    )
    for step, inner in steps:
        found.append([step])
        if depth:
            found += [[step, *more] for more in paths(inner, depth - 1)]
    return found


@settings(max_examples=150, suppress_health_check=list(HealthCheck), deadline=None)
@given(
    st.sampled_from(paths(BOOK)),
    st.sampled_from([None, 0, "", "text", [], [0], {}, {"a": 1}, [None], True, [["x"]]]),
)
def test_a_malformed_notebook_is_a_fault_of_that_notebook(
    tmp_path_factory: pytest.TempPathFactory, path: list[Any], junk: Any
) -> None:
    file = tmp_path_factory.getbasetemp() / "02-mutated.ipynb"
    file.write_text(json.dumps(broken(BOOK, path, junk)))
    for fault in lint(file):
        assert fault.book == "02-mutated.ipynb"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no notebook"),
        ("[]", "no notebook"),
        ('{"cells": [{}]}', "cell 1 has no cell_type"),
        ('{"cells": [{"cell_type": "code"}]}', "cell 1 has no source"),
        (
            '{"cells": [{"cell_type": "code", "source": "", "outputs": [{}]}]}',
            "an output that is none",
        ),
        ("[" * 100_000, "no notebook"),
    ],
)
def test_it_says_which_file_and_what(text: str, why: str, here: Path) -> None:
    (here / "a.ipynb").write_text(text)
    with pytest.raises(ValueError, match=why):
        read(here / "a.ipynb")


def test_a_malformed_notebook_fails_and_the_others_run(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "a.ipynb").write_text('{"cells": [{}]}')
    (here / "b.ipynb").write_text(
        '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'
    )
    assert course.main(["run", "--keep", "a.ipynb", "b.ipynb"]) == 1
    out = capsys.readouterr().out
    assert "it cannot be read" in out
    assert "b.ipynb" in out and "passed" in out

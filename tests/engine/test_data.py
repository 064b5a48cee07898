"""Every word that lists things gives rows of plain values, on the real engine."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from course_magics.display import Listed, Table
from course_magics.errors import EngineError
from course_magics.magics.container import MAGIC

from .conftest import Cell

pytestmark = pytest.mark.engine
Fails = Callable[[str], BaseException]

#: Words that list things and end (`stats` and `events` do not by themselves).
_LISTS = sorted(
    word.name
    for word in MAGIC.words
    if word.arity()[0] == 0 and (word.name in ("ps", "images") or word.name.endswith(" ls"))
)


def _is_plain(result: Any) -> None:
    assert isinstance(result, Listed), type(result)
    assert json.loads(json.dumps(result.rows)) == result.rows
    assert json.loads(result.to_json()) == result.rows
    assert len(result.to_dataframe()) == len(result.rows)
    if isinstance(result, Table):
        for row in result.rows:
            assert set(result.columns.values()) <= set(row), "a column that no row knows"


@pytest.fixture
def shop(cell: Cell, name: str) -> str:
    """A container that has changed a file, on a network, with a volume and a port."""
    cell(
        f"%container run -d --name {name} -l color=blue -v /data -p 127.0.0.1::80 course/busybox "
        "sh -c 'echo > /new; exec sleep 99'"
    )
    return name


@pytest.mark.parametrize("word", _LISTS)
def test_what_lists_without_arguments(ip: InteractiveShell, shop: str, word: str) -> None:
    result = ip.run_cell(f"%container {word}")
    if isinstance(result.error_in_exec, EngineError) and "swarm" in str(result.error_in_exec):
        return  # the engine is in no swarm: there is nothing to list
    result.raise_error()
    _is_plain(result.result)


@pytest.mark.parametrize(
    "line",
    [
        "ps -a --size",
        "ps -q",
        "ps --format json",
        "ps --format '{{.Names}}'",
        r"ps --format 'table {{.Names}}\t{{.Image}}'",
        "images --digests --no-trunc",
        "images -q",
        "history course/busybox",
        "history -q course/busybox",
        "top NAME",
        "top NAME -o pid,comm",
        "port NAME",
        "diff NAME",
    ],
)
def test_what_lists_with_arguments(cell: Cell, shop: str, line: str) -> None:
    result = cell(f"%container {line.replace('NAME', shop)}").result
    _is_plain(result)
    assert result.rows, "nothing was listed: the test would show nothing"


def test_json_of_ps_is_rows(cell: Cell, shop: str) -> None:
    listed = cell(f"%container ps --filter name={shop}").result
    as_json = cell(f"%container ps --filter name={shop} --format json").result
    assert [r["Names"] for r in listed.rows] == [r["Names"] for r in as_json.rows] == [shop]


@pytest.mark.parametrize(
    "line", ["inspect NAME", "stop -t 0 NAME", "wait NAME", "exec NAME echo hello", "ps --help"]
)
def test_other_results_have_data_too(cell: Cell, shop: str, line: str) -> None:
    if line.startswith("wait"):
        cell(f"%container kill {shop}")
    result = cell(f"%container {line.replace('NAME', shop)}").result
    assert json.loads(result.to_json()) == result.data


def test_a_build_has_data(cell: Cell, name: str) -> None:
    built = cell(f"%%dockerfile -t {name}\nFROM course/busybox\nRUN echo one\n").result
    found = json.loads(built.to_json())
    assert found["tags"] == [name]
    assert [step["instruction"] for step in found["steps"]] == [
        "FROM course/busybox",
        "RUN echo one",
    ]
    assert {step["state"] for step in found["steps"]} <= {"base", "built", "cached"}


def test_the_engine_has_data(cell: Cell) -> None:
    assert json.loads(cell("%engine").result.to_json())["engine"]

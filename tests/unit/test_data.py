"""Results as data: rows, JSON, a data frame."""

import json
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas
import pytest

from course_magics.containers.container import Container
from course_magics.containers.listing import Lines
from course_magics.display import Shown, Table
from course_magics.display.data import plain
from course_magics.errors import CourseError
from course_magics.magics.container import MAGIC
from course_magics.magics.help import Help

ROWS: list[dict[str, Any]] = [
    {"name": "wéb", "bytes": 1, "tags": ["a"]},
    {"name": "db", "bytes": 2},
]


def table() -> Table:
    return Table({"NAME": "name"}, ROWS, command="docker ls")


def test_a_table_as_json() -> None:
    assert json.loads(table().to_json()) == ROWS
    assert "wéb" in table().to_json()
    assert "\n" not in table().to_json(indent=None)
    assert json.loads(Table({"A": "a"}, []).to_json()) == []


def test_a_table_as_a_data_frame() -> None:
    frame = table().to_dataframe()
    assert isinstance(frame, pandas.DataFrame)
    assert list(frame["name"]) == ["wéb", "db"]
    assert frame["bytes"].sum() == 3
    assert Table({"A": "a"}, []).to_dataframe().empty


def test_without_pandas_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)  # what Python does when it is not installed
    with pytest.raises(CourseError, match="needs pandas, which is not installed") as raised:
        table().to_dataframe()
    assert "%pip install pandas" in (raised.value.hint or "")


def test_a_cell_s_output_holds_no_json() -> None:
    """nbval compares each kind of output, and has no sanitizer for JSON."""
    assert set(table()._repr_mimebundle_()) == {"text/plain", "text/html"}


def test_lines_are_rows_too() -> None:
    assert Lines(["a", "b"], "").rows == [{"line": "a"}, {"line": "b"}]
    assert Lines(['{"Names": "web"}'], "").rows == [{"Names": "web"}]
    assert Lines(["1", "2"], "").rows == [{"line": "1"}, {"line": "2"}]
    assert Lines(["x"], "").to_dataframe().shape == (1, 1)


def test_any_result_has_its_attributes_as_data() -> None:
    made = Container("web", "1234", "busybox", "docker run busybox")
    assert made.data == {
        "name": "web",
        "id": "1234",
        "image": "busybox",
        "command": "docker run busybox",
    }
    assert json.loads(made.to_json()) == made.data
    assert json.loads(Help(MAGIC).to_json())[0]["word"] == "run"


@dataclass
class _Step:
    text: str
    output: bytes = b"\xff"
    _begun: float = 0
    more: set[str] = field(default_factory=lambda: {"b", "a"})


class _Odd(Shown):
    def __init__(self) -> None:
        self.path = Path("/x")
        self.at = datetime(2030, 1, 1, tzinfo=UTC)
        self.steps = [_Step("RUN"), table()]
        self._hidden = object()


def test_what_json_does_not_know_becomes_text() -> None:
    found = json.loads(_Odd().to_json())
    assert found == {
        "path": "/x",
        "at": "2030-01-01 00:00:00+00:00",
        "steps": [{"text": "RUN", "output": "�", "more": ["a", "b"]}, ROWS],
    }
    assert plain({1: (2, 3.5, None, True)}) == {"1": [2, 3.5, None, True]}


def test_pandas_is_loaded_when_it_is_asked_for() -> None:
    code = "import sys, course_magics.display as d; d.Table({}, []).to_json(); sys.exit('pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0

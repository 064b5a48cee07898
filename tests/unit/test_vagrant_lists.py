"""What is read from vagrant's lists, without vagrant."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from course_magics.errors import MachineError
from course_magics.machines import lists
from course_magics.machines.readable import read

ANSWER = """\
1,,ui,info,  8000 (guest) => 18000 (host)
1,default,forwarded_port,8000,18000
1,default,forwarded_port,22,2222
"""


@pytest.fixture(autouse=True)
def vagrant(monkeypatch: pytest.MonkeyPatch) -> list[Sequence[str]]:
    asked: list[Sequence[str]] = []

    def ask(folder: Path, words: Sequence[str], line: str) -> list[object]:
        asked.append(list(words))
        return list(read(ANSWER))

    monkeypatch.setattr(lists, "_ask", ask)
    return asked


@pytest.mark.parametrize("words", [["--guest", "8000"], ["--guest=8000", "default"]])
def test_one_port(words: list[str], vagrant: list[Sequence[str]]) -> None:
    rows = lists.ports(Path(), words).rows
    assert rows == [{"machine": "default", "guest": 8000, "host": 18000}]
    assert "--guest" not in " ".join(vagrant[0]), "vagrant would answer with a bare number"


def test_all_ports() -> None:
    assert [row["guest"] for row in lists.ports(Path(), []).rows] == [8000, 22]


def test_a_port_that_nothing_leads_to_is_a_fault() -> None:
    with pytest.raises(MachineError, match="port 8001"):
        lists.ports(Path(), ["--guest", "8001"])

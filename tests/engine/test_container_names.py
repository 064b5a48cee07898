"""A container that is not there, for each word that takes one: a clear line, the closest name."""

from collections.abc import Callable

import pytest

from course_magics.errors import EngineError

from .conftest import Cell

pytestmark = pytest.mark.engine
Fails = Callable[[str], BaseException]

_LINES = (
    "start {}", "start -a {}", "stop {}", "restart {}", "kill {}", "rm {}", "wait {}", "logs {}",
    "exec {} true",
)  # fmt: skip


@pytest.mark.parametrize("line", _LINES)
def test_the_closest_name_is_offered(cell: Cell, fails: Fails, name: str, line: str) -> None:
    cell(f"%container create --name {name} course/busybox")
    error = fails(f"%container {line.format(name + 'x')}")
    assert isinstance(error, EngineError)
    assert error.message == f"no such container: {name}x"
    assert error.hint == f"did you mean {name}?"


@pytest.mark.parametrize("line", [*_LINES, "rm -f {}"])
@pytest.mark.parametrize("bad", ["''", "a/b", "'a?b'", "../images", "'a b'"])
def test_what_cannot_be_a_name(fails: Fails, line: str, bad: str) -> None:
    error = fails(f"%container {line.format(bad)}")
    assert isinstance(error, EngineError)
    assert error.message.startswith("no such container: ")


def test_waiting_for_two_of_which_one_is_missing(cell: Cell, fails: Fails, name: str) -> None:
    cell(f"%container run -d --name {name} course/busybox sh -c 'exit 4'")
    error = fails(f"%container wait {name} {name}x")
    assert isinstance(error, EngineError)
    assert error.result.statuses == {name: 4}  # type: ignore[attr-defined]
    assert f"ended: {name}" in error.message


def test_pulling_what_is_here_says_so(fails: Fails) -> None:
    error = fails("%container run --rm --pull always course/busybox true")
    assert isinstance(error, EngineError)
    assert error.message == "course/busybox could not be pulled"
    assert "without --pull always" in (error.hint or "")

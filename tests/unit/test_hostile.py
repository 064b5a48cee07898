"""Hostile names, labels, logs and Dockerfile text in every result: nothing becomes HTML."""

import pytest

from course_magics.containers.build.instructions import read
from course_magics.containers.build.result import Build
from course_magics.containers.clean import Cleaned
from course_magics.containers.inspect import Inspected
from course_magics.containers.lifecycle import Done, Ended
from course_magics.containers.listing import Lines
from course_magics.display import Shown, Table
from course_magics.doctor import Check, Report
from course_magics.errors import EngineError
from course_magics.widgets.build import render

from .test_blocks import HOSTILE, tags

OWN = {"div", "pre", "table", "thead", "tbody", "tr", "th", "td"}


def build(value: str) -> Build:
    made = Build(read(f"FROM {value}\nRUN {value}\n"), [value], value)
    for step in made.steps:
        step.begin()
        step.output += value.encode("utf-8", "surrogatepass")
    made.image = "sha256:1"
    made.notes.append(value)
    return made


@pytest.mark.parametrize("value", HOSTILE)
def test_results(value: str) -> None:
    results: list[Shown] = [
        build(value),
        Cleaned({"containers": [value]}, [value]),
        Inspected([{value: value}], value),
        Done(value, [value], value),
        Ended({value: 1}, value),
        Lines([value], value),
        Table({value: "x"}, [{"x": value}], command=value),
        Report([Check(value, "bad", value, value)]),
    ]
    for result in results:
        bundle = result._repr_mimebundle_()
        assert tags(bundle["text/html"]) <= OWN, type(result)
        for text in bundle.values():
            assert "\x1b" not in text
            text.encode()


@pytest.mark.parametrize("value", HOSTILE)
def test_the_live_view(value: str) -> None:
    assert tags(render(build(value))) <= OWN


@pytest.mark.parametrize("value", HOSTILE)
def test_errors(value: str) -> None:
    error = EngineError(value, detail=value, command=value, hint=value)
    lines = "\n".join(error._render_traceback_()[1:])
    assert "\x1b" not in lines
    lines.encode()

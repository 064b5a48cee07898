"""Hostile names, labels, logs and Dockerfile text in every result: nothing becomes HTML."""

from pathlib import Path

import pytest

from course_magics.containers.build.instructions import read
from course_magics.containers.build.result import Build
from course_magics.containers.clean import Cleaned
from course_magics.containers.inspect import Inspected
from course_magics.containers.lifecycle import Done, Ended
from course_magics.containers.listing import Lines
from course_magics.display import Markdown, Shown, Table
from course_magics.doctor import Check, Report
from course_magics.errors import EngineError
from course_magics.lessons import Finding
from course_magics.lessons.exercise import Exercise
from course_magics.lessons.learn import Report as Checked
from course_magics.lessons.overview import Certificate, Overview, Part
from course_magics.lessons.questions import Marked, Sheet
from course_magics.lessons.quiz import Choice, Question, Quiz, judge
from course_magics.widgets.build import render

from .test_blocks import HOSTILE, tags

OWN = {"div", "span", "pre", "table", "thead", "tbody", "tr", "th", "td"}


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
def test_lessons(value: str) -> None:
    question = Question(value, value, (Choice(value, True, value), Choice("x", False, value)))
    quiz = Quiz(value, value, (question,))
    certificate = Certificate(Overview([Part(value, value, value)]), value)
    results: list[Shown] = [
        Checked(Exercise(value, Path(value)), [Finding(False, value, value)], value),
        Sheet(quiz, value),
        Marked([judge(question, [2])], value),
        certificate,
    ]
    more = {"ol", "ul", "li", "p", "h3", "code", "strong", "em", "blockquote"}
    for result in results:
        bundle = result._repr_mimebundle_()
        assert tags(bundle["text/html"]) <= OWN | more, type(result)
        for text in bundle.values():
            assert "\x1b" not in text
            text.encode()
    text = f"# {value}\n\n{value}\n\n- {value}\n\n```\n{value}\n```\n\n> {value}"
    assert tags(Markdown(text).html()) <= OWN | more
    page = certificate.page()
    assert tags(page[page.index("<body>") + 6 :]) <= OWN | {"h1"}


@pytest.mark.parametrize("value", HOSTILE)
def test_the_live_view(value: str) -> None:
    assert tags(render(build(value))) <= OWN


@pytest.mark.parametrize("value", HOSTILE)
def test_errors(value: str) -> None:
    error = EngineError(value, detail=value, command=value, hint=value)
    lines = "\n".join(error._render_traceback_()[1:])
    assert "\x1b" not in lines
    lines.encode()

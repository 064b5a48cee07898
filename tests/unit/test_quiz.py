"""Quizzes: read, refused with the place of the fault, judged with reasons, shown as text and widgets."""

from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

from course_magics.errors import LessonError, OptionError
from course_magics.lessons import progress, questions
from course_magics.lessons.quiz import judge, load
from course_magics.widgets.quiz import Quiz, shown

QUIZ = """\
title: Layers & <b>more</b>
questions:
  - id: one
    ask: "Which: <i>this</i>?"
    choices:
      - text: The first
        because: It is not.
      - text: The second
        right: true
        because: It is.
  - id: both
    ask: Which of these?
    many: true
    choices:
      - {text: A, right: true, because: The first letter.}
      - {text: "1", because: A number.}
      - {text: B, right: true, because: The second letter.}
"""


@pytest.fixture(autouse=True)
def quizzes(here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COURSE_PROGRESS", str(here / "progress.json"))
    monkeypatch.setenv("COURSE_LESSONS", str(here))
    (here / "quizzes").mkdir()
    (here / "quizzes/09-layers.yaml").write_text(QUIZ, "utf-8")
    return here / "quizzes"


def test_an_answer_is_judged_with_reasons(quizzes: Path) -> None:
    quiz = load(quizzes / "09-layers.yaml")
    wrong = judge(quiz.question("one"), [1])
    assert not wrong.right
    assert wrong.reasons() == [(False, "The first", "It is not."), (True, "The second", "It is.")]
    assert judge(quiz.question("one"), [2]).right
    part = judge(quiz.question("both"), [1, 2])
    assert not part.right
    assert [r[1] for r in part.reasons()] == ["A", "1", "B"]
    assert judge(quiz.question("both"), [3, 1]).right


@pytest.mark.parametrize(
    ("id", "chosen"), [("one", []), ("one", [3]), ("one", [0]), ("one", [1, 2])]
)
def test_an_impossible_answer_is_refused(quizzes: Path, id: str, chosen: list[int]) -> None:
    with pytest.raises(LessonError):
        judge(load(quizzes / "09-layers.yaml").question(id), chosen)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (QUIZ, "", "a quiz has"),
        (QUIZ, "- 1\n", "a quiz has"),
        (QUIZ, "title: x\nquestions: []\n", "`questions` is missing"),
        (QUIZ, "title: [\n", "line 2 is not YAML"),
        ("title: Layers", "titel: Layers", "unknown: titel"),
        ("right: true\n        because: It is.", "because: It is.", "none is `right: true`"),
        ("because: It is not.", "right: true\n        because: x", "2 are `right: true`"),
        ("because: It is not.", "right: 'yes'\n        because: x", "`right` is true or false"),
        ("        because: It is not.\n", "", "question 1 (one), choice 1: `because`"),
        ("many: true", "many: maybe", "question 2 (both): `many`"),
        ("id: both", "id: one", "two questions have the id one"),
        ("id: one", "id: One two", "its id 'One two'"),
        ("text: The second", "text: The first", "the same text"),
        ("text: The first", "text: yes", "`text` is missing or not a text"),
    ],
)
def test_a_faulty_file_is_said_with_its_place(
    quizzes: Path, before: str, after: str, said: str
) -> None:
    path = quizzes / "09-layers.yaml"
    assert before in QUIZ
    path.write_text(QUIZ.replace(before, after), "utf-8")
    with pytest.raises(LessonError) as caught:
        load(path)
    assert "09-layers.yaml" in str(caught.value)
    assert said in str(caught.value)


def test_on_paper_it_is_the_same_each_time(ip: InteractiveShell) -> None:
    first = str(ip.run_cell("%quiz 09-layers").result)
    ip.run_cell("%quiz 09-layers --answer one=2").raise_error()
    assert str(ip.run_cell("%quiz 09-layers").result) == first
    assert first.splitlines() == [
        "Layers & <b>more</b>: 2 questions",
        "one: Which: <i>this</i>?",
        "  1 The first",
        "  2 The second",
        "both: Which of these? (any number may be right)",
        "  1 A",
        "  2 1",
        "  3 B",
        "%quiz 09-layers --answer one=1 answers with a number",
    ]


def test_answers_without_widgets(ip: InteractiveShell) -> None:
    found = ip.run_cell("%quiz 09-layers --answer one=1 --answer both=1,3").result
    assert str(found).splitlines() == [
        "one: not right",
        "✘ The first: It is not.",
        "→ The second: It is.",
        "both: right",
        "✔ A: The first letter.",
        "✔ B: The second letter.",
    ]
    assert found.right == 1
    answers = progress.load()[0].quizzes["09-layers"]
    assert (answers["one"].right, answers["both"].right) == (False, True)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("%quiz", "there are: 09-layers"),
        ("%quiz 09-layres", "did you mean 09-layers?"),
        ("%quiz ../09-layers", "no quiz is called"),
        ("%quiz 09-layers --all", "not both"),
        ("%quiz 09-layers --answer", "--answer"),
        ("%quiz 09-layers --answer 2", "not of the form"),
        ("%quiz 09-layers --answer one=", "not of the form"),
        ("%quiz 09-layers --answer one=²", "not of the form"),
        ("%quiz 09-layers --answer one=9", "choose from 1 to 2"),
        ("%quiz 09-layers --answer two=1", "it has: one, both"),
    ],
)
def test_what_cannot_be_answered(ip: InteractiveShell, line: str, said: str) -> None:
    error = ip.run_cell(line).error_in_exec
    assert isinstance(error, LessonError | OptionError)
    assert said in str(error)
    assert not progress.load()[0].quizzes


def test_all_asks_one_of_each(ip: InteractiveShell, quizzes: Path) -> None:
    (quizzes / "10-more.yaml").write_text(QUIZ.replace("id: one", "id: first"), "utf-8")
    found = ip.run_cell("%quiz --all").result
    assert [q["id"] for q in found.sheet.data] == ["09-one", "10-first"]
    assert ip.run_cell("%quiz --all --answer 10-first=2").result.right == 1


def test_the_widget_says_and_keeps_what_the_sheet_does() -> None:
    quiz = shown("09-layers")
    assert isinstance(quiz, Quiz)
    one, both = quiz.asked
    one.button.click()
    assert "choose an answer first" in one.said.value
    one.choices[0].index = 0
    one.button.click()
    assert "✘ The first: It is not." in one.said.value
    assert 'role="status"' in one.said.value
    one.choices[1].index = 0
    assert one.choices[0].index is None  # one answer only
    one.button.click()
    assert "✘" not in one.said.value
    assert one.chosen() == [2]
    both.choices[0].value = both.choices[2].value = True
    both.button.click()
    assert "✔ B: The second letter." in both.said.value
    kept = progress.load()[0].quizzes["09-layers"]
    assert (kept["one"].right, kept["one"].first, kept["one"].tries) == (True, False, 2)
    assert (kept["both"].right, kept["both"].first) == (True, True)
    assert "<i>" not in one.head.value


def test_the_bundle_is_a_view_and_the_sheet() -> None:
    bundle = shown("09-layers")._repr_mimebundle_()
    assert bundle["text/plain"] == str(questions.sheet("09-layers"))
    assert "<b>more" not in bundle["text/html"]
    assert "application/vnd.jupyter.widget-view+json" in bundle

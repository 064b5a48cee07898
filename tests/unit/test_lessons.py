"""Exercises: found, read, judged, hinted at; faults of their authors said in a few lines."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

from course_magics import labels
from course_magics.errors import CheckError, LessonError, OptionError
from course_magics.lessons import Finding, State, expect, find, learn, progress
from course_magics.lessons.exercise import Exercise, cells, lacks
from course_magics.lessons.new import new
from course_magics.lessons.play import needs_machine

from .test_complete import texts

CHECK = '''\
"""Is there a file `made`?"""
from course_magics.lessons import State, expect


def check(state: State):
    made = state.file("made")
    yield expect(made is not None, "there is a file made", "there is no file made", hint="create")
    if made is None:
        return
    yield expect(made.strip() == "yes", "it says yes", "it does not say yes", hint="write")
'''
FILES = {
    "task.md": "# A file\n\nMake the file `made`.\n",
    "check.py": CHECK,
    "hints/create.md": "```state\n```\nThink.\n---\nThink harder.\n\n---\nopen('made', 'w')\n",
    "hints/write.md": "```state\nopen('made', 'w').close()\n\n# ---\n1\n```\nWrite into it.\n",
    "solution.md": "So.\n\n```cell\nopen('made', 'w').write('yes')\n```\n",
    "other-way.md": "Or.\n\n```cell\n%%bash\necho yes > made\n```\n\n```cell\n1\n```\n",
    "reset.md": "```cell\nimport pathlib\npathlib.Path('made').unlink(missing_ok=True)\n```\n",
}
Make = Callable[..., Path]


@pytest.fixture(autouse=True)
def _own(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing begun, no progress, and a folder without a course above it."""
    monkeypatch.setenv("COURSE_PROGRESS", str(here / "progress.json"))
    monkeypatch.setenv("COURSE_LESSONS", str(here))
    # Set and then removed, so that monkeypatch puts back what a test leaves in it.
    monkeypatch.setenv("COURSE_LESSON", "")


@pytest.fixture
def make(here: Path) -> Make:
    """Makes an exercise `01-file`; its files can be replaced, or left out with None."""

    def write(name: str = "01-file", **changed: str | None) -> Path:
        folder = here / "exercises" / name
        for file, text in {
            **FILES,
            **{k.replace("__", "."): v for k, v in changed.items()},
        }.items():
            if text is not None:
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                (folder / file).write_text(text, "utf-8")
        return folder

    return write


def test_expect() -> None:
    assert expect(1, "right", "missing", "h") == Finding(True, "right", "")
    assert expect("", "right", "missing", "h") == Finding(False, "missing", "h")
    assert expect(None, "right", "missing") == Finding(False, "missing", "")


def test_a_check_judges_the_state(make: Make, here: Path) -> None:
    make()
    report = learn.check("01-file")
    assert not report.passed
    assert report.hint == "create"
    assert "✘ there is no file made" in str(report)
    assert "the hint “create” fits: %hint 01-file shows it" in str(report)
    (here / "made").touch()
    assert learn.check("01-file").hint == "write"
    (here / "made").write_text("yes\n")
    report = learn.check("01-file")
    assert report.passed
    assert str(report).splitlines() == [
        "✔ there is a file made",
        "✔ it says yes",
        "01-file is done",
    ]
    assert [f["ok"] for f in report.data["findings"]] == [True, True]  # type: ignore[attr-defined]


def test_strict_fails_the_cell(make: Make) -> None:
    make()
    with pytest.raises(CheckError, match="not done yet") as caught:
        learn.check("01-file", strict=True)
    assert "✘ there is no file made" in str(caught.value)
    assert caught.value.result.hint == "create"  # type: ignore[attr-defined]


def test_the_current_exercise_is_the_label_of_what_is_made(make: Make) -> None:
    make()
    assert labels.LESSON not in labels.ours()
    task = learn.begin("01-file")
    assert str(task).startswith("# A file\n")
    assert "<h3>A file</h3>" in task._repr_mimebundle_()["text/html"]
    assert labels.ours()[labels.LESSON] == "01-file"
    assert labels.LESSON not in labels.lasting()
    assert "fits: %hint shows it" in str(learn.check())


def test_without_an_exercise_one_line_says_what_to_type(make: Make) -> None:
    make()
    for act in (learn.check, learn.hint, learn.solution):
        with pytest.raises(LessonError) as caught:
            act()
        assert "%lesson NAME begins one" in str(caught.value)


def test_hints_step_by_step_by_state(make: Make, here: Path) -> None:
    make()
    learn.begin("01-file")
    said = [str(learn.hint()) for _ in range(4)]
    assert "step 1 of 3\nThink.\n" in said[0]
    assert "step 2 of 3\nThink harder.\n" in said[1]
    assert "step 3 of 3" in said[2]
    assert "%solution" in said[2]
    assert said[3] == said[2]
    (here / "made").touch()
    assert "Write into it." in str(learn.hint())
    (here / "made").write_text("yes")
    assert "no hint is needed" in str(learn.hint())
    book, note = progress.load()
    assert book.exercises["01-file"].hints == {"create": 3, "write": 1}
    assert not note


def test_a_finding_without_a_hint(make: Make) -> None:
    make(check__py=CHECK.replace(', hint="create"', ""))
    assert "there is no hint for this" in str(learn.hint("01-file"))
    assert str(learn.check("01-file")).splitlines()[-1] == "01-file is not done yet"


def test_a_solution_is_shown_and_noted(make: Make) -> None:
    make()
    shown = learn.solution("01-file")
    assert str(shown).startswith("So.\n\n```\nopen(")
    assert "%solution --other-way" in str(shown)
    assert "echo yes" in str(learn.solution("01-file", other=True))
    assert progress.load()[0].exercises["01-file"].solution


def test_passing_stays_and_is_shown_nowhere_else(make: Make, here: Path) -> None:
    make()
    first = str(learn.check("01-file"))
    (here / "made").write_text("yes")
    learn.check("01-file")
    when = progress.load()[0].exercises["01-file"].passed
    assert when
    (here / "made").unlink()
    assert str(learn.check("01-file")) == first
    done = progress.load()[0].exercises["01-file"]
    assert (done.passed, done.checks) == (when, 3)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def check(state):\n    yield 1 / 0\n", "line 2"),
        ("def check(state):\n    state.nothing\n    yield 1\n", "AttributeError"),
        ("def check(state)\n    pass\n", "line 1"),
        ("x = 1\n", "no function `check`"),
        ("import nowhere_at_all\n", "ModuleNotFoundError"),
        ("def check(state):\n    yield True\n", "not what expect() makes"),
        ("def check(state):\n    return []\n", "yields nothing"),
        ("def check(state):\n    return None\n", "NoneType"),
        (CHECK.replace('"create"', '"nowhere"'), "which is not in hints/"),
    ],
)
def test_a_faulty_check_is_said_in_our_words(make: Make, text: str, said: str) -> None:
    make(check__py=text)
    with pytest.raises(LessonError) as caught:
        learn.check("01-file")
    assert "check.py of 01-file is at fault" in str(caught.value)
    assert said in str(caught.value)
    assert "it is not your work" in str(caught.value)


def test_a_check_is_read_anew_each_time(make: Make, here: Path) -> None:
    folder = make()
    learn.check("01-file")
    (folder / "check.py").write_text(
        "from course_magics.lessons import expect\ndef check(s):\n    yield expect(1, 'new', '')\n"
    )
    assert "✔ new" in str(learn.check("01-file"))


@pytest.mark.parametrize("name", ["../x", "01 file", "", ".", "..", "01-fil\0e", "/etc", "01-fiel"])
def test_hostile_and_unknown_names(make: Make, name: str) -> None:
    make()
    with pytest.raises(LessonError, match="no exercise is called"):
        find.exercise(name)
    with pytest.raises(LessonError, match="no quiz"):
        find.quiz_file(name)


def test_the_closest_name_is_offered(make: Make) -> None:
    make()
    with pytest.raises(LessonError) as caught:
        find.exercise("01-fiel")
    assert "did you mean 01-file?" in str(caught.value)


def test_a_folder_that_is_not_whole(make: Make) -> None:
    folder = make(reset__md=None, **{"hints/create__md": None, "hints/write__md": None})
    assert lacks(folder) == ["reset.md", "hints/NAME.md"]
    with pytest.raises(LessonError, match=r"reset\.md, hints/NAME\.md are missing"):
        find.exercise("01-file")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Think.\n", "does not begin with a ```state block"),
        ("```state\n```\n", "has no step"),
        ("```cell\n```\nThink.\n", "does not begin with a ```state block"),
    ],
)
def test_a_faulty_hint(make: Make, text: str, said: str) -> None:
    make(**{"hints/create__md": text})
    with pytest.raises(LessonError) as caught:
        learn.hint("01-file")
    assert said in str(caught.value)


def test_states_and_cells_are_read(make: Make) -> None:
    exercise = Exercise("01-file", make())
    assert exercise.hints["create"].state == ()
    assert exercise.hints["write"].state == ("open('made', 'w').close()", "1")
    assert cells(exercise.other_way) == ["%%bash\necho yes > made", "1"]
    assert cells("````cell\n```\nx\n```\n````\n```state\nno\n```\n") == ["```\nx\n```"]
    assert not needs_machine(exercise)


def test_exercises_are_looked_for_upwards(
    make: Make, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COURSE_LESSONS")
    make()
    deep = here / "build/work/01-file"
    deep.mkdir(parents=True)
    (here / "exercises").rename(here / "there")
    (here / "notebooks").mkdir()
    (here / "there").rename(here / "notebooks/exercises")
    monkeypatch.chdir(deep)
    assert find.root() == here / "notebooks"
    assert find.exercises() == ["01-file"]
    monkeypatch.setenv("COURSE_LESSONS", str(here / "notebooks/exercises"))
    assert find.root() == here / "notebooks"
    monkeypatch.setenv("COURSE_LESSONS", str(here / "nowhere"))
    with pytest.raises(LessonError) as caught:
        find.exercise("01-file")
    assert "there is no exercise here" in str(caught.value)


def test_a_setting_counts_before_the_environment(
    ip: InteractiveShell, make: Make, here: Path
) -> None:
    make()
    ip.run_cell("%config CourseMagics.lessons = '/nowhere'").raise_error()
    assert find.exercises() == []


def test_the_magics(ip: InteractiveShell, make: Make, here: Path) -> None:
    make()
    assert ip.run_cell("%lesson").result.rows == [{"exercise": "01-file", "task": "A file"}]
    assert ip.run_cell("%lesson ls").result.rows[0]["exercise"] == "01-file"
    assert "Make the file" in str(ip.run_cell("%lesson 01-file").result)
    assert not ip.run_cell("%check -o seen").result.passed
    assert ip.user_ns["seen"].hint == "create"
    assert isinstance(ip.run_cell("%check --strict").error_in_exec, CheckError)
    assert "step 1 of 3" in str(ip.run_cell("%hint").result)
    assert "So." in str(ip.run_cell("%solution").result)
    (here / "made").write_text("yes")
    assert ip.run_cell("%check").result.passed
    said = str(ip.run_cell("%lesson").result).splitlines()
    assert [line.split("  ")[-1].strip() for line in said] == [
        "01-file", "A file", "yes", "3", "1", "was shown",
    ]  # fmt: skip
    ip.run_cell("%lesson reset -o said").raise_error()
    assert "what it had made is removed" in str(ip.user_ns["said"])
    assert not (here / "made").exists()
    assert "not yet" in str(ip.run_cell("%lesson").result)


def test_a_typo_of_a_word_is_told_apart_from_an_exercise(ip: InteractiveShell, make: Make) -> None:
    make()
    error = ip.run_cell("%lesson progres").error_in_exec
    assert isinstance(error, OptionError)
    assert "did you mean %lesson progress?" in str(error)
    error = ip.run_cell("%lesson 01-fiel").error_in_exec
    assert "did you mean 01-file?" in str(error)


def test_tab_offers_exercises_and_words(make: Make, here: Path) -> None:
    make()
    (here / "quizzes").mkdir()
    (here / "quizzes/02-quiz.yaml").touch()

    assert texts("%lesson ")[:5] == ["01-file", "ls", "progress", "reset", "certificate"]
    assert texts("%lesson 0") == ["01-file"]
    assert texts("%lesson pro") == ["progress"]
    assert texts("%lesson reset 0") == texts("%check 0") == texts("%hint 0") == ["01-file"]
    assert texts("%quiz 0") == ["02-quiz"]


def test_a_reset_that_fails_says_so(ip: InteractiveShell, make: Make) -> None:
    make(reset__md="```cell\nprint('tried')\n1 / 0\n```\n")
    error = ip.run_cell("%lesson reset 01-file").error_in_exec
    assert isinstance(error, LessonError)
    assert "ZeroDivisionError" in str(error)
    assert "cell 1 of reset.md" in str(error)


def test_no_progress_can_be_kept(make: Make, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make()
    (here / "file").touch()
    monkeypatch.setenv("COURSE_PROGRESS", str(here / "file/progress.json"))
    report = learn.check("01-file")
    assert "✘ there is no file made" in str(report)
    assert "cannot be written" in str(report).splitlines()[-1]
    assert "step 1 of 3" in str(learn.hint("01-file"))
    assert "step 2 of 3" in str(learn.hint("01-file"))  # counted in this kernel


def test_it_works_in_a_plain_script(make: Make) -> None:
    make()
    code = (
        "import sys\nfrom course_magics.lessons import learn\n"
        "print(learn.check('01-file'))\n"
        "assert not {'IPython', 'ipywidgets', 'docker'} & set(sys.modules), 'heavy'\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "✘ there is no file made" in done.stdout


def test_files_of_the_state_are_the_notebooks_own(here: Path) -> None:
    (here / "a").write_bytes(b"\xff ok")
    assert State().file("a") == "� ok"
    assert State().file("b") is None
    assert State().file(".") is None
    assert State().machine("nowhere") is None
    assert State().http("http://127.0.0.1:9/") is None
    assert State().registry_tags("127.0.0.1:9", "x") is None


@pytest.mark.parametrize(
    "name", ["../x", "19", "19-Plug", "19-", "plugins", "19-a b", "19-a/b", ""]
)
def test_new_takes_only_names_of_the_form(here: Path, name: str) -> None:
    with pytest.raises(OptionError, match="not the name"):
        new(name)
    assert not (here / "exercises").exists()


def test_new_makes_what_is_missing(here: Path) -> None:
    (here / "19-mine.ipynb").touch()
    made = [str(p.relative_to(here)) for p in new("19-plugins")]
    assert "exercises/19-plugins/check.py" in made
    assert "quizzes/19-plugins.yaml" in made
    assert not [m for m in made if m.endswith(".ipynb")]
    assert "THING" not in (here / "exercises/19-plugins/check.py").read_text()
    assert find.exercise("19-plugins").hints
    with pytest.raises(LessonError, match="there already"):
        new("19-plugins")


def test_the_environment_is_as_it_was() -> None:
    assert not os.environ.get("COURSE_LESSON")

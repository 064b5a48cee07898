"""What a student hands in cannot steer the instructor's terminal, nor end a command in a traceback."""

from __future__ import annotations

import ast
import copy
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from course_magics import course
from course_magics.cli import main
from course_magics.course.book import read
from course_magics.course.lint import lint
from course_magics.errors import LessonError
from course_magics.lessons import State, overview, progress
from course_magics.lessons.exercise import Exercise
from course_magics.lessons.quiz import load
from course_magics.terminal import plain, say

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


def command(script: str, **more: str) -> subprocess.CompletedProcess[str]:
    """A shell's line with `$C` for `course-magics`."""
    program = "import sys; from course_magics.cli import main; sys.exit(main(sys.argv[1:]))"
    words = shlex.join([sys.executable, "-c", program])
    return subprocess.run(
        ["bash", "-c", script.replace("$C", words)],
        env={**os.environ, **more}, capture_output=True, text=True, errors="replace",
    )  # fmt: skip


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("words", ["measure", "measure no-such", "--help", "measure x y"])
def test_a_pipe_that_nobody_reads_ends_a_command_quietly(words: str, unbuffered: str) -> None:
    line = f"{{ sleep 0.3; $C {words} 2>&1; echo $? >&3; }} 3>&2 | true"
    done = command(line, PYTHONUNBUFFERED=unbuffered)
    assert done.stderr.split() in (
        ["141"],
        ["0"],
    )  # argparse says nothing of a pipe, in some Pythons


def test_a_locale_without_our_characters_is_no_fault(here: Path) -> None:
    """What comes first here is the name of the notebook."""
    shutil.copy(NOTEBOOKS / "02-docker.ipynb", here / "02-dö.ipynb")
    done = command("$C test --fast 02*.ipynb", PYTHONIOENCODING="ascii:strict")
    assert "Traceback" not in done.stderr
    assert "02-d?.ipynb" in done.stdout


def test_a_command_without_an_output_works() -> None:
    assert command("$C measure >&-").returncode == 0


def test_what_the_system_refuses_is_one_line_and_what_to_type(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("COURSE_CACHE", "/dev/null/x")
    monkeypatch.setenv("COURSE_STATE", str(tmp_path / "state"))
    assert main(["guest", "box"]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "cannot use /dev/null/x/guest: Not a directory",
        "  → COURSE_CACHE=/path/to/folder names another folder",
    ]
    with pytest.raises(SystemExit):
        main(["guest", "box", "extra"])


@pytest.mark.parametrize("run", [course.main, main])
def test_a_wrong_word_cannot_steer_the_terminal(
    run: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["docs"] if run is course.main else ["doctor"]
    for wrong in ([*words, ESCAPE], [*words, f"--{ESCAPE}"], [ESCAPE], [*words, "a\nb"]):
        with pytest.raises(SystemExit) as ended:
            run(wrong)
        assert ended.value.code == 2
        said = capsys.readouterr().err
        assert "error: " in said
        assert not set(said) & {"\x1b", "\x07", "\u202e"}
        assert "\nb" not in said


def test_only_regular_files_are_notebooks(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A pipe would be waited for: nobody writes to it."""
    (here / "book").mkdir()
    for pipe in ("x.ipynb", "book/00-x.ipynb"):
        os.mkfifo(here / pipe)
    for run, words in ((main, ["test", "--fast"]), (course.main, ["lint"])):
        assert run([*words, "x.ipynb"]) == 1
        assert "x.ipynb is no notebook: it is no regular file" in capsys.readouterr().err
        assert run([*words, "book"]) == 1
        assert "no notebooks in book" in capsys.readouterr().err
    shutil.copy(NOTEBOOKS / "02-docker.ipynb", here / "book/02-docker.ipynb")
    main(["test", "--fast", "book"])
    assert "1 notebook" in capsys.readouterr().out


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


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["slides", "--out", "out"], "cell 1 has no source"),
        (["timing", "--times", "times.json"], "cell 1 has no source"),
        (["lint"], "cell 1 has no source"),
        (["run", "--keep"], "cell 1 has no source"),
    ],
)
def test_each_word_says_which_file_is_malformed(
    words: list[str], said: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "times.json").write_text('{"seconds": {}}')
    (here / "a.ipynb").write_text('{"cells": [{"cell_type": "code"}]}')
    assert course.main([words[0], "a.ipynb", *words[1:]]) == 1
    shown = "".join(capsys.readouterr())
    assert f"a.ipynb: {said}" in shown
    assert "Traceback" not in shown


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"seconds": 1}', '{"seconds": {"a": "b"}}'])
def test_the_file_of_times_is_malformed(
    text: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "times.json").write_text(text)
    (here / "a.ipynb").write_text('{"cells": []}')
    assert course.main(["timing", "a.ipynb", "--times", "times.json"]) == 1
    assert "times.json cannot be read" in capsys.readouterr().err


QUIZ = (NOTEBOOKS / "quizzes/02-docker.yaml").read_text("utf-8")
JUNK = st.sampled_from(
    [
        *("2024-13-45", "!!float x", "!!python/none", "&a [*a]", "{", "- ", "\t", "\x00", "\ud800"),
        *("? [a]: b", "[" * 3000, "9" * 5000, ".inf", "{}: {}", "!!binary '*'", "<<: 1", "\r"),
    ]
)


@settings(max_examples=150, suppress_health_check=list(HealthCheck), deadline=None)
@given(st.integers(0, len(QUIZ)), st.integers(0, 40), JUNK)
def test_a_malformed_quiz_is_a_fault_of_that_quiz(
    tmp_path_factory: pytest.TempPathFactory, at: int, cut: int, junk: str
) -> None:
    file = tmp_path_factory.getbasetemp() / "mutated.yaml"
    text = QUIZ[:at] + junk + QUIZ[at + cut :]
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        load(file)
    except LessonError as error:
        assert "mutated" in error.message
        assert "\n" not in error.message


@pytest.mark.parametrize("junk", ["2024-13-45", "9" * 5000, "[" * 3000, "!!float x", "!!int ''"])
def test_what_yaml_itself_stumbles_over(junk: str, here: Path) -> None:
    (here / "a.yaml").write_text(f"title: {junk}\n")
    with pytest.raises(LessonError, match=r"^(a\.yaml|the quiz a)"):
        load(here / "a.yaml")


CHECK = """\
from course_magics.lessons import Finding, expect
def check(state):
    {}
"""


@pytest.mark.parametrize(
    "line",
    [
        "raise SystemExit(3)",
        "1 / 0",
        "yield expect(True, 'a', 'b', [])",
        "yield Finding(False, 'x', ['no name'])",
        "yield None",
        "return",
        "raise Exception('\\x1b[2J')",
        "break",
        "\x00",
    ],
)
def test_a_malformed_check_is_its_author_s_fault(line: str, tmp_path: Path) -> None:
    (tmp_path / "hints").mkdir()
    (tmp_path / "check.py").write_text(CHECK.format(line))
    try:
        found = Exercise("01-x", tmp_path).judge(State())
        assert [f.ok for f in found] == [True]
    except LessonError as error:
        assert "check.py of 01-x" in str(error)
        assert "\x1b" not in str(error)


@pytest.mark.parametrize("file", ["check.py", "task.md", "solution.md", "reset.md", "hints/a.md"])
def test_an_exercise_s_file_that_is_not_text(
    file: str, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COURSE_LESSONS", str(here))
    shutil.copytree(NOTEBOOKS / "exercises/02-docker", here / "exercises/02-docker")
    (here / "exercises/02-docker" / file).write_bytes(b"\xff\xfe")
    assert main(["lesson", "play", "--quiet", "02-docker"]) == 1
    said = "".join(capsys.readouterr())
    assert f"{file} of 02-docker cannot be read: it is not UTF-8" in said
    assert "02-docker" in str(overview.listed())


EVIL = {"form": 1, "exercises": {ESCAPE: {}}, "quizzes": {ESCAPE: {ESCAPE: {}}}}


@pytest.mark.parametrize("words", [["--format", "csv"], [], ["out", "--format", "csv"], ["out"]])
def test_progress_that_is_handed_in_cannot_steer_the_terminal(
    words: list[str],
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COURSE_PROGRESS", str(here / "progress.json"))
    (here / "progress.json").write_text(json.dumps(EVIL))
    assert main(["progress", "export", *words]) == 0
    text = (here / "out").read_text() if "out" in words else capsys.readouterr().out
    assert "owned" in text
    assert not set(text) & {"\x1b", "\x07", "\u202e"}


DONE = {
    "form": 1,
    "exercises": {"a": {"passed": "t", "checks": 1, "hints": {"h": 2}}},
    "quizzes": {"a": {"q": {"right": True, "first": False, "tries": 2}}},
}


@settings(max_examples=150, suppress_health_check=list(HealthCheck), deadline=None)
@given(
    st.sampled_from(paths(DONE)),
    st.sampled_from(
        [None, 0, "", "=1", "\ud800", [], {}, {"a": 1}, [None], True, 1e999, -1, 10**40]
    ),
)
def test_malformed_progress_is_a_fault_of_that_file(
    tmp_path_factory: pytest.TempPathFactory, path: list[Any], junk: Any
) -> None:
    """Whatever it holds: it is read, or said to be damaged and kept."""
    folder = tmp_path_factory.mktemp("progress")
    file = folder / "progress.json"
    text = json.dumps(broken(DONE, path, junk))
    file.write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COURSE_PROGRESS", str(file))
        patch.setenv("COURSE_LESSONS", str(folder))
        note = progress.load()[1]
        try:
            plain(overview.export("csv") + overview.export("json"))
        except LessonError as error:
            assert note and str(file) in error.message
        assert str(overview.overview())
        said = progress.change(lambda book: book.exercise("b"))
        assert bool(said) == bool(note)
        assert progress.load() == (progress.load()[0], "")
        kept = folder / "progress.damaged-1.json"
        assert kept.exists() == bool(note)
        assert not note or kept.read_text() == text


def test_only_say_prints() -> None:
    """What is printed goes through one place, which lets nothing else through."""
    package = Path(course.__file__).parents[1]
    allowed = {
        "terminal.py",  # it is that place
        "cli/measure.py",  # a line that is overwritten: its words are cleaned
        *("magics/base.py", "magics/measure.py"),  # in a notebook, by way of blocks
        *("magics/reference.py", "magics/docker_cli.py"),  # make pages of the docs
        "server.py",  # our own words in Jupyter's log
    }
    words = ("print", "sys.stdout.write", "sys.stderr.write")
    found = set()
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in words:
                found.add(path.relative_to(package).as_posix())
    assert found - allowed == set()

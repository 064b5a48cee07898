"""`%lesson`: begin an exercise, see what there is and how far it is done, start over."""

from __future__ import annotations

from typing import Any

from course_magics.errors import CourseError, LessonError, OptionError, closest
from course_magics.magics.grammar import Call, Flag, Magic, Word

_WORDS = ("ls", "progress", "reset", "certificate")


def _begin(call: Call) -> Any:
    from course_magics.lessons import find, learn, overview

    if not call.args:
        return overview.now()
    name = call.args[0]
    near = closest(name, _WORDS)
    if near and name not in find.exercises() and not closest(name, find.exercises()):
        raise OptionError(
            f"%lesson: neither a word nor an exercise: {name!r}",
            hint=f"did you mean %lesson {near}?",
        )
    return learn.begin(name)


def _ls(call: Call) -> Any:
    from course_magics.lessons import overview

    return overview.listed()


def _progress(call: Call) -> Any:
    from course_magics.lessons import overview

    return overview.overview()


def _reset(call: Call) -> Any:
    from course_magics.lessons import learn, overview

    if call.all:
        if call.args:
            raise OptionError("%lesson reset takes a NAME or --all, not both")
        said, note = overview.forget()
        return learn.Said(said, note=note)
    return learn.reset(call.args[0] if call.args else "", _play)


def _play(cell: str) -> None:
    """Run a cell in this kernel; what it prints is shown where it fails only. Raises its error."""
    from IPython import get_ipython
    from IPython.utils.capture import capture_output

    shell = get_ipython()
    if shell is None:
        raise LessonError("%lesson reset NAME works in a notebook only")
    with capture_output() as printed:
        result = shell.run_cell(cell, store_history=False)
    error = result.error_in_exec or result.error_before_exec
    if isinstance(error, CourseError):
        raise error
    if error is not None:
        words = (printed.stderr or printed.stdout).strip().splitlines()
        detail = "\n".join([*words[-5:], f"{type(error).__name__}: {error}"])
        raise LessonError("a cell of reset.md failed", detail=detail)


def _certificate(call: Call) -> Any:
    from course_magics.lessons.learn import Said
    from course_magics.lessons.overview import Certificate, overview

    found = Certificate(overview(), call.name or "")
    if not call.file:
        return found
    return Said(f"written: {found.write(call.file)}")


MAGIC = Magic(
    "lesson",
    "",
    (
        Word(
            "",
            "begin an exercise and show its task; without a name, the current one, or all of them",
            "[NAME]",
            offers=("exercise",),
            examples=("%lesson 00-start-here",),
            handler=_begin,
            otherwise=True,
        ),
        Word("ls", "the exercises there are", "", handler=_ls),
        Word(
            "progress",
            "how far you are: exercises, questions and hints of each notebook",
            "",
            handler=_progress,
        ),
        Word(
            "reset",
            "remove what an exercise has made, and forget its progress; without NAME, the current",
            "[NAME]",
            (Flag("--all", "forget all progress; nothing else is removed"),),
            offers=("exercise",),
            handler=_reset,
        ),
        Word(
            "certificate",
            "what you have done, and what is missing",
            "",
            (
                Flag("--name", "whose it is", "text", "NAME"),
                Flag("--file", "write it as a page of HTML", "text", "FILE"),
            ),
            examples=("%lesson certificate --name 'Ada Lovelace' --file done.html",),
            handler=_certificate,
        ),
    ),
)

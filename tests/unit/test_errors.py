"""Errors: a few lines, no traceback of ours, and the cell fails."""

import pickle

from IPython.core.interactiveshell import InteractiveShell

from course_magics.errors import ContainerError, CourseError, Interrupted, closest


def test_an_error_says_everything() -> None:
    error = ContainerError(
        "it failed", command="docker run x", status=3, detail="a\nb\n", hint="do this\nor that"
    )
    assert str(error).split("\n") == [
        "it failed",
        "  | a",
        "  | b",
        "  $ docker run x  (exit status 3)",
        "  → do this",
        "    or that",
    ]


def test_errors_survive_pickling() -> None:
    error = pickle.loads(pickle.dumps(ContainerError("x", status=2, hint="y")))
    assert (type(error), error.message, error.status, error.hint) == (ContainerError, "x", 2, "y")


def test_ipython_shows_no_traceback(ip: InteractiveShell, capsys) -> None:  # type: ignore[no-untyped-def]
    result = ip.run_cell("%container rnu")
    assert isinstance(result.error_in_exec, CourseError)
    shown = capsys.readouterr().out
    assert "did you mean %container run?" in shown
    assert "Traceback" not in shown
    assert "course_magics/" not in shown


def test_an_interrupt_is_a_keyboard_interrupt_too() -> None:
    assert isinstance(Interrupted("x"), KeyboardInterrupt)
    assert isinstance(Interrupted("x"), CourseError)


def test_closest() -> None:
    assert closest("busibox", ["busybox", "debian"]) == "busybox"
    assert closest("qqq", ["busybox"]) is None

"""A program's last words arrive, also on a busy computer; a child that lives on holds nobody up."""

import sys
import time

from course_magics import process


def test_last_words_of_a_program_that_has_ended_are_waited_for(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    """A slow reader stands for a busy computer: the program ends before its words are read."""
    real = process.os.read

    def slow(descriptor: int, size: int) -> bytes:
        time.sleep(0.4)
        return real(descriptor, size)

    monkeypatch.setattr(process.os, "read", slow)
    code = "import sys; print('out'); print('err', file=sys.stderr)"
    assert process.capture([sys.executable, "-c", code]) == (0, "out\n", "err\n")


def test_a_child_that_keeps_the_pipes_open_is_not_waited_for() -> None:
    begun = time.monotonic()
    status, out, _ = process.capture(["sh", "-c", "echo said; sleep 30 &"])
    assert (status, out) == (0, "said\n")
    assert time.monotonic() - begun < 10

"""Waits end when nothing moves, however long the whole takes."""

from __future__ import annotations

import time

import pytest

from course_magics import settings
from course_magics.errors import CourseError
from course_magics.patience import Patience, until


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_what_moves_is_waited_for():
    clock = Clock()
    patience = Patience(5, clock=clock)
    for step in range(100):
        clock.now += 4
        patience.saw(step)
        assert not patience.over


def test_what_stands_still_is_not():
    clock = Clock()
    patience = Patience(5, clock=clock)
    patience.saw("state")
    clock.now += 4
    patience.saw("state")
    assert not patience.over
    clock.now += 1
    patience.saw("state")
    assert patience.over


def test_a_process_that_was_stopped_itself_does_not_give_up():
    clock = Clock()
    patience = Patience(15, clock=clock)
    patience.saw("state")
    clock.now += 3600
    patience.saw("state")
    assert not patience.over


def test_until_gives_what_came_or_none():
    answers = iter([None, 0, "there"])
    assert until(lambda: next(answers), pause=0) == "there"
    assert until(lambda: None, seconds=0.05, pause=0.01) is None


def test_the_setting_is_the_default(monkeypatch):
    monkeypatch.setattr(settings.current(), "patience", 7)
    assert Patience().seconds == 7


def test_giving_up_names_what_did_not_come():
    with pytest.raises(CourseError, match="the page: nothing has moved for 1 s") as error:
        until(lambda: None, seconds=1, pause=0.01, what="the page")
    assert "CourseMagics.patience" in str(error.value)


def test_until_goes_on_while_the_sign_changes():
    steps = iter(range(1000))
    begun = time.monotonic()
    found = until(
        lambda: time.monotonic() - begun > 0.5,
        sign=lambda: next(steps),
        seconds=0.2,
        pause=0.01,
    )
    assert found, "longer than 0.2 s in all, but it moved"

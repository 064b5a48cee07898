"""Moments as docker's client prints them: in the reader's own time zone."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from course_magics.containers.listing import stamp


@pytest.fixture
def _zone(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", request.param)
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize(
    ("_zone", "text"),
    [
        ("UTC", "2026-11-28 11:22:30 +0000 UTC"),
        ("America/St_Johns", "2026-11-28 07:52:30 -0330 NST"),
        ("Asia/Kathmandu", "2026-11-28 17:07:30 +0545 +0545"),
    ],
    indirect=["_zone"],
)
@pytest.mark.usefixtures("_zone")
def test_a_moment(text: str) -> None:
    """As Go's time.Time.String has it: a zone without an abbreviation gives its offset twice."""
    assert stamp(1795864950) == text

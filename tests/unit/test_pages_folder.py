"""Pages are written over nothing of the reader's, and over those of the last time."""

from __future__ import annotations

from pathlib import Path

import pytest

from course_magics.course import slides
from course_magics.course.run import run
from course_magics.course.site import lay
from course_magics.errors import CourseError


def test_pages_are_written_over_nothing_of_the_reader_s(tmp_path: Path) -> None:
    for folder in (tmp_path / "out", tmp_path / "docs-source"):
        folder.mkdir()
        (folder / "index.html").write_text("the reader's")
    with pytest.raises(CourseError, match="was not made by course-magics"):
        slides.make([], tmp_path / "out")
    with pytest.raises(CourseError, match="was not made by course-magics"):
        lay(Path(__file__).parents[2], tmp_path / "docs-source")
    book = tmp_path / "out/a.ipynb"
    book.write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')
    before = book.read_text()
    with pytest.raises(CourseError, match=r"holds a\.ipynb"):
        run([book], tmp_path / "out")
    assert book.read_text() == before
    assert (tmp_path / "out/index.html").read_text() == "the reader's"


def test_what_was_made_before_is_written_anew(tmp_path: Path) -> None:
    for _ in range(2):
        slides.make([], tmp_path / "slides")
    (tmp_path / "slides/index.html").unlink()
    slides.make([], tmp_path / "slides")
    assert (tmp_path / "slides/index.html").exists()

"""A registry's folder: what somebody else has put there stays, and 0.1.0's registries open."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from course_magics import storage
from course_magics.course import slides
from course_magics.course.run import run
from course_magics.course.site import lay
from course_magics.errors import CourseError, RegistryError
from course_magics.registry import server
from course_magics.registry.place import Facts, Place

MINE = ("config.yml", "password", "htpasswd", "registry.log", "registry.json")


def theirs(folder: Path) -> dict[str, str]:
    """A folder of the reader's own, with names that a registry has, too."""
    folder.mkdir(parents=True)
    folder.chmod(0o755)
    for name in MINE:
        (folder / name).write_text(f"the reader's {name}")
    (folder / "data").mkdir()
    (folder / "data" / "thesis.txt").write_text("years of work")
    return seen(folder)


def seen(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): p.read_text() for p in folder.rglob("*") if p.is_file()}


def test_what_is_in_the_named_folder_stays(tmp_path: Path) -> None:
    before = theirs(tmp_path / "mine")
    place = Place(tmp_path / "mine")
    place.make()
    place.unprotect()
    storage.write_json(place.config, server.settings(Facts(5000), str(place.data), "x"))
    place.remember(Facts(5000))
    place.forget()
    place.remove()
    assert seen(tmp_path / "mine") == before
    assert (tmp_path / "mine").stat().st_mode & 0o777 == 0o755


def test_a_folder_of_that_name_without_our_mark_is_refused(tmp_path: Path) -> None:
    before = theirs(tmp_path / "course-registry")
    place = Place(tmp_path)
    with pytest.raises(RegistryError, match="was not made by course-magics") as caught:
        place.make()
    assert "--folder" in str(caught.value.hint)
    place.remove()
    assert seen(tmp_path / "course-registry") == before


def test_a_registry_of_0_1_0_is_opened_where_it_is(tmp_path: Path) -> None:
    """Its files, as that version wrote them: right in the named folder, and without a mark."""
    old = tmp_path / "class"
    (old / "data/docker").mkdir(parents=True)
    (old / "data/docker/blob").write_text("an image")
    config = {"storage": {"filesystem": {"rootdirectory": str(old / "data")}}}
    (old / "config.yml").write_text(json.dumps(config))
    (old / "password").write_text("secret\n")
    place = Place(old)
    place.make()
    assert place.data == old / "data"
    assert (place.data / "docker/blob").read_text() == "an image"
    place.remove()
    assert not old.exists()


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


def test_a_state_folder_full_of_other_things_keeps_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """COURSE_STATE may name any folder; `registry` in it is somebody's own."""
    monkeypatch.setenv("COURSE_STATE", str(tmp_path))
    before = theirs(tmp_path / "registry")
    with pytest.raises(RegistryError, match="was not made by course-magics"):
        Place().make()
    Place().remove()
    assert seen(tmp_path / "registry") == before

"""`make clean` removes what setup made, and nothing else, whatever the environment says."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The project's front door, in a folder with blanks."""
    folder = tmp_path / "a course"
    (folder / ".ci").mkdir(parents=True)
    shutil.copy(ROOT / "Makefile", folder)
    shutil.copy(ROOT / ".ci/clean", folder / ".ci")
    (folder / "build").mkdir()
    return folder


def clean(project: Path, *words: str, **environment: str) -> str:
    done = subprocess.run(
        ["make", "clean", *words],
        cwd=project,
        env={
            **os.environ,
            "HOME": str(project),
            "XDG_STATE_HOME": str(project / "s"),
            **environment,
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def folder(place: Path, *, made: bool = False) -> Path:
    place.mkdir(parents=True)
    (place / "thesis.txt").write_text("years of work")
    if made:
        (place / ".course-magics-made").touch()
    return place


def test_an_environment_of_the_reader_s_own_stays(project: Path, tmp_path: Path) -> None:
    theirs = folder(tmp_path / "their own")
    said = clean(project, f"VENV={theirs}")
    assert (theirs / "thesis.txt").exists()
    assert "stays: make setup did not create it" in said
    assert not (project / "build").exists()


def test_the_environment_is_not_asked(project: Path, tmp_path: Path) -> None:
    theirs = folder(tmp_path / "from the environment", made=True)
    clean(project, VENV=str(theirs))
    assert (theirs / "thesis.txt").exists()


def test_what_setup_made_goes(project: Path) -> None:
    made = folder(project / ".venv", made=True)
    assert "removed .venv" in clean(project)
    assert not made.exists()


def test_machines_in_folders_with_blanks_are_destroyed(project: Path, tmp_path: Path) -> None:
    """vagrant is a stand-in here: which folders it is called in is what counts."""
    for place in ("notebooks/machines/my first", "notebooks/machines/-f"):
        (project / place / ".vagrant").mkdir(parents=True)
    (project / "notebooks/mine/.vagrant").mkdir(parents=True)
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "vagrant").write_text(f'#!/bin/sh\necho "$PWD $*" >>"{tmp_path}/called"\n')
    (programs / "vagrant").chmod(0o755)
    clean(project, PATH=f"{programs}:{os.environ['PATH']}")
    called = (tmp_path / "called").read_text().splitlines()
    assert sorted(line.rpartition("/")[2] for line in called) == [
        "-f destroy -f",
        "my first destroy -f",
    ]
    assert (project / "notebooks/mine").exists()

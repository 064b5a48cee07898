"""One process at a time, and no trace of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from course_magics import runtime
from course_magics.alone import alone

_COUNT = """
import sys, pathlib
from course_magics.alone import alone
file = pathlib.Path(sys.argv[1])
for _ in range(200):
    with alone(file):
        file.write_text(str(int(file.read_text()) + 1))
"""


def test_nobody_comes_between(tmp_path: Path) -> None:
    """A lock file that is removed while others wait for it must not let two of them in."""
    count = tmp_path / "count"
    count.write_text("0")
    many = [subprocess.Popen([sys.executable, "-c", _COUNT, str(count)]) for _ in range(6)]
    assert [one.wait() for one in many] == [0] * 6
    assert count.read_text() == "1200"


def test_no_lock_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "shared_folder", lambda: tmp_path)
    with alone(tmp_path / "file"):
        assert len(list(tmp_path.iterdir())) == 1
    assert list(tmp_path.iterdir()) == []


def test_an_error_gives_the_place_free(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="mine"), alone(tmp_path):
        raise ValueError("mine")
    with alone(tmp_path):
        pass

"""Files that must survive: whole or untouched, set aside and not deleted, locked or refused."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from pathlib import Path

import pytest

from course_magics import storage
from course_magics.errors import CourseError


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_is_replaced_whole(tmp_path):
    file = tmp_path / "state.json"
    storage.write_atomic(file, "one")
    assert (file.read_text(), mode(file)) == ("one", 0o600)
    file.chmod(0o644)
    storage.write_json(file, {"a": 1})
    assert (storage.read_json(file), mode(file)) == ({"a": 1}, 0o644)
    assert [p.name for p in tmp_path.iterdir()] == ["state.json"]


def test_a_failing_write_leaves_the_old_file(tmp_path, monkeypatch):
    file = tmp_path / "state.json"
    storage.write_atomic(file, "old")

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)  # a full disk, which cannot be had on demand here
    with pytest.raises(OSError):
        storage.write_atomic(file, "new")
    assert file.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["state.json"]


def test_a_link_stays_a_link(tmp_path):
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_text("old")
    link.symlink_to(real)
    storage.write_atomic(link, "new")
    assert link.is_symlink()
    assert real.read_text() == "new"


@pytest.mark.parametrize("text", ["", '{"a": ', "[1]", "\xff"])
def test_a_cut_off_file_is_told_from_a_missing_one(tmp_path, text):
    file = tmp_path / "state.json"
    assert storage.read_json(file) is None
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError):
        storage.read_json(file)


def test_set_aside_never_overwrites(tmp_path):
    places = set()
    for content in "abc":
        (tmp_path / "disk").write_text(content)
        places.add(storage.set_aside(tmp_path / "disk"))
    assert sorted(p.read_text() for p in places) == ["a", "b", "c"]


def test_a_private_folder_is_private_up_to_what_was_there(tmp_path):
    tmp_path.chmod(0o755)
    storage.private_folder(tmp_path / "a" / "b")
    assert [mode(tmp_path / p) for p in (".", "a", "a/b")] == [0o755, 0o700, 0o700]
    (tmp_path / "a").chmod(0o755)
    storage.private_folder(tmp_path / "a")
    assert mode(tmp_path / "a") == 0o700


def test_a_lock_is_held_until_closed(tmp_path):
    first = storage.lock(tmp_path / "lock")
    assert storage.lock(tmp_path / "lock", wait=False) is None
    first.close()
    storage.lock(tmp_path / "lock", wait=False).close()


def test_a_file_system_without_locks_is_told(tmp_path, monkeypatch):
    def no_locks(file: object, how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)  # such a mount cannot be had here
    with pytest.raises(CourseError, match="no file locks") as caught:
        storage.lock(tmp_path / "lock")
    assert "COURSE_STATE" in caught.value.hint


def test_trust_is_git_s(tmp_path):
    folder = tmp_path / "f"
    folder.mkdir()
    assert storage.trusted(folder)
    folder.chmod(0o777)
    assert not storage.trusted(folder)
    assert not storage.trusted(Path("/tmp"))
    assert not storage.trusted(tmp_path / "missing")


@pytest.mark.skipif(os.getuid() != 0, reason="gives a file to another user")
def test_another_user_s_file_is_not_trusted(tmp_path, monkeypatch):
    file = tmp_path / "file"
    file.touch()
    os.chown(file, 65534, 65534)
    assert not storage.trusted(file)
    monkeypatch.setenv("SUDO_UID", "65534")
    assert storage.trusted(file)

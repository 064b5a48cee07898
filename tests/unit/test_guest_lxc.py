"""The tar of LXC that notebook 11 copies into its machine."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from course_magics.guest import lxc


def _file(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x")


def test_what_the_course_uses_and_no_more(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    for name in ("usr/bin/lxc-start", "usr/bin/lxc-top", "usr/share/doc/lxc/copyright"):
        _file(tree / name)
    _file(tree / "usr/lib/x86_64-linux-gnu/liblxc.so.1.7.0")
    (tree / "usr/lib/x86_64-linux-gnu/liblxc.so.1").symlink_to("liblxc.so.1.7.0")
    _file(tree / "usr/share/lxc/config/common.conf")
    _file(tree / "lib/systemd/system/lxc.service")
    lxc.write(tree, tmp_path / "lxc.tar")
    with tarfile.open(tmp_path / "lxc.tar") as made:
        assert made.getnames() == [
            "usr/bin/lxc-start",
            "usr/lib/x86_64-linux-gnu/liblxc.so.1",
            "usr/lib/x86_64-linux-gnu/liblxc.so.1.7.0",
            "usr/share/lxc/config/common.conf",
        ]
        assert made.getmember("usr/lib/x86_64-linux-gnu/liblxc.so.1").issym()
        assert {member.uname for member in made} == {"root"}


def test_it_is_put_into_a_machines_folder_where_it_has_been_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lxc, "tar_path", lambda: tmp_path / "cached.tar")
    assert not lxc.put(tmp_path)
    lxc.write(tmp_path / "tree", tmp_path / "cached.tar")
    assert lxc.put(tmp_path)
    assert (tmp_path / "lxc.tar").read_bytes() == (tmp_path / "cached.tar").read_bytes()

"""The base images' parts that need no engine."""

from __future__ import annotations

import dataclasses
import tarfile
from io import BytesIO
from pathlib import Path

import pytest

from course_magics.errors import OptionError
from course_magics.guest import bases
from course_magics.guest.bases import BASES, difference, write_busybox
from course_magics.guest.images import _wanted, _write_context


def _tar(path: Path, entries: dict[str, tuple[int, bytes]], links: dict[str, str]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, (mode, content) in entries.items():
            member = tarfile.TarInfo(name)
            member.mode, member.size = mode, len(content)
            tar.addfile(member, BytesIO(content))
        for name, target in links.items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            tar.addfile(member)
    return path


def test_a_layer_holds_what_is_new_or_changed(tmp_path: Path) -> None:
    lower = _tar(
        tmp_path / "lower.tar",
        {"same": (0o644, b"1"), "text": (0o644, b"1"), "mode": (0o644, b"1")},
        {"link": "same", "moved": "same"},
    )
    upper = _tar(
        tmp_path / "upper.tar",
        {
            "same": (0o644, b"1"), "text": (0o644, b"2"), "mode": (0o755, b"1"),
            "new": (0o600, b"3"),
        },
        {"link": "same", "moved": "text"},
    )  # fmt: skip
    difference(lower, upper, tmp_path / "layer.tar")
    with tarfile.open(tmp_path / "layer.tar") as layer:
        assert sorted(layer.getnames()) == ["mode", "moved", "new", "text"]
        stream = layer.extractfile("text")
        assert stream is not None
        assert stream.read() == b"2"


def test_busyboxs_file_system_is_the_same_each_time(tmp_path: Path) -> None:
    write_busybox(tmp_path / "1.tar", b"program", ["sh", "busybox", "ls"])
    write_busybox(tmp_path / "2.tar", b"program", ["ls", "sh"])
    assert (tmp_path / "1.tar").read_bytes() == (tmp_path / "2.tar").read_bytes()
    with tarfile.open(tmp_path / "1.tar") as tar:
        assert tar.getmember("bin/sh").linkname == "busybox"
        assert tar.getmember("bin/busybox").isfile()
        assert tar.getmember("tmp").mode == 0o1777


def test_hashes_follow_the_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    before = {name: base.hash for name, base in BASES.items()}
    debian = BASES["course/debian"]
    changed = dataclasses.replace(debian, inputs=(*debian.inputs, "more"))
    monkeypatch.setitem(bases.BASES, "course/debian", changed)
    after = {name: base.hash for name, base in BASES.items()}
    assert after["course/debian"] != before["course/debian"]
    assert after["course/python"] != before["course/python"], "it lies on course/debian"
    assert after["course/busybox"] == before["course/busybox"]


def test_every_image_has_its_dockerfile() -> None:
    for base in BASES.values():
        assert "ADD rootfs.tar /" in base.dockerfile
        assert f"ARG BASE={base.parent or 'scratch'}\n" in base.dockerfile


def test_names_bring_their_parents_first() -> None:
    assert _wanted(["python"]) == ["course/debian", "course/python"]
    assert _wanted(["course/busybox", "busybox"]) == ["course/busybox"]
    assert _wanted(None) == [name for name, base in BASES.items() if not base.optional]
    with pytest.raises(OptionError, match="no base image pythn") as caught:
        _wanted(["pythn"])
    assert caught.value.hint == "did you mean course/python?"


def test_the_context_of_an_official_image_adds_nothing() -> None:
    buffer = BytesIO()
    _write_context(buffer, "FROM x\n", None)
    buffer.seek(0)
    with tarfile.open(fileobj=buffer) as tar:
        assert tar.getnames() == ["Dockerfile", "rootfs.tar"]
        inner = tar.extractfile("rootfs.tar")
        assert inner is not None
        with tarfile.open(fileobj=inner) as rootfs:
            assert rootfs.getnames() == []

"""Our reader of tar headers beside Python's tarfile and GNU tar; what is broken is called so."""

import contextlib
import gzip
import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_magics.containers.layers.tar import BrokenTar, Member, Source, gunzipped, members

FORMATS = (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)


def source(data: bytes, piece: int = 1 << 20) -> Source:
    """`data`, coming in pieces of at most so many bytes."""
    stream = io.BytesIO(data)
    return Source(lambda most: stream.read(min(most, piece)))


def found(data: bytes, piece: int = 1 << 20) -> list[tuple[str, str, int, str]]:
    return [(m.name, m.kind, m.size, m.target) for m in members(source(data, piece))]


def packed(infos: list[tarfile.TarInfo], kind: int) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=kind) as tar:
        for info in infos:
            tar.addfile(info, io.BytesIO(b"x" * info.size) if info.isreg() else None)
    return out.getvalue()


def info(
    name: str, kind: bytes = tarfile.REGTYPE, size: int = 0, link: str = ""
) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.size, made.linkname = kind, size, link
    return made


EVERYTHING = [
    info("a", size=5),
    info("empty"),
    info("just a block", size=512),
    info("folder", tarfile.DIRTYPE),
    info("folder/größe 容器", size=513),
    info("hard", tarfile.LNKTYPE, link="a"),
    info("soft", tarfile.SYMTYPE, link="/else/where"),
    info("pipe", tarfile.FIFOTYPE),
    info("null", tarfile.CHRTYPE),
]
AS_READ = [
    ("a", "file", 5, ""),
    ("empty", "file", 0, ""),
    ("just a block", "file", 512, ""),
    ("folder", "dir", 0, ""),
    ("folder/größe 容器", "file", 513, ""),
    ("hard", "link", 0, "a"),
    ("soft", "symlink", 0, "/else/where"),
    ("pipe", "fifo", 0, ""),
    ("null", "device", 0, ""),
]


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("piece", [1, 7, 512, 1 << 20])
def test_every_kind_of_member_in_every_format(kind: int, piece: int) -> None:
    read = found(packed(EVERYTHING, kind), piece)
    assert [(n.rstrip("/"), k, s, t) for n, k, s, t in read] == AS_READ


@pytest.mark.parametrize("kind", FORMATS[1:])
def test_long_names_and_targets(kind: int) -> None:
    name, link = "d/" * 200 + "n" * 250, "t" * 4000
    data = packed([info(name, size=3), info("l", tarfile.SYMTYPE, link=link), info("after")], kind)
    assert found(data) == [
        (name, "file", 3, ""),
        ("l", "symlink", 0, link),
        ("after", "file", 0, ""),
    ]


def test_a_long_name_in_two_parts() -> None:
    name = "p" * 120 + "/" + "n" * 90
    assert found(packed([info(name)], tarfile.USTAR_FORMAT)) == [(name, "file", 0, "")]


def test_a_name_that_is_no_utf8_and_one_with_control_characters() -> None:
    name = os.fsdecode(b"\xff\xfe") + "\x1b[31m\n"
    assert found(packed([info(name)], tarfile.GNU_FORMAT))[0][0] == name


@pytest.mark.parametrize(
    "version", ["gnu", "posix --sparse-version=0.1", "posix --sparse-version=1.0"]
)
def test_a_sparse_file_as_gnu_tar_stores_it(tmp_path: Path, version: str) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        for hole in range(40):  # more holes than one header names
            file.seek(hole * 1_000_000)
            file.write(b"x" * 4096)
    (tmp_path / "after").write_text("after")
    words = ["tar", "-S", "-C", str(tmp_path), *f"--format={version}".split(), "-cf", "-"]
    data = subprocess.run([*words, "sparse", "after"], capture_output=True, check=True).stdout
    assert len(data) < 1_000_000  # so it was stored with its holes
    assert found(data) == [("sparse", "file", 39_004_096, ""), ("after", "file", 5, "")]


def test_a_size_beyond_octal_digits() -> None:
    header = bytearray(packed([info("large")], tarfile.GNU_FORMAT)[:512])
    header[124:136] = (1 << 95 | 9_000_000_000).to_bytes(12, "big")
    header[148:156] = b"%06o\0 " % (sum(header) - sum(header[148:156]) + 256)
    first = next(iter(members(source(bytes(header)))))
    assert first == Member("large", "file", 9_000_000_000, 9_000_000_000, "")


def test_whoever_reads_a_part_of_a_member_gets_the_next_one_all_the_same() -> None:
    stream = source(packed([info("a", size=2000), info("b", size=3)], tarfile.PAX_FORMAT), 100)
    names = []
    for member in members(stream):
        names.append(member.name)
        assert stream.peek(2) == b"xx"
        assert len(stream.take(2)) == 2
    assert names == ["a", "b"]


@pytest.mark.parametrize("piece", [1, 1000, 1 << 20])
def test_gzip_also_in_several_parts(piece: int) -> None:
    data = packed(EVERYTHING, tarfile.PAX_FORMAT)
    compressed = gzip.compress(data[:5000]) + gzip.compress(data[5000:])
    read = [m.size for m in members(gunzipped(source(compressed, piece)))]
    assert read == [size for _, _, size, _ in AS_READ]


GOOD = packed([info("a", size=5000), info("b" * 300, size=10)], tarfile.PAX_FORMAT)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (GOOD[:300], "middle of a header"),
        (GOOD[:3000], "middle of a file"),
        (b"no tar at all" * 100, "header is damaged"),
        (GOOD[:100] + b"?" + GOOD[101:], "header is damaged"),
        (GOOD[:7000], "middle of"),
    ],
)
def test_what_is_broken_is_called_so(data: bytes, words: str) -> None:
    with pytest.raises(BrokenTar, match=words):
        found(data)


def test_broken_compression() -> None:
    data = bytearray(gzip.compress(GOOD))
    data[len(data) // 2] ^= 0xFF
    with pytest.raises(BrokenTar):
        list(members(gunzipped(source(bytes(data)))))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=2000), st.integers(0, len(GOOD) - 1), st.integers(0, 255))
def test_no_bytes_end_in_anything_but_members_or_broken_tar(
    noise: bytes, at: int, byte: int
) -> None:
    changed = bytearray(GOOD)
    changed[at] = byte
    for data in (noise, bytes(changed), GOOD[:at] + noise):
        with contextlib.suppress(BrokenTar):
            found(data)

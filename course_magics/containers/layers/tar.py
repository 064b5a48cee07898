"""The names and sizes in a tar stream, read once from front to back; no file's content is kept.

Python's own tarfile needs 100 µs and more for a member, longer than the engine needs to send most
of an image's files, so the header is read here. The format: POSIX pax, "ustar Interchange Format"
(https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html), and what GNU tar adds
(https://www.gnu.org/software/tar/manual/html_node/Standard.html).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

_BLOCK = 512
_PIECE = 1 << 20
#: A long name or a set of pax records larger than this (bytes) is no name any more.
_LONGEST = 1 << 20
_KINDS = {
    **dict.fromkeys((b"0", b"\0", b"7", b"S"), "file"),
    b"1": "link",
    b"2": "symlink",
    b"3": "device",
    b"4": "device",
    b"5": "dir",
    b"6": "fifo",
}


class BrokenTar(Exception):
    """The stream is no tar file, or ends in the middle. The message says which."""


class Member(NamedTuple):
    """One member. size: of its content, in bytes; stored: how many of them the stream holds."""

    name: str
    kind: str  # file, dir, link, symlink, device, fifo
    size: int
    stored: int
    target: str


class Source:
    """Bytes from `read`, taken or skipped in order. size: where it ends (None: where `read` does).

    read: called with a number of bytes; returns at most so many, b"" at the end.
    """

    def __init__(self, read: Callable[[int], bytes], size: int | None = None) -> None:
        self._read = read
        self._left = size  # what has not been read yet
        self._piece = b""
        self._at = 0
        self._before = 0  # bytes that came before this piece

    @property
    def position(self) -> int:
        """How many bytes have been taken or skipped."""
        return self._before + self._at

    def _fill(self) -> bool:
        wanted = _PIECE if self._left is None else min(_PIECE, self._left)
        self._before += len(self._piece)
        self._piece = self._read(wanted) if wanted else b""
        self._at = 0
        if self._left is not None:
            self._left -= len(self._piece)
        return bool(self._piece)

    def some(self, most: int) -> bytes:
        """Between 1 and `most` bytes; b"" at the end."""
        if self._at == len(self._piece) and not self._fill():
            return b""
        piece = self._piece[self._at : self._at + most]
        self._at += len(piece)
        return piece

    def take(self, count: int) -> bytes:
        """Just `count` bytes; fewer only at the end."""
        end = self._at + count
        if end <= len(self._piece):  # nearly always
            piece = self._piece[self._at : end]
            self._at = end
            return piece
        parts = []
        while count and (part := self.some(count)):
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    def peek(self, count: int) -> bytes:
        """The next `count` bytes (fewer only at the end), which stay."""
        data = self.take(count)
        self._before = self.position - len(data)
        self._piece = data + self._piece[self._at :]
        self._at = 0
        return data

    def skip(self, count: int) -> None:
        """Leave out `count` bytes. Raises BrokenTar when there are fewer."""
        end = self._at + count
        if end <= len(self._piece):
            self._at = end
            return
        while count:
            part = self.some(count)
            if not part:
                raise BrokenTar("it ends in the middle of a file")
            count -= len(part)

    def checksum(self, count: int) -> int:
        """The CRC-32 of the next `count` bytes, which are left out."""
        value = 0
        while count:
            part = self.some(count)
            if not part:
                raise BrokenTar("it ends in the middle of a file")
            value = zlib.crc32(part, value)
            count -= len(part)
        return value


def gunzipped(source: Source) -> Source:
    """`source` without its gzip compression (also several gzip files in a row)."""
    engine = zlib.decompressobj(wbits=31)
    pending = b""

    def read(most: int) -> bytes:
        nonlocal engine, pending
        while True:
            if not pending:
                pending = source.some(1 << 16)
            if engine.eof:
                if not pending.strip(b"\0"):
                    return b""
                engine = zlib.decompressobj(wbits=31)
            if not pending:
                return b""
            try:
                piece = engine.decompress(pending, most)
            except zlib.error as error:
                raise BrokenTar(f"its compression is broken: {error}") from None
            pending = engine.unconsumed_tail or engine.unused_data
            if piece:
                return piece

    return Source(read)


def is_header(block: bytes) -> bool:
    """Whether `block` is a tar header (512 bytes with the right checksum)."""
    if len(block) < _BLOCK or not block[0]:
        return False
    try:
        told = int(block[148:156].strip(b" \0") or b"0", 8)
    except ValueError:
        return False
    return sum(block) - sum(block[148:156]) + 256 == told


def members(source: Source) -> Iterator[Member]:
    """The members of the tar in `source`.

    Whoever iterates may read a member's content (`stored` bytes) from `source` before the next
    one; what is left of it is skipped. Raises BrokenTar.
    """
    records: dict[str, str] = {}  # what pax or GNU headers say of the member that follows
    while True:
        block = source.take(_BLOCK)
        if not block or (not block[0] and not any(block)):
            return  # a block of zeros ends it; some writers leave even that out
        if len(block) < _BLOCK:
            raise BrokenTar("it ends in the middle of a header")
        if not is_header(block):
            raise BrokenTar("a header is damaged")
        flag = block[156:157]
        if flag in b"LKxXg":
            records.update(_extension(flag, _number(block[124:136]), source))
            continue
        member = _member(flag, block, records, source)
        begun = source.position
        yield member
        source.skip(member.stored - (source.position - begun) + -member.stored % _BLOCK)
        records = {}


def _extension(flag: bytes, size: int, source: Source) -> dict[str, str]:
    """What a header that is no member of its own says of the next one."""
    if size > _LONGEST:
        raise BrokenTar("a name is longer than any name")
    data = source.take(size)
    source.skip(-size % _BLOCK)
    if flag == b"g":
        return {}  # of all that follow: nothing of a name or a size
    if flag in b"LK":
        return {"path" if flag == b"L" else "linkpath": _text(data)}
    return _records(data)


def _member(flag: bytes, block: bytes, records: dict[str, str], source: Source) -> Member:
    path = records.get("GNU.sparse.name") or records.get("path") or _name(block)
    kind = _KINDS.get(flag, "file")
    if kind == "file" and path.endswith("/"):
        kind = "dir"  # so it was written before POSIX
    target = records.get("linkpath") or _text(block[157:257])
    if kind != "file":
        return Member(path, kind, 0, 0, target)
    size = stored = _whole(records.get("size"), _number(block[124:136]))
    if flag == b"S":  # GNU's sparse file: only what is not empty is stored
        size = _number(block[483:495])
        more = bool(block[482])
        while more:
            more = source.take(_BLOCK)[504:505] == b"\1"
    size = _whole(records.get("GNU.sparse.realsize", records.get("GNU.sparse.size")), size)
    return Member(path, kind, size, stored, "")


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def _name(block: bytes) -> str:
    prefix = _text(block[345:500]) if block[257:263] == b"ustar\0" else ""
    return f"{prefix}/{_text(block[:100])}" if prefix else _text(block[:100])


def _number(field: bytes) -> int:
    """A number in octal digits, or, where those do not suffice, GNU's binary form."""
    if field[0] & 0x80:
        return int.from_bytes(field, "big") & ~(1 << (8 * len(field) - 1))
    try:
        return int(field.strip(b" \0") or b"0", 8)
    except ValueError:
        raise BrokenTar("a size is no number") from None


def _whole(text: str | None, otherwise: int) -> int:
    if text is None:
        return otherwise
    if not text.isdecimal():
        raise BrokenTar("a size is no number")
    return int(text)


def _records(data: bytes) -> dict[str, str]:
    """Pax records: "LENGTH NAME=VALUE\\n", the length being that of the whole record."""
    found: dict[str, str] = {}
    while data.strip(b"\0"):
        length, space, _ = data.partition(b" ")
        if not space or not length.isdigit() or not len(length) < int(length) <= len(data):
            raise BrokenTar("a pax record is damaged")
        name, _, value = data[len(length) + 1 : int(length) - 1].partition(b"=")
        found[_text(name)] = value.decode("utf-8", "surrogateescape")
        data = data[int(length) :]
    return found

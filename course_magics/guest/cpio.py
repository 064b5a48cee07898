"""A writer of cpio archives ("newc"), the format of a Linux initial RAM disk.

Written here because the `cpio` tool is one more thing to install, and because this one writes
the same bytes for the same input.
"""

from __future__ import annotations


class Cpio:
    """Collects entries; `bytes()` gives the archive. Everything belongs to root, time is 0."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._inode = 0

    def folder(self, name: str, mode: int = 0o755) -> None:
        self._entry(name, 0o040000 | mode, b"")

    def file(self, name: str, content: bytes, mode: int = 0o644) -> None:
        self._entry(name, 0o100000 | mode, content)

    def link(self, name: str, target: str) -> None:
        self._entry(name, 0o120777, target.encode())

    def node(self, name: str, major: int, minor: int, mode: int = 0o600) -> None:
        """A character device."""
        self._entry(name, 0o020000 | mode, b"", major, minor)

    def __bytes__(self) -> bytes:
        whole = Cpio()
        whole._data = bytearray(self._data)
        whole._entry("TRAILER!!!", 0, b"")
        return bytes(whole._data)

    def _entry(self, name: str, mode: int, content: bytes, major: int = 0, minor: int = 0) -> None:
        self._inode += 1
        raw = name.encode() + b"\0"
        fields = (
            self._inode, mode, 0, 0, 1, 0, len(content), 0, 0, major, minor, len(raw), 0,
        )  # fmt: skip
        self._data += b"070701" + b"".join(b"%08X" % field for field in fields) + raw
        self._pad()
        self._data += content
        self._pad()

    def _pad(self) -> None:
        self._data += b"\0" * (-len(self._data) % 4)

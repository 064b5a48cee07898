"""Fetching a guest over HTTP: verified, in one step, and the cache is untouched by a failure."""

from __future__ import annotations

import functools
import hashlib
import http.server
import json
import struct
import tarfile
import threading
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest

from course_magics.errors import DiskFull, MachineError, OptionError
from course_magics.guest.build import installed_guest
from course_magics.guest.fetch import fetch_guest, pack_guest
from course_magics.guest.model import FORMAT, Guest


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        if self.path == "/short.tar":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"only this")
        else:
            super().do_GET()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    folder = tmp_path / "served"
    folder.mkdir()
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("course_magics.guest.build.qemu_version", lambda: "0.0")
    return tmp_path / "cache/guest"


def _guest(folder: Path, hash_: str = "0123456789abcdef") -> Guest:
    folder.mkdir()
    files = {"kernel": "vmlinuz", "initrd": "initrd.img", "disk": "disk.qcow2"}
    for name in files.values():
        (folder / name).write_bytes(name.encode() * 1000)
    (folder / files["disk"]).write_bytes(b"QFI\xfb\0\0\0\3" + bytes(1000))
    data = {"format": FORMAT, "hash": hash_, "files": files}
    (folder / "guest.json").write_text(json.dumps(data))
    return Guest.load(folder)


def _left(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.iterdir() if path.name != ".lock")


def test_a_packed_guest_arrives(served: tuple[Path, str], cache: Path, tmp_path: Path) -> None:
    folder, url = served
    guest = _guest(tmp_path / "made")
    digest = pack_guest(guest, folder / "guest.tar")
    lines: list[str] = []
    fetched = fetch_guest(f"{url}/guest.tar", digest.upper(), lines.append)
    assert fetched.folder == cache / guest.hash
    assert fetched.disk.read_bytes() == guest.disk.read_bytes()
    assert lines == [f"installed guest {guest.hash}"]
    found = installed_guest()
    assert found is not None
    assert found.folder == fetched.folder
    assert _left(cache) == [guest.hash, "fetched"]
    fetch_guest(f"{url}/guest.tar", digest, lines.append)
    assert _left(cache) == [guest.hash, "fetched"]


def test_a_wrong_sum_installs_nothing(
    served: tuple[Path, str], cache: Path, tmp_path: Path
) -> None:
    folder, url = served
    pack_guest(_guest(tmp_path / "made"), folder / "guest.tar")
    with pytest.raises(MachineError, match="not what was promised") as caught:
        fetch_guest(f"{url}/guest.tar", "0" * 64, print)
    assert "expected SHA-256 000" in str(caught.value)
    assert _left(cache) == []


@pytest.mark.parametrize("name", ["missing.tar", "short.tar"])
def test_a_failing_download_installs_nothing(
    served: tuple[Path, str], cache: Path, name: str
) -> None:
    with pytest.raises(MachineError, match="download of"):
        fetch_guest(f"{served[1]}/{name}", "0" * 64, print)
    assert _left(cache) == []


def test_nobody_listens(cache: Path) -> None:
    with pytest.raises(MachineError, match="download of"):
        fetch_guest("http://127.0.0.1:1/guest.tar", "0" * 64, print)


@pytest.mark.parametrize(
    ("url", "digest"), [("http://x/y", "12"), ("http://x/y", "g" * 64), ("/etc/passwd", "0" * 64)]
)
def test_malformed_arguments(cache: Path, url: str, digest: str) -> None:
    with pytest.raises(OptionError):
        fetch_guest(url, digest, print)


@pytest.mark.parametrize(
    "kind",
    [
        "outside",
        "link",
        "no guest",
        "no tar",
        "bad hash",
        "nul",
        "known key",
        "odd disk",
        "odd device",
    ],
)
def test_odd_archives_install_nothing(
    served: tuple[Path, str], cache: Path, tmp_path: Path, kind: str
) -> None:
    folder, url = served
    archive = folder / "odd.tar"
    if kind == "no tar":
        archive.write_bytes(b"not a tar" * 100)
    elif kind == "bad hash":
        pack_guest(_guest(tmp_path / "made", "../../etc"), archive)
    elif kind == "odd disk":  # whose base is another file of this computer
        guest = _guest(tmp_path / "made")
        base = b"/etc/shadow"
        head = struct.pack(">4sIQI", b"QFI\xfb", 3, 200, len(base))
        guest.disk.write_bytes(head.ljust(200, b"\0") + base)
        pack_guest(guest, archive)
    elif kind in ("known key", "odd device"):
        guest = _guest(tmp_path / "made")
        odd = {"format": 1} if kind == "known key" else {"machine_args": ["-drive", "file=/x"]}
        (guest.folder / "guest.json").write_text(json.dumps({**guest.data, **odd}))
        pack_guest(guest, archive)
    else:
        with tarfile.open(archive, "w") as tar:
            member = tarfile.TarInfo("../out" if kind == "outside" else "vmlinuz")
            if kind == "nul":
                member.pax_headers = {"path": "a\0b"}
            if kind == "link":
                member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
            tar.addfile(member, BytesIO())
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    with pytest.raises(MachineError):
        fetch_guest(f"{url}/odd.tar", digest, print)
    assert _left(cache) == []
    assert not (cache.parent / "out").exists()


def test_a_full_disk_is_no_fault_of_the_download(
    served: tuple[Path, str], small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, url = served
    (folder / "big.tar").write_bytes(bytes(300_000))
    digest = hashlib.sha256(bytes(300_000)).hexdigest()
    monkeypatch.setenv("COURSE_CACHE", str(small_disk))
    with pytest.raises(DiskFull, match="no space left on the disk"):
        fetch_guest(f"{url}/big.tar", digest, print)

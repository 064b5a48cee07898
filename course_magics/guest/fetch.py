"""`course-magics guest fetch`: a guest that was made elsewhere, verified and put into the cache."""

from __future__ import annotations

import hashlib
import http.client
import re
import shutil
import tarfile
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import BinaryIO

from course_magics import storage
from course_magics.errors import MachineError, OptionError
from course_magics.guest import allowed
from course_magics.guest.build import clear_unfinished, guest_folder, locked, move_in
from course_magics.guest.model import Guest
from course_magics.guest.procs import Say
from course_magics.patience import limit
from course_magics.storage import disk_full, is_full

_BLOCK = 1 << 20


def pack_guest(guest: Guest, target: Path) -> str:
    """Write `guest` to the tar file `target`, as `fetch_guest` reads it; return its SHA-256."""
    with tarfile.open(target, "w") as tar:
        for name in ("guest.json", *guest.files.values()):
            tar.add(guest.folder / name, arcname=name)
    digest = hashlib.sha256()
    with target.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def fetch_guest(url: str, sha256: str, say: Say) -> Guest:
    """Download a guest packed by `pack_guest` from `url` (http, https or file) and install it.

    sha256: what the file's SHA-256 has to be, 64 hex digits; nothing is unpacked before it is
    proved. Returns the guest that is used from now on. OptionError for a malformed argument,
    MachineError when the download fails or the content is not the promised one; the cache is then
    as it was before.
    """
    expected = sha256.strip().lower()
    if not re.fullmatch(r"[0-9a-f]{64}", expected):
        raise OptionError(
            "A SHA-256 has 64 hex digits.", hint="sha256sum FILE prints the one of a file"
        )
    if not re.match(r"(https?|file)://", url):
        raise OptionError(f"Not an address that can be fetched: {url}")
    folder = guest_folder()
    with locked(folder, say):
        clear_unfinished(folder)
        work = Path(tempfile.mkdtemp(prefix=".building-", dir=folder))
        try:
            archive = work / "guest.tar"
            found = _download(url, archive, say)
            if found != expected:
                raise MachineError(
                    "What was downloaded is not what was promised; it has been removed.",
                    detail=f"expected SHA-256 {expected}\nfound            {found}",
                )
            result = work / "guest"
            result.mkdir()
            _unpack(archive, result)
            guest = Guest.load(result)
            if not re.fullmatch(r"[0-9a-f]{16}", guest.hash):
                raise MachineError("The guest that was fetched has no proper hash.")
            if not guest.keyless:
                raise MachineError(
                    "The guest that was fetched lets in whoever has Vagrant's published key.",
                    hint="course-magics guest build makes one that does not",
                )
            allowed.check_disks(guest.folder, guest.files)
            guest = move_in(guest, folder)
            storage.write_atomic(folder / "fetched", guest.hash + "\n", mode=0o644)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    say(f"installed guest {guest.hash}")
    return guest


def _download(url: str, target: Path, say: Say) -> str:
    """Write what `url` gives to `target`, return its SHA-256; say how far it is every 2 s."""
    try:
        with urllib.request.urlopen(url, timeout=limit()) as answer, target.open("wb") as out:
            size = int(answer.headers.get("Content-Length") or 0)
            return _copy(answer, out, size, say)
    except (OSError, ValueError, http.client.HTTPException) as error:
        if is_full(error):
            raise disk_full(target) from None
        raise MachineError(f"The download of {url} failed.", detail=str(error)) from error


def _copy(source: BinaryIO, target: BinaryIO, size: int, say: Say) -> str:
    digest, done, said = hashlib.sha256(), 0, time.monotonic()
    while block := source.read(_BLOCK):
        digest.update(block)
        target.write(block)
        done += len(block)
        if time.monotonic() - said > 2:
            said = time.monotonic()
            total = f" of {size / 1e6:.0f}" if size else ""
            say(f"  {done / 1e6:.0f}{total} MB")
    if size and done != size:
        raise OSError(f"the connection ended after {done} of {size} bytes")
    return digest.hexdigest()


def _unpack(archive: Path, target: Path) -> None:
    """Unpack plain files only, and none outside `target`."""
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                name = member.name
                if not member.isfile() or name in ("", ".", "..") or "/" in name or "\0" in name:
                    raise MachineError(f"The guest's archive holds something odd: {name}")
                stream = tar.extractfile(member)
                assert stream is not None
                with (target / name).open("xb") as out:
                    shutil.copyfileobj(stream, out, _BLOCK)
    except (tarfile.TarError, OSError, ValueError, EOFError) as error:
        if is_full(error):
            raise disk_full(target) from None
        raise MachineError("The guest's archive cannot be read.", detail=str(error)) from error

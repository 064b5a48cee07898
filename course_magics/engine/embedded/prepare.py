"""Making the snapshot that every embedded engine starts from: dockerd running, images loaded.

Done once, at installation (`course-magics engine prepare`) or when the first engine is needed.
The folder of a snapshot looks like the state folder of an engine that has been stopped.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import secrets
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from dataclasses import dataclass
from importlib.resources import files as package_files
from io import BytesIO
from pathlib import Path
from typing import Any

from course_magics import storage
from course_magics.engine.embedded import guest_side
from course_magics.engine.embedded.files import Files, own_folder, prepared_folder
from course_magics.engine.embedded.hardware import CPUS, INIT, MEMORY_MB
from course_magics.errors import CourseError, MachineError
from course_magics.guest.bases import BASES
from course_magics.guest.build import build_guest, clear_unfinished, installed_guest, locked
from course_magics.guest.debs import unpack
from course_magics.guest.images import IMAGES
from course_magics.guest.launch import Machine as Booted
from course_magics.guest.model import Guest, check_size, duplicate
from course_magics.guest.procs import Say, need, run
from course_magics.terminal import ready, say

#: Counted up when the way of making it changes without any of its inputs.
_REVISION = 2
#: A newer Docker than the guest's own: it starts a container with fewer processes. Its programs
#: run with the libraries of Debian 12 (runc does not, so the guest's crun serves).
_SUITE = "trixie"
_PROGRAMS = {
    "docker.io": ("usr/sbin/dockerd",),
    "containerd": ("usr/bin/containerd", "usr/bin/containerd-shim-runc-v2"),
}
#: The engine's own folder in the machine: not below one that is shared with this computer.
_OWN = "/usr/local/lib/course"
#: Where the files of the folder `inside` go.
_PLACES = {
    "course-engine.sh": (INIT, 0o755),
    "crun.sh": (f"{_OWN}/bin/crun", 0o755),
    "guard.sh": (f"{_OWN}/bin/guard", 0o755),
    "containerd.toml": (f"{_OWN}/containerd.toml", 0o644),
    "sshd.conf": ("/etc/ssh/sshd_config.d/course.conf", 0o644),
}
#: What to do about a snapshot that is not whole.
_AGAIN = "course-magics engine prepare makes it again"
#: Done before the snapshot, so that what a first container needs is in memory already.
_WARM_UP = ("course/busybox", "course/debian", "course/python", "course/busybox", "course/busybox")


@dataclass(frozen=True)
class Prepared:
    """A snapshot. data: its prepared.json (id, hash, versions, seconds, hardware, sizes)."""

    folder: Path
    data: dict[str, Any]

    @classmethod
    def load(cls, folder: Path, *, memory: bool = True) -> Prepared:
        """The one in `folder`; MachineError where it is not whole. memory: False: not looked at."""
        try:
            data = storage.read_json(folder / "prepared.json")
        except (OSError, ValueError) as error:
            raise MachineError(f"no snapshot of an engine in {folder}", hint=_AGAIN) from error
        if data is None:
            raise MachineError(f"no snapshot of an engine in {folder}", hint=_AGAIN)
        found = cls(folder, data)
        Guest.load(folder)
        sizes = data.setdefault("sizes", {})
        for file in (found.state, found.disk) if memory else (found.disk,):
            if not file.is_file():
                raise MachineError(f"the snapshot in {folder} lacks {file.name}", hint=_AGAIN)
            if file.name not in sizes:  # version 0.1.0 did not note them
                if file == found.state:
                    raise MachineError(f"nobody knows whether {file} is whole", hint=_AGAIN)
                sizes[file.name] = _checked_size(file)
            check_size(file, sizes[file.name], hint=_AGAIN)
        return found

    @classmethod
    def newest(cls) -> Prepared | None:
        """The snapshot of this version, else the last one made before; None without any."""
        folder = prepared_folder()
        wanted = wanted_hash()
        found = []
        for place in folder.glob("[!.]*/prepared.json"):
            with contextlib.suppress(MachineError, OSError):
                prepared = cls.load(place.parent)
                # One of version 0.1.0 has a key in it, which whoever can read it has as well.
                if not (place.parent / "key").exists():
                    found.append(((prepared.hash == wanted, place.stat().st_mtime), prepared))
        return max(found, key=lambda pair: pair[0])[1] if found else None

    def keep_in(self, folder: Path) -> None:
        """Put into `folder` what a disk on this snapshot needs. Raises OSError."""
        self.guest.keep_in(folder)
        duplicate(self.disk, folder / self.disk.name)
        storage.write_json(folder / "prepared.json", self.data, mode=0o644)

    @property
    def guest(self) -> Guest:
        return Guest.load(self.folder)

    @property
    def hash(self) -> str:
        return str(self.data["hash"])

    @property
    def id(self) -> str | None:
        """Its own, random: two of the same inputs differ. None: one that version 0.1.0 has made."""
        found = self.data.get("id")
        return str(found) if found else None

    @property
    def hardware(self) -> dict[str, Any]:
        """What its memory was saved in."""
        return dict(self.data["hardware"])

    @property
    def disk(self) -> Path:
        return self.folder / "engine.qcow2"

    @property
    def state(self) -> Path:
        return self.folder / "engine.state"

    @property
    def key(self) -> Path:
        """Only older ones have it."""
        return self.folder / "key"


def _checked_size(disk: Path) -> int:
    """How long a disk has to be, by its own tables. MachineError where these are not whole."""
    words = [need("qemu-img"), "check", "-U", "-f", "qcow2", "--output=json", str(disk)]
    done = subprocess.run(words, capture_output=True, text=True, errors="replace", check=False)
    with contextlib.suppress(ValueError, KeyError):
        found = json.loads(done.stdout)
        if not found.get("corruptions") and not found["check-errors"]:
            return int(found["image-end-offset"])
    raise MachineError(f"{disk} is cut off", detail=done.stderr.strip()[-500:], hint=_AGAIN)


def wanted_hash() -> str | None:
    """16 hex digits for all that this version's snapshot is made from; None without a guest."""
    try:
        guest = installed_guest()
    except MachineError:
        return None
    return None if guest is None else _hash(guest)


def _hash(guest: Guest) -> str:
    inputs = [
        _REVISION, guest.hash, guest.data["ssh_host_keys"], _SUITE, _PROGRAMS, _inside(),
        [(name, BASES[name].hash) for name in IMAGES], MEMORY_MB, CPUS, _WARM_UP,
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:16]


def _inside() -> dict[str, str]:
    """The machine's own files, by name."""
    folder = package_files("course_magics.engine.embedded") / "inside"
    return {name: (folder / name).read_text("utf-8") for name in _PLACES}


def prepare(say: Say, force: bool = False) -> Prepared:
    """Make the snapshot of this version, or return the one there is.

    say: gets a line for each thing done. Takes two to four minutes on two cores, the guest
    included. MachineError or EngineError where a tool is missing or a step fails.
    """
    guest = build_guest(say)
    folder = prepared_folder()
    with locked(folder, say):
        wanted = _hash(guest)
        if not force and (newest := Prepared.newest()) is not None and newest.hash == wanted:
            return newest
        # Never in the place of another one: engines' disks may lie on that.
        target = folder / f"{wanted}-{secrets.token_hex(4)}"
        clear_unfinished(folder)
        work = Path(tempfile.mkdtemp(prefix=".building-", dir=folder))
        try:
            _make(guest, work, target.name, say)
            work.rename(target)
            storage.sync_folder(folder)
            _forget_old(folder, target)
            return Prepared.load(target)
        finally:
            shutil.rmtree(work, ignore_errors=True)


def _forget_old(folder: Path, new: Path) -> None:
    """Remove all but the new one, the one before it, and those that disks may lie on.

    Engines keep what their disks need; those of version 0.1.0 did not, and its snapshots stay.
    """
    in_use = None
    with contextlib.suppress(OSError, ValueError, KeyError):
        in_use = Path(json.loads((own_folder() / "base.json").read_text())["folder"])
    others = []
    for place in folder.glob("[!.]*/prepared.json"):
        with contextlib.suppress(MachineError, OSError):
            if place.parent not in (new, in_use) and Prepared.load(place.parent).id is not None:
                others.append((place.stat().st_mtime, place.parent))
    for _, old in sorted(others)[:-1]:
        shutil.rmtree(old, ignore_errors=True)


def _make(guest: Guest, work: Path, name: str, say: Say) -> None:
    begun = time.monotonic()
    say("making the embedded engine")
    guest.keep_in(work)  # the disk lies on the guest's, which must not change or go
    files = Files(work)
    with tempfile.TemporaryDirectory(prefix="course-engine-") as unpacked:
        versions = unpack(_SUITE, tuple(_PROGRAMS), Path(unpacked), say)
        say("putting dockerd into the machine")
        _install(guest, files, Path(unpacked))
    hardware = asyncio.run(_first_run(guest, files, say))
    files.nothing.rmdir()
    for file in (files.disk, files.saved):
        file.chmod(0o444)  # every engine's disk is its own
        storage.sync_file(file)
    data = {
        "id": name.rpartition("-")[2], "hash": _hash(guest), "hardware": hardware,
        "versions": versions, "seconds": round(time.monotonic() - begun, 1),
        "sizes": {file.name: file.stat().st_size for file in (files.disk, files.saved)},
    }  # fmt: skip
    storage.write_json(work / "prepared.json", data, mode=0o644)
    size = sum(f.stat().st_size for f in (files.disk, files.saved)) / 1e6
    say(f"the embedded engine is made: {data['seconds']:.0f} s, {size:.0f} MB")


def _install(guest: Guest, files: Files, unpacked: Path) -> None:
    """Boot the plain guest once and put the engine's files on its disk."""
    archive = files.folder / "inside.tar"
    with tarfile.open(archive, "w") as tar:
        for names in _PROGRAMS.values():
            for name in names:
                tar.add(
                    unpacked / name, f"usr/local/lib/course/bin/{Path(name).name}", filter=_of_root
                )
        for name, text in _inside().items():
            place, mode = _PLACES[name]
            _add(tar, place.lstrip("/"), text, mode)
        _add(tar, guest_side.AUTHORIZED.lstrip("/"), "", 0o644)
    with Booted(guest, disk=files.disk) as machine:
        machine.wait_ssh()
        machine.send(archive, "sudo tar -C / --no-same-owner --keep-directory-symlink -xf -")
        # The key of this one boot opens nothing any more.
        machine.ssh("sudo rm -f /home/vagrant/.ssh/authorized_keys; sync")
        machine.quit()
    # By name alone: the copy beside it stays when the guest's own folder goes.
    base = guest.files["disk"]
    run(["qemu-img", "rebase", "-u", "-f", "qcow2", "-F", "qcow2", "-b", base, files.disk])
    archive.unlink()


def _of_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    return member


def _add(tar: tarfile.TarFile, name: str, text: str, mode: int) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(text.encode()), mode
    tar.addfile(member, BytesIO(text.encode()))


async def _first_run(guest: Guest, files: Files, say: Say) -> dict[str, Any]:
    """Boot the engine, load the images, run a few containers, and save all that."""
    from course_magics.engine.embedded import memory
    from course_magics.engine.embedded.machine import Machine, Settings

    machine = Machine(files, Settings(folders=False))
    try:
        await machine.start(say, guest=guest)
        await machine.run(guest_side.KEEP_ROOM)
        await asyncio.to_thread(_load_images, files, say)
        # Only what containers need shall be in memory: not what loading the images left there.
        await machine.run("sync; echo 1 > /proc/sys/vm/drop_caches")
        await asyncio.to_thread(_warm_up, files)
        # What is free is told to QEMU within two seconds, and not saved.
        await machine.run("sync; fstrim / || :; echo 1 > /proc/sys/vm/compact_memory; sleep 4")
        await machine.run(guest_side.LET_NOBODY_IN)
        files.forget_key()
        say("saving its memory")
    except BaseException:
        await machine.stop(save=False)
        raise
    await machine.stop(save=True)
    hardware = memory.of(files)
    if hardware is None:
        raise MachineError("the machine's memory could not be saved")
    memory.unmark(files)  # nothing is written to this disk any more
    return hardware


def _load_images(files: Files, say: Say) -> None:
    import docker

    from course_magics.guest.images import build_images

    api = docker.APIClient(f"unix://{files.docker}", version="auto", timeout=600)
    build_images(api, say)
    api.close()


def _warm_up(files: Files) -> None:
    import docker

    api = docker.APIClient(f"unix://{files.docker}", version="auto", timeout=600)
    for image in _WARM_UP:
        made = api.create_container(image, ["true"], host_config=api.create_host_config())
        api.start(made)
        api.wait(made)
        api.remove_container(made)
    dockerfile = BytesIO(b"FROM course/busybox\nRUN true\nRUN echo\n")
    for _ in api.build(fileobj=dockerfile, rm=True, forcerm=True, tag="warm-up:1"):
        pass
    api.remove_image("warm-up:1")
    api.close()


if __name__ == "__main__":  # as a process of its own: a kernel has an event loop already
    ready()
    try:
        prepare(say)
    except CourseError as error:
        sys.exit("\n".join(error.lines()))

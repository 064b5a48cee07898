"""`course-magics guest build`: the whole way from Debian packages to a guest folder."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from course_magics import storage
from course_magics.errors import MachineError
from course_magics.guest import guestfiles, recipe
from course_magics.guest.disk import Tree, kernel_name, make_disk, make_initrd
from course_magics.guest.model import FORMAT, NAME, Guest, cache_dir
from course_magics.guest.procs import Say, qemu_version, run
from course_magics.guest.rootfs import debootstrap
from course_magics.guest.snapshot import take_snapshot

_FILES = {
    "kernel": "vmlinuz",
    "initrd": "initrd.img",
    "disk": "disk.qcow2",
    "ready_disk": "ready.qcow2",
    "ready_state": "ready.state",
}


def guest_folder() -> Path:
    """Where the guests are kept, one folder for each hash."""
    return cache_dir() / "guest"


def installed_guest() -> Guest | None:
    """The guest that was fetched, else the one made by this version of the recipe, else None."""
    folder = guest_folder()
    for name in (*_fetched(folder), recipe.recipe_hash(qemu_version())):
        with contextlib.suppress(MachineError):
            if (guest := Guest.load(folder / name)).keyless:
                return guest
    return None


def _fetched(folder: Path) -> list[str]:
    """Name of the folder that `guest fetch` brought last, if any."""
    try:
        return [(folder / "fetched").read_text(encoding="ascii").strip()]
    except OSError:
        return []


def build_guest(say: Say, force: bool = False) -> Guest:
    """Make the guest, or return the one fetched or made before from the same inputs.

    force: make it in any case, and forget the fetched one.

    say: gets a line for each thing done. Takes about a minute and a half on two cores, 1.5 GB of
    temporary files and 500 MB in the end. Safe to be called by several processes at once.
    MachineError where a tool is missing (the hint says which package) or a step fails.
    """
    if platform.machine() != "x86_64":
        raise MachineError(
            f"The guest can be made on x86_64 only, not on {platform.machine()}.",
            hint="course-magics guest fetch URL --sha256 HEX brings one made elsewhere",
        )
    folder = guest_folder()
    if not force and (guest := installed_guest()) is not None:
        return guest
    with locked(folder, say):
        if not force and (guest := installed_guest()) is not None:
            return guest
        clear_unfinished(folder)
        work = Path(tempfile.mkdtemp(prefix=".building-", dir=folder))
        try:
            guest = _build(work, say)
            # Asked for here, the recipe is what counts, not what was fetched before.
            (folder / "fetched").unlink(missing_ok=True)
            guest = move_in(guest, folder)
            _forget_old(folder, guest)
            return guest
        finally:
            shutil.rmtree(work, ignore_errors=True)


@contextlib.contextmanager
def locked(folder: Path, say: Say) -> Iterator[None]:
    """Hold the lock of `folder`, waiting for another process that has it."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = storage.lock(folder / ".lock", wait=False)
    if lock is None:
        say("another process is making it; waiting")
        lock = storage.lock(folder / ".lock")
    assert lock is not None
    with lock:
        yield


def clear_unfinished(folder: Path) -> None:
    """Remove what interrupted builds left. Call it with the lock held."""
    for left in folder.glob(".building-*"):
        shutil.rmtree(left, ignore_errors=True)


def move_in(guest: Guest, folder: Path) -> Guest:
    """Give a finished guest its place in the cache, in one step."""
    target = folder / guest.hash
    for name in ("guest.json", *guest.files.values()):
        storage.sync_file(guest.folder / name)
    storage.sync_folder(guest.folder)
    if target.exists():
        # Machines that run hold the old files open; their overlays need the same bytes, though.
        old = Path(tempfile.mkdtemp(prefix=".building-", dir=folder))
        target.rename(old / "old")
        guest.folder.rename(target)
        storage.sync_folder(folder)
        shutil.rmtree(old, ignore_errors=True)
    else:
        guest.folder.rename(target)
        storage.sync_folder(folder)
    return Guest.load(target)


def _forget_old(folder: Path, new: Guest) -> None:
    """Remove all guests but the new one and the one before it, which machines may still use."""
    others = [path.parent for path in folder.glob("*/guest.json") if path.parent != new.folder]
    others.sort(key=lambda path: path.stat().st_mtime)
    for path in others[:-1]:
        shutil.rmtree(path, ignore_errors=True)


def _build(work: Path, say: Say) -> Guest:
    seconds: dict[str, float] = {}
    version = qemu_version()
    result, scratch = work / "guest", work / "scratch"
    result.mkdir()
    scratch.mkdir()

    say(f"making {NAME} from Debian packages ({recipe.SUITE})")
    rootfs = scratch / "rootfs.tar"
    with _timed(seconds, "packages"):
        debootstrap(
            rootfs,
            suite=recipe.SUITE,
            packages=recipe.PACKAGES,
            say=say,
            epoch=recipe.EPOCH,
            files=guestfiles.FILES,
            setup=guestfiles.SETUP,
            excluded=recipe.EXCLUDED,
            included=recipe.INCLUDED,
        )
    with _timed(seconds, "kernel"), tarfile.open(rootfs) as tar:
        tree = Tree(tar)
        (result / _FILES["kernel"]).write_bytes(tree.read(kernel_name(tree)))
        (result / _FILES["initrd"]).write_bytes(make_initrd(tree))
        packages = _packages(tree.read("var/lib/dpkg/status").decode())
        keys = [
            tree.read(name).decode().rsplit(" ", 1)[0]
            for name in tree.names("etc/ssh")
            if name.startswith("etc/ssh/ssh_host_") and name.endswith(".pub")
        ]
    say("writing the disk image")
    with _timed(seconds, "disk"):
        make_disk(rootfs, result / _FILES["disk"], scratch)

    data: dict[str, Any] = {
        "format": FORMAT,
        "name": NAME,
        "hash": recipe.recipe_hash(version),
        "files": {role: _FILES[role] for role in ("kernel", "initrd", "disk")},
        "machine": recipe.MACHINE,
        "machine_args": list(recipe.MACHINE_ARGS),
        "accel": recipe.ACCEL,
        "cpu_model": recipe.CPU_MODEL,
        "memory_mb": recipe.MEMORY_MB,
        "cpus": recipe.CPUS,
        "append": recipe.APPEND,
        "snapshot": None,
        "qemu_version": version,
        "ssh_user": "vagrant",
        "ssh_host_keys": keys,
        "nics": {"net0": "eth0", "net1": "eth1"},
        "disk_gb": recipe.DISK_GB,
        "packages": packages,
        "built_by": _own_version(),
    }
    ready = result / _FILES["ready_disk"]
    with _timed(seconds, "snapshot"):
        figures = take_snapshot(Guest(result, data), ready, result / _FILES["ready_state"], say)
    # By name alone, so that the folder can be moved and packed.
    run(["qemu-img", "rebase", "-u", "-f", "qcow2", "-F", "qcow2", "-b", _FILES["disk"], ready])
    data |= {
        "files": _FILES,
        "snapshot": "ready",
        "boot": figures,
        "seconds": seconds,
        "sizes": {name: (result / name).stat().st_size for name in _FILES.values()},
    }
    for name in _FILES.values():
        # Nobody has any business writing to them: every machine has an overlay of its own.
        (result / name).chmod(0o444)
    text = json.dumps(data, indent=1, sort_keys=True)
    (result / "guest.json").write_text(text + "\n", encoding="utf-8")
    total = sum(data["sizes"].values()) / 1e6
    say(f"{NAME} is made: {sum(seconds.values()):.0f} s, {total:.0f} MB")
    return Guest.load(result)


@contextlib.contextmanager
def _timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    start = time.monotonic()
    yield
    seconds[name] = round(time.monotonic() - start, 1)


def _packages(status: str) -> dict[str, str]:
    """Versions of the installed packages, from the text of dpkg's status file."""
    found = {}
    for stanza in status.split("\n\n"):
        fields = dict(
            line.split(": ", 1) for line in stanza.splitlines() if ": " in line and line[0] != " "
        )
        if fields.get("Status", "").endswith(" installed"):
            found[fields["Package"]] = fields["Version"]
    return found


def _own_version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("course-magics")
    except PackageNotFoundError:
        return os.environ.get("COURSE_VERSION", "unknown")

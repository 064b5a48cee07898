"""The Vagrant box `course/debian12`: the guest folder, as `vagrant box add` wants it."""

from __future__ import annotations

import contextlib
import io
import json
import os
import tarfile
import tempfile
from pathlib import Path

from course_magics.errors import MachineError
from course_magics.guest.build import build_guest, guest_folder, locked
from course_magics.guest.model import NAME, Guest
from course_magics.guest.procs import Say, need, run

PROVIDER = "qemu"
_VAGRANTFILE = """\
# Defaults of the box course/debian12; a course's Vagrantfile overrides them.
Vagrant.configure("2") do |config|
  config.ssh.username = "vagrant"
  # Named, or Vagrant finds out by asking over ssh whether it is one of forty others: 13 s.
  config.vm.guest = :debian
  # Without hardware virtualization a cold boot of a busy host takes a while.
  config.vm.boot_timeout = 300
  # Where it ends earlier, Vagrant pulls the plug; the guest itself gives each of its programs 10 s.
  config.vm.graceful_halt_timeout = 300
end
"""


def vagrant_home() -> Path:
    """Where Vagrant keeps its boxes: $VAGRANT_HOME, else ~/.vagrant.d."""
    home = os.environ.get("VAGRANT_HOME")
    return Path(home).expanduser() if home else Path.home() / ".vagrant.d"


def installed_box() -> Path | None:
    """Folder of the installed box (that has a whole guest in it), or None.

    An older one, which takes Vagrant's published key, does not count.
    """
    folder = vagrant_home() / "boxes" / NAME.replace("/", "-VAGRANTSLASH-")
    for path in sorted(folder.glob("**/guest.json")):
        # Newer Vagrants put the architecture between provider and files.
        if PROVIDER in path.relative_to(folder).parts:
            with contextlib.suppress(MachineError):
                if (guest := Guest.load(path.parent)).keyless:
                    return guest.folder
    return None


def pack_box(guest: Guest, target: Path) -> None:
    """Write the box of `guest` to `target`: a plain tar, because its disk is compressed already."""
    metadata = {
        "provider": PROVIDER,
        "format": "qcow2",
        "virtual_size": guest.data["disk_gb"],
        "architecture": "amd64",
        "course_hash": guest.hash,
    }
    with tarfile.open(target, "w") as tar:
        _add(tar, "metadata.json", json.dumps(metadata))
        _add(tar, "Vagrantfile", _VAGRANTFILE)
        for name in ("guest.json", *guest.files.values()):
            tar.add(guest.folder / name, arcname=name)


def _add(tar: tarfile.TarFile, name: str, text: str) -> None:
    content = text.encode()
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), 0o644
    tar.addfile(member, io.BytesIO(content))


def ensure_box(say: Say, force: bool = False) -> Path:
    """See to it that Vagrant has the box of the current guest; build the guest where needed.

    Returns the folder of the installed box. Does nothing when the installed box is of the same
    hash already (unless `force`). MachineError where vagrant is missing or refuses the box.
    """
    need("vagrant")
    guest = build_guest(say)
    with locked(guest_folder(), say):
        installed = installed_box()
        if installed is not None and not force and _same(installed, guest):
            return installed
        say(f"adding the box {NAME} to Vagrant")
        with tempfile.TemporaryDirectory(prefix=".building-", dir=guest_folder()) as folder:
            box = Path(folder) / "course-debian12.box"
            pack_box(guest, box)
            # Vagrant looks for one in the folders above, too, and runs it.
            (Path(folder) / "Vagrantfile").touch()
            run(
                ["vagrant", "box", "add", "--force", "--name", NAME, "--provider", PROVIDER, box],
                env={
                    "VAGRANT_CHECKPOINT_DISABLE": "1",
                    "VAGRANT_NO_COLOR": "1",
                    "VAGRANT_CWD": str(Path(folder).absolute()),
                    "VAGRANT_VAGRANTFILE": "Vagrantfile",
                },
                cwd=Path(folder),
            )
        installed = installed_box()
        if installed is None or not _same(installed, guest):
            raise MachineError(f"Vagrant took the box {NAME}, but it is not to be found.")
        share_files(guest, installed)
        return installed


def _same(box: Path, guest: Guest) -> bool:
    # All of guest.json: a guest made anew from the same inputs has other ssh host keys.
    same_text = (box / "Vagrantfile").read_text() == _VAGRANTFILE
    return same_text and Guest.load(box).data == guest.data


def share_files(guest: Guest, box: Path) -> None:
    """Make the box's large files hard links to the guest's, where one file system holds both.

    They are never written to, and 350 MB are saved.
    """
    for name in guest.files.values():
        link = box / f".{name}.link"
        try:
            os.link(guest.folder / name, link)
            link.replace(box / name)
        except OSError:
            link.unlink(missing_ok=True)
            return

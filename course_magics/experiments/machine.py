"""The machine of a measurement: a real vagrant machine in a folder of its own, removed at the end.

Its folder is below the state folder, so that one left by a killed kernel is found and removed.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import tempfile
import time
from pathlib import Path

from course_magics import labels, process, runtime, storage
from course_magics.errors import MachineError
from course_magics.guest.launch import free_port
from course_magics.machines import ensure, live, program, project, ssh

BOX = "course/debian12"
#: Where the machine's own server listens, in it.
PORT = 8099
#: ■: how long vagrant may take to end by itself (seconds); the rest of the second is for QEMU.
_GRACE = 0.2

_VAGRANTFILE = """\
# Made by course_magics for one measurement.
Vagrant.configure("2") do |config|
  config.vm.box = "{box}"
  config.vm.network "forwarded_port", guest: {port}, host: {host}, host_ip: "127.0.0.1"
  config.vm.provider(:qemu) {{ |q| q.boot = :{boot} }}
end
"""


class Machine:
    """The machine; made by `up`. Its folder holds `program`, a copy of the program to run."""

    def __init__(self, program_file: Path | None) -> None:
        program.find()
        ensure.provider_known()
        _clear()
        self.port = free_port()
        self._program = program_file
        self.folder = Path(tempfile.mkdtemp(prefix="m", dir=_place()))
        storage.write_atomic(self.folder / "owner", labels.owner())
        if program_file is not None:
            shutil.copy(program_file, self.folder / "busybox")
        self.provider = ""
        self.running = False

    def up(self, *, cold: bool = False) -> float:
        """`vagrant up`; returns how many seconds it took. Raises MachineError in vagrant's words.

        cold: boot, where the provider would go on from a snapshot.
        """
        boot = "cold" if cold else "snapshot"
        text = _VAGRANTFILE.format(box=BOX, port=PORT, host=self.port, boot=boot)
        storage.write_atomic(self.folder / "Vagrantfile", text, mode=0o644)
        ensure.box_known(self.folder, process.Kept())
        begun = time.monotonic()
        self.running = True
        self._vagrant("up")
        took = time.monotonic() - begun
        self.provider = self.data.name
        # The folder's copy cannot be executed everywhere (a share, another owner).
        self.ssh("cp /vagrant/busybox /tmp/busybox && chmod 755 /tmp/busybox")
        return took

    def destroy(self) -> None:
        """`vagrant destroy`; its folder stays."""
        ssh.drop(self.folder)
        self._vagrant("destroy", "-f")
        self.running = False

    def ssh(self, script: str) -> str:
        """Run `script` in it; returns its output. Raises MachineError."""
        return ssh.run(self.folder, "default", script).stdout

    @property
    def data(self) -> Path:
        """Vagrant's folder of the machine. Raises MachineError without one."""
        found = project.data_folder(self.folder, "default")
        if found is None:
            raise MachineError("vagrant made no machine")
        return found

    @property
    def pid(self) -> int | None:
        """Its QEMU; None for other providers."""
        return live.pid(self.data)

    @property
    def emulated(self) -> bool:
        """Whether its processor is made of software, as the machine itself sees it."""
        return self.ssh("systemd-detect-virt || true").strip() == "qemu"

    def remove(self, *, now: bool = False) -> None:
        """Destroy it and remove its folder. now: stop it at once, the rest goes on by itself."""
        if not now:
            with contextlib.suppress(MachineError):
                if self.running:
                    self.destroy()
            shutil.rmtree(self.folder, ignore_errors=True)
            return
        with contextlib.suppress(MachineError, OSError):
            number = self.pid
            if number is not None:
                os.kill(number, signal.SIGKILL)
        _remove_later(self.folder)

    def _vagrant(self, *words: str) -> None:
        out, err = process.Kept(), process.Kept()
        status = program.run(self.folder, words, out=out, err=err, grace=_GRACE)
        if status:
            line = program.terminal_line(self.folder, words)
            raise program.failed(line, status, err.text or out.text)


def _place() -> Path:
    return storage.private_folder(runtime.state_dir() / "measure")


def _clear() -> None:
    """Remove what kernels left that were killed."""
    for owner in _place().glob("*/owner"):
        with contextlib.suppress(OSError):
            if labels.is_orphan(owner.read_text()):
                _remove_later(owner.parent)


def _remove_later(folder: Path) -> None:
    """Destroy the machine in `folder`, then remove it, in a process that outlives this one."""
    with contextlib.suppress(MachineError):
        ssh.drop(folder)
    try:
        program.detached(folder, ["destroy", "-f"], f"cd /; rm -rf {shlex.quote(str(folder))}")
    except MachineError:  # it has no Vagrantfile yet, so there is no machine
        shutil.rmtree(folder, ignore_errors=True)

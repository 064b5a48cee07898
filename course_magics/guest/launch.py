"""Starting one machine from a guest folder: for the snapshot's making, for tests and measuring.

The Vagrant provider does the same in Ruby; contract.py is what both follow.
"""

from __future__ import annotations

import contextlib
import shlex
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from course_magics.errors import MachineError
from course_magics.guest import keys
from course_magics.guest.agent import Agent
from course_magics.guest.model import Guest
from course_magics.guest.procs import need, resident, run, spent
from course_magics.guest.qmp import Qmp
from course_magics.patience import Patience


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def qemu_command(
    guest: Guest,
    folder: Path,
    *,
    disk: Path,
    port: int,
    key: str,
    incoming: Path | None = None,
    memory_mb: int | None = None,
    cpus: int | None = None,
) -> list[str]:
    """The QEMU command line of a machine whose files are in `folder`.

    disk: its overlay. port: the host's port for ssh. key: the public key that is let in after a
    boot. incoming: the saved state to start from.
    memory_mb, cpus: other than the guest's own (cold boot only).
    """
    data = guest.data
    command = [
        need("qemu-system-x86_64"),
        "-name", f"course-{folder.name}",
        "-machine", data["machine"],
        "-accel", data["accel"],
        "-cpu", data["cpu_model"],
        "-m", str(memory_mb or data["memory_mb"]),
        "-smp", str(cpus or data["cpus"]),
        *data["machine_args"],
        "-kernel", str(guest.kernel),
        "-initrd", str(guest.initrd),
        "-append", f"{data['append']} {keys.boot_word(key)}",
        "-drive", f"if=none,id=disk0,file={escaped(disk)},format=qcow2,discard=unmap",
        "-netdev", f"user,id=net0,hostfwd=tcp:127.0.0.1:{port}-:22",
        "-netdev", "hubport,id=net1,hubid=1",
        "-chardev", f"file,id=serial0,path={escaped(folder / 'console.log')}",
        "-chardev", f"socket,id=agent0,path={escaped(folder / 'agent.sock')},server=on,wait=off",
        "-qmp", f"unix:{escaped(folder / 'qmp.sock')},server=on,wait=off",
    ]  # fmt: skip
    if incoming is not None:
        command += ["-incoming", f"exec:cat {shlex.quote(str(incoming))}"]
    return command


def escaped(path: Path) -> str:
    """A path as QEMU's option parser wants it: commas doubled."""
    return str(path).replace(",", ",,")


def make_overlay(base: Path, target: Path) -> None:
    """A new, empty image `target` on top of `base`, which is never written to."""
    run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", str(base), str(target)])


class Machine:
    """A running machine; leaving the `with` block kills it and removes its folder."""

    def __init__(
        self,
        guest: Guest,
        *,
        ready: bool = False,
        disk: Path | None = None,
        memory_mb: int | None = None,
        cpus: int | None = None,
    ) -> None:
        """Start from the snapshot (`ready`) or boot cold.

        disk: where to make the overlay (default: in the machine's own folder).
        """
        state = guest.ready_state if ready else None
        base = guest.ready_disk if ready else guest.disk
        if base is None or (ready and state is None):
            raise MachineError("This guest has no snapshot.")
        if not guest.keyless:
            raise MachineError(
                "This guest lets in whoever has Vagrant's published key.",
                hint="course-magics guest build makes one that does not",
            )
        self.guest = guest
        self._asked = not ready  # one that boots is told on its command line who is let in
        # Short: the name of a unix socket has at most 107 characters.
        self.folder = Path(tempfile.mkdtemp(prefix="course-vm-"))
        self.port = free_port()
        self.started = time.monotonic()
        self._qmp: Qmp | None = None
        self._process: subprocess.Popen[bytes] | None = None
        try:
            overlay = disk or self.folder / "disk.qcow2"
            make_overlay(base.resolve(), overlay)
            self._key = self.folder / "key"
            keys.make(self._key)
            command = qemu_command(
                guest, self.folder, disk=overlay, port=self.port, key=self.public_key,
                incoming=state, memory_mb=memory_mb, cpus=cpus,
            )  # fmt: skip
            # The machine must not outlive us, however we end.
            if setpriv := shutil.which("setpriv"):
                command = [setpriv, "--pdeathsig", "KILL", *command]
            with (self.folder / "qemu.log").open("wb") as log:
                self._process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=log, stderr=log
                )
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def qmp(self) -> Qmp:
        """The monitor; connected at first use."""
        if self._qmp is None:
            self._qmp = Qmp(self.folder / "qmp.sock")
        return self._qmp

    def agent(self, patience: float | None = None) -> Agent:
        """A new connection to the guest's agent. Raises MachineError."""
        return Agent(self.folder / "agent.sock", sign=self.moved, patience=patience)

    def ssh(self, command: str, patience: float | None = None) -> str:
        """Run a shell command as the guest's user and return its stdout.

        MachineError with its stderr when it fails, or when the machine stands still for `patience`
        seconds meanwhile.
        """
        done = self._ssh(command, patience)
        if done.returncode != 0:
            raise MachineError(
                "A command in the guest failed.",
                command=command, status=done.returncode, detail=done.stderr,
            )  # fmt: skip
        return done.stdout

    def send(self, file: Path, command: str) -> None:
        """Run a shell command as the guest's user with `file` as its input; MachineError."""
        with file.open("rb") as stream:
            done = self._ssh(command, None, stream)
        if done.returncode != 0:
            raise MachineError(
                "The guest did not take a file.", command=command, detail=done.stderr
            )

    def wait_ssh(self, patience: float | None = None) -> float:
        """Wait until a command runs over ssh; return the seconds since QEMU was started.

        MachineError when QEMU ends, or when the machine stands still for `patience` seconds.
        """
        left = Patience(patience)
        while True:
            self.check()
            # A connection opened too early is slow: see contract.py.
            loaded = self.qmp.command("query-status")["status"] == "running"
            if loaded and not self._asked:
                self._let_in(left.seconds)
            if loaded and self._banner() and self._ssh("true", left.seconds).returncode == 0:
                return time.monotonic() - self.started
            left.saw(self.moved())
            if left.over:
                raise MachineError(
                    "The guest does not answer over ssh.",
                    detail=f"nothing has moved for {left.seconds:.0f} s\n{self._logs()}",
                )
            time.sleep(0.02)

    @property
    def public_key(self) -> str:
        """The public half of the key that was made for it."""
        return keys.public(self._key)

    def gets_in(self) -> bool:
        """Whether the key of this machine opens it at this moment."""
        return self._ssh("true", None).returncode == 0

    def _let_in(self, patience: float) -> None:
        """Tell a machine from the snapshot, which lets nobody in, our key."""
        with self.agent(patience) as agent:
            agent.let_in(self.guest.data["ssh_user"], [self.public_key])
        self._asked = True

    def moved(self) -> object:
        """A sign that changes while the machine gets on: it prints, computes, reads or writes.

        Raises MachineError when QEMU has ended.
        """
        self.check()
        console = self.folder / "console.log"
        size = console.stat().st_size if console.exists() else 0
        disks = [disk["stats"] for disk in self.qmp.command("query-blockstats")]
        counts = [(found["rd_operations"], found["wr_operations"]) for found in disks]
        return size, counts, int(spent(self.pid) / 5)  # at rest it takes hardly any

    def _banner(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1.0) as probe:
                return probe.recv(4) == b"SSH-"
        except OSError:
            return False

    def check(self) -> None:
        """MachineError when QEMU has ended."""
        if self._process is not None and self._process.poll() is not None:
            raise MachineError("QEMU ended.", status=self._process.returncode, detail=self._logs())

    def rss_mb(self) -> float:
        """Memory that the machine takes from the host at this moment, MiB."""
        return resident(self.pid) / 1024**2

    def _ssh(
        self, command: str, patience: float | None, stdin: IO[bytes] | int = subprocess.DEVNULL
    ) -> subprocess.CompletedProcess[str]:
        words: Sequence[str] = [
            need("ssh"), "-F", "none", "-i", str(self._key), "-p", str(self.port),
            "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=no",
            "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-o", "BatchMode=yes",
            f"{self.guest.data['ssh_user']}@127.0.0.1", command,
        ]  # fmt: skip
        left = Patience(patience)
        with subprocess.Popen(
            words, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            errors="replace",
        ) as process:  # fmt: skip
            try:
                while True:
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        out, err = process.communicate(timeout=1)
                        return subprocess.CompletedProcess(words, process.returncode, out, err)
                    left.saw(self.moved())
                    if left.over:
                        said = f"nothing has moved for {left.seconds:.0f} s"
                        return subprocess.CompletedProcess(words, 255, "", said)
            finally:
                process.kill()

    def _logs(self) -> str:
        text = ""
        for name in ("qemu.log", "console.log"):
            path = self.folder / name
            if path.is_file():
                text += path.read_text(encoding="utf-8", errors="replace")[-2000:]
        return text

    def quit(self) -> None:
        """End QEMU in an orderly way: its disk image is whole afterwards."""
        assert self._process is not None
        self.qmp.command("quit")
        process, left = self._process, Patience()
        while process.poll() is None:
            with contextlib.suppress(OSError):  # it has just ended
                left.saw(spent(process.pid))
            if left.over:
                raise MachineError("QEMU does not end.", detail=self._logs())
            time.sleep(0.02)

    def close(self) -> None:
        """Kill the machine if it runs and remove its folder."""
        if self._qmp is not None:
            self._qmp.close()
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

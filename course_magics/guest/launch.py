"""Starting one machine from a guest folder: for the snapshot's making, for tests and measuring.

The Vagrant provider does the same in Ruby; contract.py is what both follow.
"""

from __future__ import annotations

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
from course_magics.guest.model import Guest
from course_magics.guest.procs import need, resident, run
from course_magics.guest.qmp import Qmp


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
    incoming: Path | None = None,
    memory_mb: int | None = None,
    cpus: int | None = None,
) -> list[str]:
    """The QEMU command line of a machine whose files are in `folder`.

    disk: its overlay. port: the host's port for ssh. incoming: the saved state to start from.
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
        "-append", data["append"],
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
        self.guest = guest
        # Short: the name of a unix socket has at most 107 characters.
        self.folder = Path(tempfile.mkdtemp(prefix="course-vm-"))
        self.port = free_port()
        self.started = time.monotonic()
        self._qmp: Qmp | None = None
        self._process: subprocess.Popen[bytes] | None = None
        try:
            overlay = disk or self.folder / "disk.qcow2"
            make_overlay(base.resolve(), overlay)
            self._key = keys.insecure_key_file(self.folder)
            command = qemu_command(
                guest, self.folder, disk=overlay, port=self.port, incoming=state,
                memory_mb=memory_mb, cpus=cpus,
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

    def ssh(self, command: str, timeout: float = 60.0) -> str:
        """Run a shell command as the guest's user and return its stdout.

        MachineError with its stderr when it fails or takes longer than `timeout` seconds.
        """
        done = self._ssh(command, timeout)
        if done.returncode != 0:
            raise MachineError(
                "A command in the guest failed.",
                command=command, status=done.returncode, detail=done.stderr,
            )  # fmt: skip
        return done.stdout

    def send(self, file: Path, command: str) -> None:
        """Run a shell command as the guest's user with `file` as its input; MachineError."""
        with file.open("rb") as stream:
            done = self._ssh(command, 600.0, stream)
        if done.returncode != 0:
            raise MachineError(
                "The guest did not take a file.", command=command, detail=done.stderr
            )

    def wait_ssh(self, timeout: float = 300.0) -> float:
        """Wait until a command runs over ssh; return the seconds since QEMU was started."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            self.check()
            # A connection opened too early is slow: see contract.py.
            loaded = self.qmp.command("query-status")["status"] == "running"
            if loaded and self._banner() and self._ssh("true", 20.0).returncode == 0:
                return time.monotonic() - self.started
            time.sleep(0.02)
        raise MachineError(
            f"The guest did not answer over ssh within {timeout:.0f} s.", detail=self._logs()
        )

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
        self, command: str, timeout: float, stdin: IO[bytes] | int = subprocess.DEVNULL
    ) -> subprocess.CompletedProcess[str]:
        words: Sequence[str] = [
            need("ssh"), "-F", "none", "-i", str(self._key), "-p", str(self.port),
            "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=no",
            "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-o", "BatchMode=yes",
            f"-oConnectTimeout={max(1, int(timeout))}",
            f"{self.guest.data['ssh_user']}@127.0.0.1", command,
        ]  # fmt: skip
        try:
            return subprocess.run(
                words, stdin=stdin, capture_output=True, text=True,
                errors="replace", timeout=timeout, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(words, 255, "", f"no end within {timeout:.0f} s")

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
        self._process.wait(30)

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

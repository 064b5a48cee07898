"""The QEMU command line of the embedded engine's machine."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from course_magics.guest.launch import escaped
from course_magics.guest.model import Guest
from course_magics.guest.procs import need

#: What the snapshot was taken with, and all that starts from it must have.
MEMORY_MB, CPUS = 512, 2
#: Instead of systemd: fewer processes, and nothing that watches mounts and network cards.
INIT = "/usr/local/sbin/course-engine"
MOUNT_TAG = "computer"


def agent_of(monitor: Path) -> Path:
    """The socket of the guest agent: beside the monitor's, in the user's private folder."""
    return monitor.with_suffix(".agent")


def command(
    guest: Guest,
    *,
    memory_mb: int,
    cpus: int,
    kvm: bool,
    disk: Path,
    monitor: Path,
    console: Path,
    port: int,
    state: Path | None,
) -> list[str]:
    """The words that start QEMU.

    guest: kernel and devices. disk: its own disk. port: of this computer, for its sshd. monitor,
    console: the paths of the QMP socket and of the log. state: the memory to load, None to boot.
    """
    data: dict[str, Any] = guest.data
    words = [
        need("qemu-system-x86_64"),
        "-name", "course-engine",
        "-machine", data["machine"],
        "-accel", "kvm" if kvm else data["accel"],
        "-cpu", "host" if kvm else data["cpu_model"],
        "-m", str(memory_mb),
        "-smp", str(cpus),
        *data["machine_args"],
        "-kernel", str(guest.kernel),
        "-initrd", str(guest.initrd),
        "-append", f"{data['append']} init={INIT}",
        # unsafe: the machine's "write it to the disk now" costs nothing. What it has written
        # survives the end of QEMU in any case, but not a power cut of this computer.
        "-drive", f"if=none,id=disk0,file={escaped(disk)},format=qcow2,discard=unmap,cache=unsafe",
        "-netdev", f"user,id=net0,hostfwd=tcp:127.0.0.1:{port}-:22",
        "-netdev", "hubport,id=net1,hubid=1",
        "-chardev", f"file,id=serial0,path={escaped(console)}",
        "-chardev", f"socket,id=agent0,path={escaped(agent_of(monitor))},server=on,wait=off",
        # This computer's files with the user's rights, for `-v`; who a file belongs to stays.
        "-fsdev", "local,id=computer,path=/,security_model=none,multidevs=remap",
        "-device", f"virtio-9p-pci,fsdev=computer,mount_tag={MOUNT_TAG},addr=0x9",
        "-qmp", f"unix:{escaped(monitor)},server=on,wait=off",
    ]  # fmt: skip
    if state is not None:
        words += ["-incoming", f"exec:cat {shlex.quote(str(state))}"]
    return words

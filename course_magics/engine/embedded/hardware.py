"""The QEMU command line of the embedded engine's machine."""

from __future__ import annotations

import subprocess
from functools import cache
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
    shared: Path,
    state: int | None,
    rekey: bool = False,
) -> list[str]:
    """The words that start QEMU.

    guest: kernel and devices. disk: its own disk. monitor, console: the paths of the QMP socket
    and of the log. shared: the folder of this computer that the machine can mount. state: the open
    file with the memory to load, None to boot. rekey: it asks its agent for a key. The way to its
    sshd is opened later, on the monitor.
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
        "-append", f"{data['append']} init={INIT}" + (" course.rekey" if rekey else ""),
        # unsafe: the machine's "write it to the disk now" costs nothing. What it has written
        # survives the end of QEMU in any case, but not a power cut of this computer.
        "-drive", f"if=none,id=disk0,file={escaped(disk)},format=qcow2,discard=unmap,cache=unsafe",
        "-netdev", "user,id=net0",
        "-netdev", "hubport,id=net1,hubid=1",
        "-chardev", f"file,id=serial0,path={escaped(console)}",
        "-chardev", f"socket,id=agent0,path={escaped(agent_of(monitor))},server=on,wait=off",
        # This computer's files with the user's rights, for `-v`; who a file belongs to stays.
        "-fsdev",
        f"local,id=computer,path={escaped(shared)},security_model=none,multidevs=remap",
        "-device", f"virtio-9p-pci,fsdev=computer,mount_tag={MOUNT_TAG},addr=0x9",
        "-qmp", f"unix:{escaped(monitor)},server=on,wait=off",
        # A kernel that panics ends it, and does not boot for ever.
        "-no-reboot",
        *_sandbox(),
    ]  # fmt: skip
    if state is not None:
        words += ["-incoming", f"fd:{state}"]
    return words


@cache
def _sandbox() -> list[str]:
    """Words that take from QEMU what it does not need: programs, other users' rights, priorities.

    Who breaks out of the machine has the user's files, but starts no program. Not every QEMU is
    built with it.
    """
    done = subprocess.run(
        [need("qemu-system-x86_64"), "-help"], capture_output=True, text=True, check=False
    )
    if "\n-sandbox " not in done.stdout:
        return []
    denied = ("obsolete", "elevateprivileges", "spawn", "resourcecontrol")
    return ["-sandbox", "on," + ",".join(f"{what}=deny" for what in denied)]

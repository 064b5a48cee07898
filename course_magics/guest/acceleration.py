"""Whether hardware virtualization works here: proved by a boot, never by the presence of a file.

On some hosts /dev/kvm opens and even runs a BIOS, and a Linux kernel still does not start.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from course_magics import storage
from course_magics.guest.model import Guest, cache_dir

#: How long a kernel may take to reach its init (seconds); with working KVM it takes one or two.
_LIMIT = 8.0
_PROOF = b"Run /init as init process"


def kvm_works(guest: Guest, *, ask_again: bool = False) -> bool:
    """Whether `guest`'s kernel starts under KVM here.

    The answer is remembered for this computer, its kernel and its QEMU; ask_again boots anew.
    """
    qemu = shutil.which("qemu-system-x86_64")
    if qemu is None or not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    memory = cache_dir() / "kvm.json"
    key = _here(qemu)
    known = remembered()
    if key in known and not ask_again:
        return known[key]
    works = _boots(qemu, guest)
    memory.parent.mkdir(parents=True, exist_ok=True)
    storage.write_json(memory, {**known, key: works})
    return works


def known_to_work() -> bool:
    """Whether an earlier boot has proved it here; never boots."""
    qemu = shutil.which("qemu-system-x86_64")
    if qemu is None or not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    known = remembered()
    return bool(known) and known.get(_here(qemu), False)


def _here(qemu: str) -> str:
    """This computer, its kernel and its QEMU."""
    return f"{platform.node()} {platform.release()} {_version(qemu)}"


def remembered() -> dict[str, bool]:
    """What earlier boots have shown, by computer."""
    try:
        found = json.loads((cache_dir() / "kvm.json").read_text())
    except (OSError, ValueError):
        return {}
    return {str(k): bool(v) for k, v in found.items()} if isinstance(found, dict) else {}


def _version(qemu: str) -> str:
    done = subprocess.run([qemu, "--version"], capture_output=True, text=True, check=False)
    return done.stdout.partition("\n")[0]


def _boots(qemu: str, guest: Guest) -> bool:
    with tempfile.TemporaryDirectory(prefix="course-magics-") as folder:
        console = Path(folder) / "console"
        command = [qemu, "-accel", "kvm", "-cpu", "host", "-m", "256", "-display", "none"]
        command += ["-nodefaults", "-no-reboot", "-serial", f"file:{console}"]
        command += ["-kernel", str(guest.kernel), "-initrd", str(guest.initrd)]
        command += ["-append", "console=ttyS0 panic=-1"]
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            limit = time.monotonic() + _LIMIT
            while time.monotonic() < limit and process.poll() is None:
                if console.exists() and _PROOF in console.read_bytes():
                    return True
                time.sleep(0.05)
            return console.exists() and _PROOF in console.read_bytes()
        finally:
            process.kill()
            process.wait()

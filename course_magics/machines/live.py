"""The state of a machine of the bundled provider, looked up without Ruby.

The same questions as in provider/driver.rb, in the same order: is there a disk, is the process in
the pid file this machine's QEMU, is there a suspended state.
"""

from __future__ import annotations

from pathlib import Path

_PROC = Path("/proc")


def state(data: Path) -> str | None:
    """The state of the machine whose files are in `data` (…/machines/NAME/PROVIDER).

    Returns vagrant's short name for it; None where only vagrant can tell: another provider, or an
    operating system without /proc.
    """
    if data.name != "qemu" or not (_PROC / "self").exists():
        return None
    try:
        id = (data / "id").read_text().strip()
    except OSError:
        return "not_created"
    if not id or not (data / "machine.qcow2").is_file():
        return "not_created"
    if pid(data) is not None:
        return "running"
    if (data / "suspended").is_file():
        return "saved"
    # QEMU takes its pid file away when it ends by itself; one that was killed leaves it.
    return "aborted" if (data / "pid").is_file() else "poweroff"


def pid(data: Path) -> int | None:
    """The process number of the QEMU of the machine whose files are in `data`; None without one.

    None for another provider's machine too.
    """
    try:
        id = (data / "id").read_text().strip()
        # A pid file alone proves nothing: the machine may have been killed, the number used again.
        number = int((data / "pid").read_text())
        words = (_PROC / str(number) / "cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return None
    name = f"course-{id.replace('-', '')[:12]}".encode()
    return number if b"qemu" in words[0] and name in words else None

"""What a guest.json may say. It reaches QEMU's command line, and it may have come from elsewhere.

QEMU's options can read and write any file of the user's and start programs: only the words that a
guest needs are let through. provider/allowed.rb has the same list for boxes of Vagrant.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from course_magics.errors import MachineError

#: A property of a device: no value is a path of this computer, or has an option of its own.
_PROPERTY = r"[a-z][a-z0-9_-]*=[A-Za-z0-9_.:+-]*"
_DEVICE = (
    r"(virtio-(blk|net|balloon|rng|serial|scsi)-pci|virtserialport|isa-serial)"
    rf"(,{_PROPERTY})*"
)
#: Each switch of `machine_args`, and what may follow it.
SWITCHES = {
    "-nodefaults": None,
    "-no-user-config": None,
    "-no-reboot": None,
    "-display": "none",
    "-rtc": r"base=(utc|localtime)(,clock=(host|rt|vm))?",
    "-device": _DEVICE,
    "-object": r"rng-random,id=[a-z0-9]+,filename=/dev/u?random",
}
FIELDS = {
    "machine": r"(pc|q35|pc-(i440fx|q35)-[0-9.]+)(,(usb|vmport|hpet|acpi)=(on|off))*",
    "accel": r"(tcg|kvm)(,(thread=(multi|single)|tb-size=[0-9]+))*",
    "cpu_model": r"[A-Za-z0-9][A-Za-z0-9_.-]*(,[+-]?[a-z0-9_.-]+(=[a-z0-9]+)?)*",
    "append": r"[A-Za-z0-9_.,=:/@ -]*",
    "ssh_user": r"[a-z_][a-z0-9_-]*",
}
NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]*"
_NUMBERS = {"memory_mb": (64, 1 << 20), "cpus": (1, 64)}
_DATA_FILE = 1 << 2
_HOST_KEY = r"(ssh|ecdsa)-[a-z0-9-]+ [A-Za-z0-9+/=]+"


def check(data: Mapping[str, Any]) -> None:
    """MachineError where a guest.json asks for something that no guest needs."""
    for what, pattern in FIELDS.items():
        _fits(what, pattern, data.get(what, ""), empty=True)
    for what, (least, most) in _NUMBERS.items():
        number = data.get(what, least)
        if type(number) is not int or not least <= number <= most:
            raise _odd(what, number)
    files = data.get("files")
    if not isinstance(files, dict):
        raise _odd("files", files)
    for name in files.values():
        _fits("files", NAME, name)
    for line in _list(data, "ssh_host_keys"):
        _fits("ssh_host_keys", _HOST_KEY, line)
    words = iter(_list(data, "machine_args"))
    for word in words:
        if word not in SWITCHES:
            raise _odd("machine_args", word)
        follows = SWITCHES[word]
        if follows is not None:
            _fits("machine_args", follows, next(words, ""))


def check_disks(folder: Path, files: Mapping[str, str]) -> None:
    """MachineError where a disk image would have QEMU read another file of this computer.

    https://www.qemu.org/docs/master/interop/qcow2.html says what stands at its beginning.
    """
    for role in ("disk", "ready_disk"):
        if role not in files:
            continue
        with (folder / files[role]).open("rb") as file:
            head = file.read(80).ljust(80, b"\0")
            magic, version, place, length = struct.unpack(">4sIQI", head[:20])
            features = int.from_bytes(head[72:80], "big") if version > 2 else 0
            file.seek(place)
            base = file.read(min(length, 1023)).decode("utf-8", "replace") if place else ""
        if magic != b"QFI\xfb":
            raise _odd(files[role], "a disk that is no qcow2 image")
        if features & _DATA_FILE:
            raise _odd(files[role], "a data file")
        if base != (files.get("disk") if role == "ready_disk" else ""):
            raise _odd(files[role], base)


def _list(data: Mapping[str, Any], what: str) -> Iterable[Any]:
    found = data.get(what, [])
    if not isinstance(found, list):
        raise _odd(what, found)
    return found


def _fits(what: str, pattern: str, value: object, *, empty: bool = False) -> None:
    if not isinstance(value, str) or not (re.fullmatch(pattern, value) or (empty and not value)):
        raise _odd(what, value)


def _odd(what: str, value: object) -> MachineError:
    return MachineError(
        f"The guest asks for something that no guest needs: {what} {str(value)[:80]!r}.",
        hint="course-magics guest build makes one",
    )

"""`course/qemu`: QEMU, a kernel and busybox, for a machine in a container and one in that machine.

Only what QEMU needs to boot that kernel is kept of Debian's packages: a machine that shall boot
another one has all of it in its memory.
"""

from __future__ import annotations

import lzma
import struct
import tarfile
from importlib.resources import files
from io import BytesIO
from pathlib import Path

from course_magics.errors import MachineError
from course_magics.guest import recipe
from course_magics.guest.nested import tiny
from course_magics.guest.procs import Say
from course_magics.guest.rootfs import debootstrap

PACKAGES = ("qemu-system-x86", "busybox-static")
_ROOT = "course-root"
#: Run in the new system: copies the programs, and the libraries that ldd names, to a tree apart.
SETUP = f"""
mkdir /{_ROOT}
qemu=/usr/bin/qemu-system-x86_64
tcg=$(find /usr/lib -name accel-tcg-x86_64.so)
libraries=$(ldd $qemu $tcg | grep -o '/[^ :]*' | sort -u)
cp -L --parents $qemu $tcg $libraries /bin/busybox /{_ROOT}
mkdir -p /{_ROOT}/usr/share/qemu
for rom in qboot.rom pvh.bin kvmvapic.bin; do
    cp -L "$(find -L /usr/share/qemu /usr/share/seabios -name $rom | head -n 1)" \
        /{_ROOT}/usr/share/qemu
done
"""
SCRIPTS = {
    place: (files("course_magics.guest.nested") / "inside" / name).read_text("utf-8")
    for place, name in (("init", "init.sh"), ("bin/nest", "nest.sh"))
}
#: What the image is made from, beside the guest's kernel.
INPUTS = (PACKAGES, SETUP, SCRIPTS, tiny.machine(1).hex(), tiny.work().hex())
_XZ = b"\xfd7zXZ\x00"


def make(target: Path, work: Path, kernel: Path, say: Say) -> None:
    """Write the root file system to the tar `target`.

    work: an empty folder to use. kernel: a bzImage, as Debian's are. MachineError where that is
    compressed in another way, or packages cannot be had.
    """
    whole = work / "whole.tar"
    debootstrap(
        whole, suite=recipe.SUITE, packages=PACKAGES, variant="apt", say=say,
        epoch=recipe.EPOCH, setup=SETUP,
    )  # fmt: skip
    image = without_zeros(unpacked(kernel.read_bytes()))
    with (
        tarfile.open(whole) as source,
        tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as out,
    ):
        for member in sorted(source, key=lambda m: m.name):
            _, found, name = member.name.partition(f"{_ROOT}/")
            if found and name:
                member.name, member.mtime = name, recipe.EPOCH
                out.addfile(member, source.extractfile(member) if member.isfile() else None)
        _folders(out, "boot", "proc", "tmp")
        _file(out, "boot/vmlinux", image, 0o644)
        for place, text in SCRIPTS.items():
            _file(out, place, text.encode(), 0o755)
        _file(out, "bin/work", tiny.work(), 0o755)
        for level in (1, 2):
            _file(out, f"boot/tiny{level}", tiny.machine(level), 0o644)
        for name in ("sh", "uname", "cat"):
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname, link.mtime = tarfile.SYMTYPE, "busybox", recipe.EPOCH
            out.addfile(link)


def unpacked(image: bytes) -> bytes:
    """The kernel within a bzImage. It boots at once: an emulated one takes seconds to unpack it."""
    at = image.find(_XZ)
    if at < 0:
        raise MachineError("the kernel is not compressed as Debian's are (xz)")
    kernel = lzma.LZMADecompressor().decompress(image[at:])
    if kernel[:4] != b"\x7fELF":
        raise MachineError("what the kernel's file holds is not a kernel")
    return kernel


def without_zeros(kernel: bytes) -> bytes:
    """The kernel up to its last byte that is not 0: what follows is made when it is loaded.

    Each of its segments may end with zeros that need not be in the file (the ELF format,
    https://refspecs.linuxfoundation.org/elf/gabi4+/ch5.pheader.html: p_filesz and p_memsz).
    """
    data = bytearray(kernel)
    (headers,) = struct.unpack_from("<Q", data, 32)
    (count,) = struct.unpack_from("<H", data, 56)
    end = headers + 56 * count
    for place in range(headers, end, 56):
        kind, _, offset, _, _, size = struct.unpack_from("<IIQQQQ", data, place)
        if kind == 1:  # PT_LOAD
            size = len(bytes(data[offset : offset + size]).rstrip(b"\0"))
            struct.pack_into("<Q", data, place + 32, size)
            end = max(end, offset + size)
    struct.pack_into("<Q", data, 40, 0)  # no section headers: they were behind the segments
    struct.pack_into("<HH", data, 60, 0, 0)
    return bytes(data[:end])


def _folders(out: tarfile.TarFile, *names: str) -> None:
    for name in names:
        member = tarfile.TarInfo(name)
        member.type, member.mtime = tarfile.DIRTYPE, recipe.EPOCH
        member.mode = 0o1777 if name == "tmp" else 0o755
        out.addfile(member)


def _file(out: tarfile.TarFile, name: str, content: bytes, mode: int) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = len(content), mode, recipe.EPOCH
    out.addfile(member, BytesIO(content))

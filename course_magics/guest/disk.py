"""Kernel, initial RAM disk and disk image, from the tar of a root file system."""

from __future__ import annotations

import os
import shlex
import tarfile
from pathlib import Path, PurePosixPath

from course_magics.errors import MachineError
from course_magics.guest import guestfiles, recipe
from course_magics.guest.cpio import Cpio
from course_magics.guest.procs import run


class Tree:
    """Reads single files out of the tar of a root file system."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar
        self._names = {member.name.removeprefix("./"): member for member in tar.getmembers()}

    def names(self, folder: str) -> list[str]:
        """Paths of the regular files below `folder` (no leading slash), sorted."""
        below = folder + "/"
        return sorted(n for n, m in self._names.items() if n.startswith(below) and m.isfile())

    def read(self, name: str) -> bytes:
        """Content of one file; MachineError where there is none."""
        member = self._names.get(name)
        stream = self._tar.extractfile(member) if member and member.isfile() else None
        if stream is None:
            raise MachineError(f"The root file system has no /{name}.")
        return stream.read()


def kernel_name(tree: Tree) -> str:
    """Path of the kernel, ``boot/vmlinuz-…``."""
    kernels = [name for name in tree.names("boot") if name.startswith("boot/vmlinuz-")]
    if len(kernels) != 1:
        raise MachineError(f"Expected one kernel in the root file system, found {len(kernels)}.")
    return kernels[0]


def module_order(dependencies: str, wanted: tuple[str, ...]) -> list[str]:
    """Files of the modules `wanted` and of all that they need, in the order of loading.

    dependencies: the text of modules.dep.
    """
    needs: dict[str, list[str]] = {}
    by_name: dict[str, str] = {}
    for line in dependencies.splitlines():
        path, _, rest = line.partition(":")
        needs[path] = rest.split()
        by_name[PurePosixPath(path).name.split(".")[0].replace("-", "_")] = path
    order: list[str] = []

    def add(path: str) -> None:
        # modules.dep names what must be loaded last first.
        for needed in reversed(needs[path]):
            add(needed)
        if path not in order:
            order.append(path)

    for name in wanted:
        if name not in by_name:
            raise MachineError(f"The guest's kernel has no module {name}.")
        add(by_name[name])
    return order


def make_initrd(tree: Tree) -> bytes:
    """An initial RAM disk: busybox, the modules for disk and network, and our script.

    Not compressed: unpacking costs more under software emulation than reading 3 MB does.
    """
    version = kernel_name(tree).removeprefix("boot/vmlinuz-")
    modules = f"usr/lib/modules/{version}"
    order = module_order(tree.read(f"{modules}/modules.dep").decode(), recipe.MODULES)
    archive = Cpio()
    for folder in ("bin", "dev", "proc", "sys", "run", "root", "modules"):
        archive.folder(folder)
    # Before devtmpfs is mounted the kernel opens this for the script's output.
    archive.node("dev/console", 5, 1)
    archive.file("bin/busybox", tree.read("usr/bin/busybox"), 0o755)
    for applet in ("sh", "mount", "insmod", "sleep", "poweroff", "ip", "udhcpc", "mkdir", "echo",
                   "grep", "switch_root"):  # fmt: skip
        archive.link(f"bin/{applet}", "busybox")
    archive.file("bin/dhcp", guestfiles.DHCP.encode(), 0o755)
    archive.file("init", guestfiles.INIT.encode(), 0o755)
    names = []
    for path in order:
        name = PurePosixPath(path).name
        archive.file(f"modules/{name}", tree.read(f"{modules}/{path}"))
        names.append(name)
    archive.file("modules/order", "".join(f"{name}\n" for name in names).encode())
    return bytes(archive)


def make_disk(tar: Path, target: Path, work: Path) -> None:
    """Write the root file system in `tar` to the compressed qcow2 image `target`.

    work: a folder for the files in between. Needs neither root nor a loop device.
    """
    tree, raw = work / "root", work / "disk.raw"
    uuid = "c0325e00-0000-4000-8000-0000000debd1"
    format_it = [
        "mke2fs", *recipe.MKE2FS, "-U", uuid, "-E", f"hash_seed={uuid}", "-d", str(tree),
        str(raw), f"{recipe.DISK_GB}G",
    ]  # fmt: skip
    script = "\n".join(
        [
            f"mkdir {shlex.quote(str(tree))}",
            f"tar -C {shlex.quote(str(tree))} --numeric-owner --exclude './boot/*' "
            f"-xf {shlex.quote(str(tar))}",
            shlex.join(format_it),
        ]
    )
    # fakeroot remembers owners and devices between tar and mke2fs where we are not root.
    before = [] if os.geteuid() == 0 else ["fakeroot"]
    fake_time = {"E2FSPROGS_FAKE_TIME": str(recipe.EPOCH)}
    run([*before, "sh", "-ec", script], env=fake_time)
    run(
        ["qemu-img", "convert", "-q", "-f", "raw", "-O", "qcow2", "-c",
         "-o", "compression_type=zstd", str(raw), str(target)]
    )  # fmt: skip

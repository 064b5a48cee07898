"""LXC for a machine of the course: Debian's packages, unpacked into one tar in the cache.

The guest has no LXC, because only one notebook uses it. The tar is copied into that notebook's
machine, so nothing is fetched while a class is running.
"""

from __future__ import annotations

import shutil
import tarfile
import tempfile
from pathlib import Path

from course_magics import storage
from course_magics.errors import MachineError
from course_magics.guest import recipe
from course_magics.guest.build import locked
from course_magics.guest.debs import unpack
from course_magics.guest.model import cache_dir
from course_magics.guest.procs import Say
from course_magics.guest.rootfs import is_whole

PACKAGES = ("lxc", "liblxc1", "liblxc-common")
#: The commands that the course uses. Each is a megabyte, and each machine copies them.
PROGRAMS = (
    "start", "stop", "info", "ls", "attach", "execute", "create", "destroy", "freeze", "unfreeze",
)  # fmt: skip
_REVISION = 1


def tar_path() -> Path:
    """Where the tar is kept."""
    return cache_dir() / "lxc" / f"lxc-{recipe.SUITE}-{_REVISION}.tar"


def fetch(say: Say, *, force: bool = False) -> Path:
    """Make the tar where it is not here, or with `force`.

    MachineError where apt is missing or refuses.
    """
    target = tar_path()
    if is_whole(target) and not force:
        say("LXC is here already")
        return target
    with (
        locked(target.parent, say),
        tempfile.TemporaryDirectory(prefix="course-lxc-") as place,
    ):
        tree = Path(place) / "tree"
        versions = unpack(recipe.SUITE, PACKAGES, tree, say)
        part = target.with_suffix(".part")
        write(tree, part)
        storage.sync_file(part)
        part.replace(target)
        storage.sync_folder(target.parent)
        say(f"LXC {versions['lxc']} is here: {target}")
    return target


def write(tree: Path, target: Path) -> None:
    """Write the tar of what the machine needs from the unpacked packages."""
    programs = {f"usr/bin/lxc-{name}" for name in PROGRAMS}
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as out:
        for path in sorted(tree.rglob("*")):
            name = path.relative_to(tree).as_posix()
            if path.is_dir() and not path.is_symlink():
                continue
            needed = name in programs or name.startswith(
                ("usr/lib/", "usr/share/lxc/", "usr/libexec/lxc/lxc-monitord", "etc/lxc/")
            )
            if needed:
                out.add(path, arcname=name, filter=_roots)


def put(folder: Path | str) -> bool:
    """Copy the tar as lxc.tar into a machine's folder; False where it has not been fetched."""
    target = Path(folder) / "lxc.tar"
    if not is_whole(tar_path()):
        return False
    try:
        shutil.copyfile(tar_path(), target)
    except OSError as error:
        raise MachineError(f"LXC could not be copied to {target}.", detail=str(error)) from error
    return True


def _roots(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    return member

"""The root file systems of the base images, as tars in the cache."""

from __future__ import annotations

import hashlib
import json
import shutil
import stat
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from io import BytesIO
from pathlib import Path

from course_magics import storage
from course_magics.errors import EngineError
from course_magics.guest import guestfiles, nested, recipe, spark
from course_magics.guest.build import build_guest, clear_unfinished, locked
from course_magics.guest.model import cache_dir
from course_magics.guest.procs import Say
from course_magics.guest.rootfs import debootstrap, extract_file, is_whole

# Counted up when the way of making them changes.
_REVISION = 2

_FILES = {
    "etc/apt/sources.list": (0o644, guestfiles.SOURCES),
    # As in Debian's own image: what apt keeps for later only makes layers larger.
    "etc/apt/apt.conf.d/90course": (
        0o644,
        'Acquire::Languages "none";\n'
        'DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb || true"; };\n'
        'Dir::Cache::pkgcache "";\n'
        'Dir::Cache::srcpkgcache "";\n',
    ),
    "etc/resolv.conf": (0o644, ""),
    "etc/hostname": (0o644, "debian\n"),
}
_EXCLUDED = tuple(pattern for pattern in recipe.EXCLUDED if pattern.startswith("/usr/share"))
_SETUP = """
rm -f /etc/apt/apt.conf.d/99mmdebstrap
rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/lib/dpkg/*-old
rm -rf /var/log/*.log /var/log/apt /var/cache/ldconfig/aux-cache
mkdir -p /var/lib/apt/lists/partial /var/cache/apt/archives/partial
"""
_PYTHON = ("python3", "python3-pip")
_PYTHON_SETUP = """
ln -s python3 /usr/bin/python
# A container has one purpose: pip may install into its only Python.
rm -f /usr/lib/python3*/EXTERNALLY-MANAGED
# Python's own cache of what it ran while it was installed differs from run to run.
rm -rf /usr/share/python3/debpython/__pycache__
rm -rf /usr/lib/python3/dist-packages/_distutils_hack/__pycache__
"""


@dataclass(frozen=True)
class Base:
    """One image: what its rootfs.tar is made from, and how. `parent`: the image it lies on.

    optional: large, and the course does without: made when it is asked for by name.
    """

    name: str
    official: str
    parent: str | None
    inputs: tuple[object, ...]
    make: Callable[[Path, Path | None, Say], None]
    optional: bool = False

    @property
    def dockerfile(self) -> str:
        """The text of its Dockerfile, as shipped in the package."""
        folder = files("course_magics.guest") / "dockerfiles" / self.name.partition("/")[2]
        return (folder / "Dockerfile").read_text(encoding="utf-8")

    @property
    def hash(self) -> str:
        """16 hex digits for everything the image is made from, its parent included."""
        parent = BASES[self.parent].hash if self.parent else ""
        text = json.dumps([_REVISION, self.name, self.dockerfile, parent, self.inputs])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def tar(self) -> Path:
        """Where its rootfs.tar is kept."""
        return images_folder() / f"{self.name.partition('/')[2]}-{self.hash}.tar"

    def ensure_tar(self, say: Say) -> Path:
        """Make the rootfs.tar where it is not in the cache yet; older ones of its name go."""
        folder = images_folder()
        if not is_whole(self.tar):
            # The parent first: its difference to this one is what is wanted.
            parent = BASES[self.parent].ensure_tar(say) if self.parent else None
            with locked(folder, say):
                if not is_whole(self.tar):
                    self._make_tar(folder, parent, say)
        return self.tar

    def _make_tar(self, folder: Path, parent: Path | None, say: Say) -> None:
        clear_unfinished(folder)
        work = Path(tempfile.mkdtemp(prefix=".building-", dir=folder))
        try:
            self.make(work, parent, say)
            storage.sync_file(work / "rootfs.tar")
            (work / "rootfs.tar").rename(self.tar)
            storage.sync_folder(folder)
            for old in folder.glob(f"{self.name.partition('/')[2]}-*.tar"):
                if old != self.tar:
                    old.unlink()
        finally:
            shutil.rmtree(work, ignore_errors=True)


def images_folder() -> Path:
    """Where the tars are kept."""
    return cache_dir() / "images"


def _debian(target: Path, say: Say, packages: tuple[str, ...] = (), setup: str = "") -> None:
    debootstrap(
        target,
        suite=recipe.SUITE,
        packages=("tzdata", *packages),
        variant="apt",
        say=say,
        epoch=recipe.EPOCH,
        files=_FILES,
        setup=setup + _SETUP,
        excluded=_EXCLUDED,
        included=recipe.INCLUDED,
    )


def _make_debian(work: Path, parent: Path | None, say: Say) -> None:
    _debian(work / "rootfs.tar", say)


def _make_python(work: Path, parent: Path | None, say: Say) -> None:
    assert parent is not None
    whole = work / "whole.tar"
    _debian(whole, say, _PYTHON, _PYTHON_SETUP)
    difference(parent, whole, work / "rootfs.tar")


def _make_spark(work: Path, parent: Path | None, say: Say) -> None:
    spark.make(work / "rootfs.tar", work, say)


def _make_busybox(work: Path, parent: Path | None, say: Say) -> None:
    busybox = work / "busybox"
    busybox.write_bytes(
        extract_file(suite=recipe.SUITE, package="busybox-static", name="bin/busybox", say=say)
    )
    busybox.chmod(0o755)
    try:
        listed = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise EngineError("Debian's busybox does not run here.", detail=str(error)) from error
    write_busybox(work / "rootfs.tar", busybox.read_bytes(), listed.stdout.split())


def write_busybox(target: Path, program: bytes, applets: list[str]) -> None:
    """A root file system of one program, a link to it for each applet, and what users expect."""
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as tar:

        def add(name: str, kind: bytes, mode: int, content: bytes = b"", link: str = "") -> None:
            member = tarfile.TarInfo(name)
            member.type, member.mode, member.mtime = kind, mode, recipe.EPOCH
            member.uname = member.gname = "root"
            member.size, member.linkname = len(content), link
            tar.addfile(member, BytesIO(content))

        for name, mode in (
            ("bin", 0o755), ("etc", 0o755), ("home", 0o755), ("root", 0o700), ("tmp", 0o1777),
            ("usr", 0o755), ("usr/bin", 0o755), ("var", 0o755), ("var/www", 0o755),
        ):  # fmt: skip
            add(name, tarfile.DIRTYPE, mode)
        add("bin/busybox", tarfile.REGTYPE, 0o755, program)
        for applet in sorted(set(applets) - {"busybox"}):
            add(f"bin/{applet}", tarfile.SYMTYPE, 0o777, link="busybox")
        # Scripts begin with #!/usr/bin/env.
        add("usr/bin/env", tarfile.SYMTYPE, 0o777, link="../../bin/env")
        passwd = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n"
        add("etc/passwd", tarfile.REGTYPE, 0o644, passwd.encode())
        add("etc/group", tarfile.REGTYPE, 0o644, b"root:x:0:\nnogroup:x:65534:\n")


def _make_qemu(work: Path, parent: Path | None, say: Say) -> None:
    # The guest's kernel: a machine in a container and the course's machines run the same one.
    nested.make(work / "rootfs.tar", work, build_guest(say).kernel, say)


def difference(lower: Path, upper: Path, target: Path) -> None:
    """Write to `target` what the tar `upper` has and the tar `lower` has not, or has otherwise.

    Nothing can be deleted that way; what packages add to a system does not need it.
    """

    def key(tar: tarfile.TarFile, member: tarfile.TarInfo) -> tuple[object, ...]:
        stream = tar.extractfile(member) if member.isfile() else None
        digest = hashlib.sha256(stream.read()).digest() if stream else b""
        mode = stat.S_IMODE(member.mode)
        return (member.type, mode, member.uid, member.gid, member.linkname, digest)

    with tarfile.open(lower) as old:
        known = {member.name: key(old, member) for member in old}
    with tarfile.open(upper) as new, tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as out:
        for member in new:
            if known.get(member.name) == key(new, member):
                continue
            out.addfile(member, new.extractfile(member) if member.isfile() else None)


BASES: dict[str, Base] = {
    base.name: base
    for base in (
        Base("course/busybox", "busybox:stable", None, ("busybox-static",), _make_busybox),
        Base(
            "course/debian", "debian:bookworm-slim", None,
            (recipe.SUITE, _FILES, _EXCLUDED, recipe.INCLUDED, _SETUP, recipe.EPOCH), _make_debian,
        ),
        Base(
            "course/python", "python:3.11-slim", "course/debian", (_PYTHON, _PYTHON_SETUP),
            _make_python,
        ),
        Base(
            "course/spark", "spark:python3", "course/python",
            (spark.PYSPARK, spark.DEBS, spark.DROPPED, spark.DEFAULTS), _make_spark, optional=True,
        ),
        Base(
            "course/qemu", "scratch", None, nested.INPUTS, _make_qemu, optional=True,
        ),
    )
}  # fmt: skip

"""What `course/spark` adds to `course/python`: Java out of Debian's packages, Spark out of PyPI's.

Unpacked, not installed: an image needs neither apt nor pip, nor the network, while it is built.
"""

from __future__ import annotations

import re
import sys
import tarfile
from io import BytesIO
from pathlib import Path

from course_magics.errors import MachineError
from course_magics.guest import recipe
from course_magics.guest.debs import unpack
from course_magics.guest.procs import Say, run

PYSPARK = "pyspark==4.3.0"
#: Of its archive on PyPI (pyspark-4.3.0.tar.gz).
_SHA256 = "e8c517948eff7088a7aa07449aa8eafa4a15a8d50319de2525a6fd26622476c6"
# Java without a screen; what else its package depends on is for pictures and for sound.
DEBS = ("openjdk-17-jre-headless", "libstdc++6", "libgcc-s1")
#: Jars that RDDs and DataFrames do without; they are two thirds of the whole.
DROPPED = (
    r"jars/connect-repl/", r"jars/spark-(connect|mllib|kubernetes|yarn|hive|repl|graphx|pipelines)",
    r"jars/(hive|kubernetes|vertx|datanucleus|derby|volcano|breeze|spire|algebra|cats)",
    r"jars/(rocksdbjni|scala-compiler|arpack|lapack|blas|JTransforms|JLargeArrays)",
    r"jars/netty-tcnative-boringssl-static-.*-(osx|windows|linux-aarch)",
    r"(data|examples|licenses)/", r"bin/.*\.cmd$",
)  # fmt: skip
# A cluster on one computer: little memory for each, and a start that is not all compilation.
DEFAULTS = """\
spark.driver.memory 512m
spark.executor.memory 512m
spark.driver.extraJavaOptions -XX:TieredStopAtLevel=1 -XX:+UseSerialGC
spark.executor.extraJavaOptions -XX:TieredStopAtLevel=1 -XX:+UseSerialGC
spark.ui.enabled false
spark.ui.showConsoleProgress false
"""
_DROPPED = re.compile("|".join(f"deps/(?:{pattern})" for pattern in DROPPED))
_SKIPPED = re.compile(r"^(usr/share/(doc|man|lintian|locale|gdb)|lib/systemd)(/|$)")


def make(target: Path, work: Path, say: Say) -> None:
    """Write the tar `target`: /opt/spark as in Spark's own archive, and Java below /usr/lib/jvm.

    work: an empty folder to use. MachineError where apt or pip cannot fetch.
    """
    debs = work / "debs"
    debs.mkdir()
    unpack(recipe.SUITE, DEBS, debs, say)
    say(f"fetching {PYSPARK} from PyPI")
    source = _pyspark(work)
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as out:
        _add_tree(out, debs)
        add_spark(source, out)
        info = tarfile.TarInfo("opt/spark/conf/spark-defaults.conf")
        info.size = len(DEFAULTS)
        out.addfile(_roots(info), BytesIO(DEFAULTS.encode()))


def add_spark(source: Path, out: tarfile.TarFile) -> None:
    """Copy what is needed from PyPI's archive of pyspark to opt/spark, in Spark's own layout."""
    with tarfile.open(source) as archive:
        for member in sorted(archive, key=lambda member: member.name):
            name = _place(member.name)
            if name is None or not member.isfile():
                continue
            info = tarfile.TarInfo(f"opt/spark/{name}")
            info.size, info.mode = member.size, 0o755 if member.mode & 0o100 else 0o644
            out.addfile(_roots(info), archive.extractfile(member))


def _place(name: str) -> str | None:
    """Where a file of pyspark's archive lies below /opt/spark; None: left out."""
    inside = name.partition("/")[2]
    if _DROPPED.match(inside):
        return None
    if re.match(r"deps/(bin|sbin|jars)/", inside):
        return inside.removeprefix("deps/")
    if inside.startswith("pyspark/") and "/tests/" not in inside:
        return f"python/{inside}"
    if inside.startswith("lib/py4j"):
        # Its version is part of the name, and PYTHONPATH wants one that stays.
        return "python/lib/py4j.zip"
    return None


def _pyspark(work: Path) -> Path:
    folder = work / "pip"
    wanted = work / "requirements.txt"
    wanted.write_text(f"{PYSPARK} --hash=sha256:{_SHA256}\n", "ascii")
    run(
        [
            sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary",
            "pyspark", "--require-hashes", "--dest", folder, "--requirement", wanted,
        ],
    )  # fmt: skip
    found = sorted(folder.glob("pyspark-*.tar.gz"))
    if not found:
        raise MachineError("pip fetched no archive of pyspark.")
    return found[0]


def _add_tree(out: tarfile.TarFile, tree: Path) -> None:
    """All files of the unpacked packages but what only people read."""
    for path in sorted(tree.rglob("*")):
        name = path.relative_to(tree).as_posix()
        if _SKIPPED.match(name) or (path.is_dir() and not path.is_symlink()):
            continue
        # /lib is a link to /usr/lib in Debian; a folder in its place would hide that.
        info = tarfile.TarInfo(f"usr/{name}" if re.match(r"lib(64)?/", name) else name)
        if path.is_symlink():
            info.type, info.linkname, info.mode = tarfile.SYMTYPE, str(path.readlink()), 0o777
            out.addfile(_roots(info))
            continue
        status = path.stat()
        info.size, info.mode = status.st_size, status.st_mode & 0o755
        with path.open("rb") as stream:
            out.addfile(_roots(info), stream)


def _roots(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """The member as root's, with the time stamp that all images have."""
    member.mtime, member.uname, member.gname = recipe.EPOCH, "root", "root"
    return member

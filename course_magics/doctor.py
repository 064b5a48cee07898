"""Looks at every part that the course needs, for real, and says what to type for each fault."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from course_magics import engine
from course_magics.display import Block, Grid, Line, Listed
from course_magics.display.data import plain
from course_magics.errors import CourseError
from course_magics.patience import limit
from course_magics.units import show_bytes

State = Literal["good", "note", "bad"]
#: Below this a build or a machine runs out of room (bytes).
_DISK = 2 * 1024**3
_MEMORY = 1024**3

_SIGNS: dict[State, str] = {"good": "ok", "note": "note", "bad": "FAULT"}


@dataclass(frozen=True)
class Check:
    """One part: its name, how it is, what was found, and what to type when it is not well.

    A note is no fault: the course runs, more slowly or with less.
    """

    name: str
    state: State
    found: str
    fix: str = ""


class Report(Listed):
    """What was found. checks: the list; healthy: no fault among them."""

    def __init__(self, checks: Sequence[Check]) -> None:
        self.checks = list(checks)

    @property
    def rows(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """The checks as plain data."""
        return [plain(check) for check in self.checks]

    @property
    def healthy(self) -> bool:
        """Whether the course can run as it is."""
        return all(c.state != "bad" for c in self.checks)

    def blocks(self) -> Sequence[Block]:
        rows = [(c.name, _SIGNS[c.state], c.found) for c in self.checks]
        blocks: list[Block] = [Grid(["PART", "", "FOUND"], rows)]
        blocks += [
            Line(f"{c.name}: {c.fix}", "bad" if c.state == "bad" else "dim")
            for c in self.checks
            if c.fix
        ]
        faults = sum(c.state == "bad" for c in self.checks)
        if faults:
            need = "parts need" if faults > 1 else "part needs"
            return [*blocks, Line(f"{faults} {need} attention; see the lines above", "bad")]
        return [*blocks, Line("everything that the course needs is here", "good")]


def examine(*, quick: bool = False) -> Report:
    """Look at every part. quick: leave out the timed boot (up to 8 s, its answer is remembered)."""
    parts: list[Callable[[], Check]] = [
        _python,
        _engine,
        _container,
        _builder,
        _ipvs,
        _vagrant,
        _provider,
        _box,
        _ssh,
        lambda: _acceleration(quick),
        _disk,
        _memory,
        _widgets,
    ]
    checks = []
    for part in parts:
        try:
            checks.append(part())
        except CourseError as error:
            name = part.__name__.strip("_")
            checks.append(Check(name, "bad", error.message, (error.hint or "").partition("\n")[0]))
    return Report(checks)


def _install(debian: str, mac: str, windows: str) -> str:
    """What to type for a missing program, on this operating system."""
    if sys.platform == "darwin":
        return f"brew install {mac}"
    if sys.platform == "win32":
        return f"winget install {windows}"
    return f"sudo apt-get install {debian}"


def _output(*command: str) -> str:
    """A program's first line of output, "" when it fails."""
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=limit(),
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip().partition("\n")[0] if done.returncode == 0 else ""


def _python() -> Check:
    names = ("course-magics", "ipython", "ipykernel", "docker")
    versions = ", ".join(f"{n} {_version(n) or 'not installed'}" for n in names)
    return Check("python", "good", f"{sys.version.split()[0]}, {versions}")


def _engine() -> Check:
    found = engine.current()
    return Check("engine", "good", f"{found.name} {found.version}, {found.how}")


def _container() -> Check:
    """A container that really runs, from the course's smallest image."""
    image = "course/busybox"
    fix = "course-magics images build"
    from course_magics.containers.create import local_images
    from course_magics.containers.options import RunOptions
    from course_magics.containers.run import run_foreground

    with engine.talking("docker images") as api:
        if f"{image}:latest" not in local_images(api):
            return Check("container", "bad", f"the image {image} is not here", fix)
    run = run_foreground(image, ["echo", "ok"], RunOptions(rm=True, pull="never"))
    works = run.stdout.strip() == "ok"
    return Check("container", "good" if works else "bad", "started, ran and was removed")


def _builder() -> Check:
    from course_magics.containers.build.buildkit import plugin

    found = plugin()
    if found is None:
        return Check("builder", "good", "the engine's own (BuildKit where docker has buildx)")
    return Check("builder", "good", f"BuildKit through {found}")


def _ipvs() -> Check:
    """Without it Swarm runs too, but for two things: the routing mesh and virtual IPs."""
    from course_magics.containers.swarm.talk import lacks_ipvs

    if not lacks_ipvs():
        return Check("swarm", "good", "services can be published on every node")
    return Check(
        "swarm",
        "note",
        "this kernel has no IPVS: published services and virtual IPs do not answer",
        "--publish mode=host,target=80,published=8080 and --endpoint-mode dnsrr work",
    )


def _vagrant() -> Check:
    if shutil.which("vagrant") is None:
        fix = _install("vagrant", "--cask vagrant", "Hashicorp.Vagrant")
        return Check("vagrant", "bad", "not installed", fix)
    version = _output("vagrant", "--version")
    if not version:
        return Check("vagrant", "bad", "`vagrant --version` fails", "type it in a terminal")
    return Check("vagrant", "good", version.removeprefix("Vagrant "))


def _provider() -> Check:
    from course_magics.machines import provider

    others = {"VBoxManage": "VirtualBox", "prlctl": "Parallels", "vmrun": "VMware"}
    found = [name for program, name in others.items() if shutil.which(program)]
    qemu = [p for p in ("qemu-system-x86_64", "qemu-img") if shutil.which(p) is None]
    if not qemu and provider.installed():
        version = _output("qemu-system-x86_64", "--version")
        found.append(version.replace("emulator version ", "").partition(" (")[0] + " (bundled)")
    if found:
        return Check("provider", "good", ", ".join(found))
    if qemu:
        fix = _install("qemu-system-x86 qemu-utils", "qemu", "SoftwareFreedomConservancy.QEMU")
        return Check("provider", "bad", f"none; {qemu[0]} is not installed", fix)
    return Check("provider", "bad", "the bundled one is not known to Vagrant", "make setup")


def _box() -> Check:
    from course_magics import guest

    found = guest.installed_box()
    if found is None:
        return Check("box", "bad", "course/debian12 is not added", "course-magics guest box")
    return Check("box", "good", "course/debian12")


def _ssh() -> Check:
    missing = [p for p in ("ssh", "rsync") if shutil.which(p) is None]
    if missing:
        fix = _install("openssh-client rsync", "openssh rsync", "Microsoft.OpenSSH.Preview")
        return Check("ssh", "bad", f"not installed: {', '.join(missing)}", fix)
    done = subprocess.run(["ssh", "-V"], capture_output=True, text=True, check=False)
    return Check("ssh", "good", done.stderr.strip().partition(",")[0])


def _acceleration(quick: bool) -> Check:
    """Software emulation is no fault: everything works, ten times slower."""
    from course_magics import guest
    from course_magics.guest.acceleration import kvm_works

    name = "acceleration"
    if not sys.platform.startswith("linux"):
        return Check(name, "note", "not asked: the bundled provider emulates here")
    if not Path("/dev/kvm").exists():
        return Check(name, "note", "no KVM here: machines are emulated in software")
    if quick:
        return Check(name, "note", "not asked: %doctor without --quick boots a kernel to find out")
    built = guest.installed_guest()
    if built is None:
        return Check(name, "note", "not asked: the guest is not built", "course-magics guest build")
    if kvm_works(built):
        return Check(name, "good", "KVM: a kernel has booted with it")
    return Check(name, "note", "KVM does not boot a kernel here: machines are emulated in software")


def _disk() -> Check:
    from course_magics.guest import cache_dir

    place = cache_dir()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    state: State = "good" if free >= _DISK else "bad"
    fix = "" if free >= _DISK else "%engine clean removes what this course has made"
    home = Path.home()
    shown = f"~/{place.relative_to(home)}" if place.is_relative_to(home) else str(place)
    return Check("disk", state, f"{show_bytes(free)} free at {shown}", fix)


def _memory() -> Check:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        free = next(int(line.split()[1]) for line in lines if line.startswith("MemAvail")) * 1024
    except (OSError, StopIteration):
        return Check("memory", "note", f"not asked on {sys.platform}")
    if free < _MEMORY:
        fix = "a machine needs 512 MB: close other programs, or stop containers"
        return Check("memory", "note", f"{show_bytes(free)} available", fix)
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return Check("memory", "good", f"{show_bytes(free)} available, {cpus} CPUs")


def _version(package: str) -> str | None:
    """A package's version; None where it is not installed, as this one in a plain checkout."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _widgets() -> Check:
    version = _version("ipywidgets")
    if version is None:
        return Check("widgets", "note", "no live views: text alone", "pip install ipywidgets")
    return Check("widgets", "good", f"ipywidgets {version}")

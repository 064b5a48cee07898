"""Where faults happen: the embedded engine, or a dockerd of the campaign's own."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
import psutil

from benchmarks.chaos.kernel import Cell, Kernel
from course_magics import runs
from course_magics.engine.namespaced import engine_beside
from course_magics.guest.images import build_images

#: The room that the state folder has (MiB): small, so that it can be filled up.
_ROOM = 6000
#: What one thing that is kept holds (bytes).
_SIZE = 20_000


@dataclass
class Kept:
    """What must outlive all faults: what it is in, and the SHA-256 of its content."""

    kind: str
    name: str
    digest: str


@dataclass
class World:
    """One engine, the kernels that use it, and what has been made on it.

    name: "embedded", "docker" or "machine". root: everything on this computer that belongs to it.
    """

    name: str
    root: Path
    environment: Mapping[str, str]
    chance: random.Random
    #: A dockerd in namespaces of its own (course_magics.engine.namespaced), else None.
    engine: Any = None
    kept: list[Kept] = field(default_factory=list)
    kernels: list[Kernel] = field(default_factory=list)
    _number: int = 0

    @property
    def work(self) -> Path:
        return self.root / "a folder with blanks"

    @property
    def state(self) -> Path:
        return Path(self.environment["COURSE_STATE"])

    def kernel(self, number: int = 0, **more: str) -> Kernel:
        """The first, second … kernel, started where it does not live."""
        while len(self.kernels) <= number:
            self.kernels.append(Kernel(self.work, {**self.environment, **more}))
        if not self.kernels[number].manager.is_alive():
            self.kernels[number].close()
            self.kernels[number] = Kernel(self.work, {**self.environment, **more})
        return self.kernels[number]

    def fresh_kernel(self, **more: str) -> Kernel:
        """A new first kernel in place of the old one."""
        if self.kernels:
            self.kernels.pop(0).close()
        self.kernels.insert(0, Kernel(self.work, {**self.environment, **more}))
        return self.kernels[0]

    # --- what must be kept -----------------------------------------------------------------------

    def keep_something(self) -> list[Cell]:
        """Make an image, a volume and a container that hold the same random content."""
        self._number += 1
        name = f"kept-{self._number}"
        data = self.chance.randbytes(_SIZE)
        digest = hashlib.sha256(data).hexdigest()
        (self.work / name).write_bytes(data)
        self.kept.append(Kept("file", name, digest))
        fill = "sh -c 'cp /data /v/data && sync'"
        made = {
            "image": f"%%dockerfile -t chaos/{name} --context .\n"
            f"FROM course/busybox\nCOPY {name} /data",
            "volume": f"%container run --rm -v {name}:/v chaos/{name} {fill}",
            "container": f"%container create --name {name} chaos/{name} true",
        }
        cells = []
        for kind, code in made.items():
            cells.append(self.kernel().run(code))
            if cells[-1].status != "ok":
                break
            self.kept.append(Kept(kind, name, digest))
        return cells

    def keep_a_machine(self) -> list[Cell]:
        """Make a machine with a file of random content on its disk."""
        digest = hashlib.sha256(b"").hexdigest()
        project = "machine"
        code = (
            f"%%vagrantfile --dir {project}\nVagrant.configure('2') do |config|\n"
            "  config.vm.box = 'course/debian12'\nend",
            f"%vagrant up --dir {project}",
            f"%vagrant ssh --dir {project} -c "
            "'head -c 20000 /dev/urandom > data; sync; sha256sum data'",
        )
        cells = [self.kernel().run(one) for one in code]
        if cells[-1].status == "ok":
            digest = cells[-1].text.split()[0]
            self.kept.append(Kept("machine", project, digest))
        return cells

    def lost(self) -> list[str]:
        """What is no longer there, or holds something else: looked at through cells."""
        look = {
            "image": "%container run --rm chaos/{} sha256sum /data",
            "volume": "%container run --rm -v {}:/v course/busybox sha256sum /v/data",
            "container": "%container cp {}:/data from-container\n!sha256sum from-container",
            "machine": "%vagrant ssh --dir {} -c 'sha256sum data'",
            "file": "!sha256sum {}",
        }
        missing = []
        for kept in self.kept:
            cell = self.kernel().run(look[kept.kind].format(kept.name))
            if cell.status != "ok" or kept.digest not in cell.text:
                missing.append(f"{kept.kind} {kept.name}: {cell.error or cell.text[-100:]}")
        return missing

    # --- processes -------------------------------------------------------------------------------

    def processes(self, name: str) -> list[psutil.Process]:
        """This world's processes of that kind: keeper, qemu, ssh, dockerd, vagrant, machine."""
        found = []
        mark = str(self.root)
        for one in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                line, first = " ".join(one.cmdline()), one.name()
                if self.engine is not None and name == "dockerd":
                    if first == "dockerd" and str(self.engine.folder) in line:
                        found.append(one)
                elif mark not in line and mark not in one.environ().get("COURSE_STATE", ""):
                    continue
                elif (
                    (name == "keeper" and "embedded.keeper" in line)
                    or (
                        name == "qemu"
                        and first.startswith("qemu-system")
                        and "engine.qcow2" in line
                    )
                    or (name == "ssh" and first == "ssh")
                    or (name == "vagrant" and "vagrant" in line and first in ("vagrant", "ruby"))
                    or (
                        name == "machine"
                        and first.startswith("qemu-system")
                        and "engine.qcow2" not in line
                    )
                ):
                    found.append(one)
        return found

    def strays(self) -> list[str]:
        """Processes of kernels that have ended, beside what serves all kernels."""
        alive = {k.pid for k in self.kernels if k.manager.is_alive()}
        found = []
        for one in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if one.environ().get(runs.VARIABLE) != self.environment[runs.VARIABLE]:
                    continue
                family = {one.pid, *(p.pid for p in one.parents())}
                serves = one.name().startswith("qemu") or "ControlPersist" in " ".join(
                    one.cmdline()
                )
                if not family & alive and not serves and one.status() != "zombie":
                    found.append(f"{one.pid} {' '.join(one.cmdline())[:100]}")
        return found


@contextlib.contextmanager
def world(name: str, chance: random.Random) -> Iterator[World]:
    """A world, from its beginning to its end; nothing of it stays. Root on Linux."""
    root = Path(tempfile.mkdtemp(prefix="chaos-"))
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={_ROOM}m,mode=700", "chaos", str(root)], check=True
    )
    with contextlib.ExitStack() as after:
        after.callback(_unmount, root)
        state = root / "state"
        state.mkdir(mode=0o700)
        environment = {
            **os.environ,
            "COURSE_STATE": str(state),
            "COURSE_PROGRESS": str(root / "progress.json"),
            "COURSE_RUN": f"chaos-{root.name}",
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }
        before = os.environ.get("COURSE_STATE")
        os.environ["COURSE_STATE"] = str(state)
        after.callback(_restore, before)
        beside = None
        if name == "docker":
            beside = after.enter_context(
                engine_beside(f"ch{os.getpid() % 100000}", settings={"storage-driver": "overlay2"})
            )
            environment["COURSE_ENGINE"] = beside.url
            _bring_images(beside.url)
        else:
            environment["COURSE_ENGINE"] = "embedded"
        found = World(name, root, environment, chance, beside)
        found.work.mkdir()
        after.callback(_end, found)
        yield found


def _bring_images(url: str) -> None:
    """The base images, from their files: an engine of one's own is empty at first."""
    with contextlib.closing(docker.APIClient(url, version="auto", timeout=600)) as api:
        build_images(api, lambda line: None)


def _restore(before: str | None) -> None:
    if before is None:
        os.environ.pop("COURSE_STATE", None)
    else:
        os.environ["COURSE_STATE"] = before


def _end(world: World) -> None:
    """End what the world has running: what it started, by its own marks."""
    for kept in world.kept:
        if kept.kind == "machine":  # else Vagrant lists it for good
            world.kernel().run(f"%vagrant destroy -f --dir {kept.name}")
    for kernel in world.kernels:
        kernel.close()
    for name in ("vagrant", "machine", "keeper", "qemu", "ssh"):
        for one in world.processes(name):
            with contextlib.suppress(psutil.Error):
                one.resume()
                one.kill()
    time.sleep(0.5)


def _unmount(root: Path) -> None:
    for _ in range(50):
        if subprocess.run(["umount", str(root)], capture_output=True, check=False).returncode == 0:
            break
        time.sleep(0.2)
    else:
        subprocess.run(["umount", "-l", str(root)], check=False)
    shutil.rmtree(root, ignore_errors=True)

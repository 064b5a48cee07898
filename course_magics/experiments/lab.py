"""Where an experiment runs: a process here, a container on the engine, a machine of vagrant's.

All three run the same program: the one file /bin/busybox of the image course/busybox, linked
statically, so that nothing differs but what is around it.
"""

from __future__ import annotations

import contextlib
import io
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from course_magics import engine, process
from course_magics.containers.files import sent
from course_magics.errors import CourseError, EngineError, Interrupted, MachineError

if TYPE_CHECKING:
    from docker import APIClient

    from course_magics.experiments.machine import Machine as Vagrant

IMAGE = "course/busybox"
SUBJECTS = ("process", "container", "machine")
#: After so long no run is begun that is not needed, so that all is over within a minute (seconds).
_ENOUGH = 50.0
#: done, of how many, and what is going on.
Progress = Callable[[int, int, str], object]


def quiet(done: int, total: int, words: str) -> None:
    """Show no progress."""


class Subject(Protocol):
    """One of the three."""

    name: str
    emulated: bool
    note: str

    def run(self, script: str) -> str:
        """Run a script with busybox's shell; returns its output. Raises CourseError."""


class Process:
    """A process of this computer."""

    name = "process"
    emulated = False
    note = ""

    def __init__(self, program: Path) -> None:
        self.program = program

    def run(self, script: str) -> str:
        out, err = process.Kept(), process.Kept()
        status = process.run([str(self.program), "sh", "-c", script], out=out, err=err, grace=0.1)
        if status:
            raise CourseError("the process failed", status=status, detail=err.text)
        return out.text


class Container:
    """A container of the engine, which does nothing until it is asked to."""

    name = "container"

    def __init__(self, lab: Lab) -> None:
        self.id = lab.new_container(["sleep", "100000"], publish=["127.0.0.1::8099"])
        self._api = lab.api
        self.emulated, self.note = lab.engine_emulated

    def run(self, script: str) -> str:
        made = self._api.exec_create(self.id, ["busybox", "sh", "-c", script])
        out: bytes = self._api.exec_start(made["Id"])
        status = self._api.exec_inspect(made["Id"])["ExitCode"]
        if status:
            raise EngineError(
                "the program in the container failed", status=status,
                detail=out.decode("utf-8", "replace"),
            )  # fmt: skip
        return out.decode("utf-8", "replace")

    @property
    def port(self) -> int:
        """The port of this computer that leads to its port 8099."""
        ports = self._api.inspect_container(self.id)["NetworkSettings"]["Ports"]
        return int(ports["8099/tcp"][0]["HostPort"])


class Machine:
    """A machine that vagrant made."""

    name = "machine"
    note = ""

    def __init__(self, vagrant: Vagrant) -> None:
        self.vagrant = vagrant
        self.emulated = vagrant.emulated

    def run(self, script: str) -> str:
        return self.vagrant.ssh(f"exec /tmp/busybox sh <<'COURSE-END'\n{script}\nCOURSE-END")


class Lab:
    """What an experiment needs; made at first use, removed by `close`.

    quick: fewer and smaller runs. repeat: how many runs, instead of the experiment's own number.
    missing: why a subject is not there, by its name.
    """

    def __init__(
        self, *, quick: bool = False, repeat: int | None = None, progress: Progress = quiet
    ) -> None:
        self.quick = quick
        self.missing: dict[str, str] = {}
        self._repeat = repeat
        self._progress = progress
        self._done, self._total = 0, 1
        self._begun = clock()
        self._cut = False
        self._folder = Path(tempfile.mkdtemp(prefix="course-measure-"))
        self._containers: list[str] = []
        self._vagrant: Vagrant | None = None
        self._made: dict[str, Subject] = {}
        self._program: Path | None = None
        #: Open while the experiment runs: ends what waits for an engine that hangs.
        self.watching = contextlib.ExitStack()
        self._watched: engine.Engine | None = None

    # --- how often, how far -----------------------------------------------------------------

    def runs(self, usual: int, quick: int) -> int:
        """How many times to measure."""
        return self._repeat or (quick if self.quick else usual)

    def times(self, runs: int, words: str) -> Iterator[int]:
        """The runs, each a step: at least one, no further one that the minute has no room for.

        words: what is run, for the progress. With `repeat` all runs, however long they take.
        """
        begun = clock()
        for n in range(runs):
            last, begun = clock() - begun, clock()
            if n and self._repeat is None and begun + last - self._begun > _ENOUGH:
                self._cut = True
                self._done = min(self._done + runs - n, self._total)
                return
            with self.step(f"{words} {n + 1} of {runs}"):
                yield n

    def expect(self, steps: int) -> None:
        """The experiment will have so many steps."""
        self._done, self._total = 0, max(steps, 1)
        self._progress(0, self._total, "getting ready")

    @contextlib.contextmanager
    def step(self, words: str) -> Iterator[None]:
        """A step of the experiment, done when the block ends."""
        self._progress(self._done, self._total, words)
        yield
        self._done = min(self._done + 1, self._total)
        self._progress(self._done, self._total, words)

    # --- the subjects -----------------------------------------------------------------------

    def subjects(self, *names: str) -> Iterator[Subject]:
        """Those that are there, one after the other; the others' reasons go to `missing`."""
        for name in names or SUBJECTS:
            with self.noting(name):
                yield self.subject(name)

    @contextlib.contextmanager
    def noting(self, name: str) -> Iterator[None]:
        """A fault of a subject is noted in `missing` and the experiment goes on."""
        try:
            yield
        except Interrupted:
            raise
        except CourseError as error:
            self.missing[name] = error.message

    def subject(self, name: str) -> Subject:
        """The subject, made at first use. Raises CourseError that says why it is not there."""
        if name not in self._made:
            self._made[name] = self._make(name)
        return self._made[name]

    def _make(self, name: str) -> Subject:
        if name == "process":
            return Process(self.program)
        if name == "container":
            return Container(self)
        vagrant = self.vagrant
        if not vagrant.running:
            self._progress(self._done, self._total, "machine: vagrant up")
            vagrant.up()
        return Machine(vagrant)

    @property
    def vagrant(self) -> Vagrant:
        """The machine, up or not. Raises MachineError without vagrant."""
        from course_magics.experiments.machine import Machine as Vagrant

        if self._vagrant is None:
            program = None
            with contextlib.suppress(CourseError):
                program = self._file()
            self._vagrant = Vagrant(program)
        return self._vagrant

    @property
    def api(self) -> APIClient:
        """The engine's client; while the experiment runs it is seen to that the engine lives."""
        now = engine.current()
        if self._watched is not now:
            self.watching.enter_context(engine.watched(now, "docker"))
            self._watched = now
        return now.api

    @property
    def engine_emulated(self) -> tuple[bool, str]:
        """Whether the engine's own computer is emulated, and what is to be said of it."""
        lease = engine.current().lease
        if lease is None:
            return False, ""
        if lease.ask("facts")["kvm"]:
            return False, "in the embedded engine's machine"
        return True, "in the embedded engine's machine"

    def new_container(
        self,
        command: list[str],
        *,
        image: str = IMAGE,
        start: bool = True,
        **options: object,
    ) -> str:
        """A container of ours, by its id; removed at the end. options: as `docker run` has them."""
        from course_magics.containers.create import create
        from course_magics.containers.create import start as start_it
        from course_magics.containers.options import RunOptions

        wanted = RunOptions(**options)  # type: ignore[arg-type]
        # Signals do nothing to a process number 1 without an init, and removal would wait for it.
        with engine.talking(f"docker run {image}") as api:
            id = create(api, image, command, wanted, foreground=True)
            self._containers.append(id)
            if start:
                start_it(api, id, wanted.publishes)
        return id

    def remove_container(self, id: str) -> None:
        """Remove a container of ours."""
        with engine.talking("docker rm") as api:
            api.remove_container(id, force=True, v=True)
        self._containers.remove(id)

    # --- the program ------------------------------------------------------------------------

    @property
    def program(self) -> Path:
        """The program on this computer. Raises CourseError where it does not run here."""
        if sys.platform != "linux":
            raise CourseError(f"the program is a Linux one and does not run on {sys.platform}")
        file = self._file()
        try:
            subprocess.run([file, "true"], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            raise CourseError("the program of the image does not run on this computer") from None
        return file

    def _file(self) -> Path:
        """The program out of the image; this computer's own busybox where there is no engine."""
        if self._program is None:
            self._program = self._from_image() or self._from_here()
        return self._program

    def _from_image(self) -> Path | None:
        with contextlib.suppress(EngineError):
            id = self.new_container(["true"], start=False)
            try:
                with (
                    engine.talking("docker cp") as api,
                    sent(api, id, "/bin/busybox", follow=True) as (pieces, _),
                ):
                    data = b"".join(pieces)
            finally:
                self.remove_container(id)
            with tarfile.open(fileobj=io.BytesIO(data)) as tar:
                member = tar.next()
                content = tar.extractfile(member) if member and member.isfile() else None
                if content is None:
                    return None
                file = self._folder / "busybox"
                file.write_bytes(content.read())
            file.chmod(0o755)
            return file
        return None

    def _from_here(self) -> Path:
        found = shutil.which("busybox")
        if found is None:
            raise MachineError("no engine and no busybox here to measure with")
        return Path(found)

    # --- what it was measured on ------------------------------------------------------------

    def how(self, runs: str, *lines: tuple[str, str]) -> list[tuple[str, str]]:
        """Names and values for the result: how and on what it was measured."""
        said = f"median of {runs}; the spread is the smallest and the largest"
        facts = [("measured", "1 run" if runs == "1 run" else said)]
        if self._cut:
            facts.append(
                ("", "fewer runs where a minute was not enough: --repeat N takes its time")
            )
        facts += lines
        facts.append(("process", f"this computer: {_cpu()}, kernel {platform.release()}"))
        if "container" not in self.missing:
            with contextlib.suppress(CourseError):
                found = engine.current()
                info = found.info
                where = "embedded engine: software emulation" if self.engine_emulated[0] else ""
                where = where or "the engine's kernel is this computer's"
                if not self.engine_emulated[0] and info.get("KernelVersion") != platform.release():
                    where = "the engine runs in a machine of its own"
                facts.append(
                    ("container", f"{found.product}, kernel {info.get('KernelVersion')}; {where}")
                )
        if self._vagrant is not None and self._vagrant.running and "machine" not in self.missing:
            with contextlib.suppress(CourseError):
                facts.append(("machine", self._about_machine(self._vagrant)))
        load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
        facts.append(("beside it", f"load {load:.1f} on {os.cpu_count()} processors"))
        return facts

    def _about_machine(self, vagrant: Vagrant) -> str:
        script = "uname -r; nproc; awk '/MemTotal/{print int($2/1024)}' /proc/meminfo"
        kernel, cpus, memory = vagrant.ssh(script).split()
        made_of = "software emulation" if vagrant.emulated else "hardware virtualization"
        size = f"{cpus} CPUs, {memory} MiB"
        return f"vagrant with {vagrant.provider}, {size}, kernel {kernel}; {made_of}"

    # --- the end ----------------------------------------------------------------------------

    def close(self, *, now: bool = False) -> list[str]:
        """Remove all that was made; returns what that was. now: the reader is waiting."""
        removed = []
        if self._containers:
            word = "container" if len(self._containers) == 1 else "containers"
            removed.append(f"{len(self._containers)} {word}")
        for id in list(self._containers):
            with contextlib.suppress(Exception):
                self.remove_container(id)
        if self._vagrant is not None:
            if self._vagrant.running:
                removed.append("1 machine")
            self._vagrant.remove(now=now)
            self._vagrant = None
        shutil.rmtree(self._folder, ignore_errors=True)
        return removed


def _cpu() -> str:
    name = platform.processor() or platform.machine()
    virtual = ""
    with contextlib.suppress(OSError):
        text = Path("/proc/cpuinfo").read_text()
        for line in text.splitlines():
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
                break
        if " hypervisor" in text:
            virtual = " (itself a virtual machine)"
    return f"{os.cpu_count()} × {name}{virtual}"


def clock() -> float:
    """Seconds, for differences."""
    return time.monotonic()

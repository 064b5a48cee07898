"""The faults: each strikes when its block begins and is healed, where it must be, when it ends."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import psutil

from benchmarks.chaos.worlds import World

#: What Python runs at its start: another wall clock in this process; what measures spans is left
#: alone. (libfaketime 0.9.10 shifts both, and then no wait with a limit ends.)
_CLOCK = """\
import datetime, time_machine
time_machine.travel(datetime.datetime.now() + datetime.timedelta(hours={hours})).start()
"""
#: How long a process that is to be struck may take to appear (seconds).
_APPEARS = 5.0
#: How long what is stopped by SIGSTOP stands still (seconds).
STILL = 20.0


@dataclass(frozen=True)
class Fault:
    """name: as the report has it. worlds: where it can happen. strike: a block.

    The block's value: whether there was anything to strike.
    """

    name: str
    worlds: tuple[str, ...]
    strike: Callable[[World], contextlib.AbstractContextManager[bool]]
    #: Whether it happens between two cells, and not in the middle of one.
    between: bool = False
    #: A pattern of the cells in whose middle it happens: others start nothing that it could strike.
    cells: str = ""


def _signal(world: World, name: str, number: int) -> bool:
    until = time.monotonic() + _APPEARS
    while not (found := world.processes(name)) and time.monotonic() < until:
        time.sleep(0.05)
    for one in found:
        with contextlib.suppress(psutil.Error):
            one.send_signal(number)
    return bool(found)


def _killed(name: str) -> Callable[[World], contextlib.AbstractContextManager[bool]]:
    @contextlib.contextmanager
    def strike(world: World) -> Iterator[bool]:
        yield _signal(world, name, signal.SIGKILL)

    return strike


def _stopped(name: str) -> Callable[[World], contextlib.AbstractContextManager[bool]]:
    @contextlib.contextmanager
    def strike(world: World) -> Iterator[bool]:
        struck = _signal(world, name, signal.SIGSTOP)
        try:
            time.sleep(STILL if struck else 0)
        finally:
            if struck:
                _signal(world, name, signal.SIGCONT)
        yield struck

    return strike


@contextlib.contextmanager
def _kernel_killed(world: World) -> Iterator[bool]:
    with contextlib.suppress(OSError):
        os.kill(world.kernels[0].pid, signal.SIGKILL)
    while world.kernels[0].manager.is_alive():
        time.sleep(0.05)
    yield True


@contextlib.contextmanager
def _dockerd_killed(world: World) -> Iterator[bool]:
    """The machine's init starts it again, as systemd would."""
    world.engine.kill()
    yield True
    world.engine.start()


@contextlib.contextmanager
def _host_full(world: World) -> Iterator[bool]:
    """The disk of the state folder has no byte left."""
    fill = world.root / "fill"
    with contextlib.suppress(OSError), fill.open("wb") as file:
        room = os.statvfs(world.root)
        os.posix_fallocate(file.fileno(), 0, max(room.f_bavail * room.f_frsize, 1))
    try:
        yield True
    finally:
        fill.unlink(missing_ok=True)


@contextlib.contextmanager
def _guest_full(world: World) -> Iterator[bool]:
    """The engine's own disk is full; what fills it is a volume that the reader removes."""
    kernel = world.kernel()
    kernel.run(
        "%container run --rm --no-raise -v fill:/f course/busybox sh -c "
        "'for m in 4096 2048 1024 512 256 128 64 32; do fallocate -l ${m}M /f/$m; done; "
        "dd if=/dev/zero of=/f/rest bs=64k'"
    )
    yield True
    world.kernel().run("%container volume rm -f fill")


def _truncated(pattern: str) -> Callable[[World], contextlib.AbstractContextManager[bool]]:
    @contextlib.contextmanager
    def strike(world: World) -> Iterator[bool]:
        """While the engine is stopped, as after a power cut: half of each file, or nothing."""
        world.kernel().run("%engine stop")
        found = [f for f in sorted(world.state.glob(pattern)) if f.is_file() and not f.is_symlink()]
        for file in found:
            os.truncate(file, world.chance.choice((0, file.stat().st_size // 2)))
        yield bool(found)

    return strike


def _clock(hours: int) -> Callable[[World], contextlib.AbstractContextManager[bool]]:
    @contextlib.contextmanager
    def strike(world: World) -> Iterator[bool]:
        """A kernel and an engine that see another time than the files that are there."""
        world.kernel().run("%engine stop")
        start = world.root / f"clock{hours:+d}"
        start.mkdir(exist_ok=True)
        (start / "sitecustomize.py").write_text(_CLOCK.format(hours=hours))
        path = os.pathsep.join((str(start), world.environment["PYTHONPATH"]))
        kernel = world.fresh_kernel(PYTHONPATH=path)
        seen = float(kernel.run("import time; print(time.time())").text)
        yield abs(seen - time.time() - hours * 3600) < 60

    return strike


@contextlib.contextmanager
def _guest_clock(world: World) -> Iterator[bool]:
    """The clock of the engine's machine jumps."""
    ahead = world.chance.choice((3600, -3600))
    world.kernel().run(
        "%container run --rm --no-raise --cap-add SYS_TIME course/busybox "
        f"sh -c 'date -s @$(($(date +%s) + {ahead}))'"
    )
    yield True


@contextlib.contextmanager
def _two_kernels(world: World) -> Iterator[bool]:
    """Two kernels start the engine at the same moment; one of them is killed while it does."""
    world.kernel().run("%engine stop")
    first, second = world.kernel(0), world.kernel(1)
    first.begin("%container ps")
    second.begin("%container ps")
    time.sleep(world.chance.uniform(0, 3))
    with contextlib.suppress(OSError):
        os.kill(second.pid, signal.SIGKILL)
    first.end()
    second.end()
    while second.manager.is_alive():
        time.sleep(0.05)
    yield True


#: The cells that start ssh, and those that start vagrant (machines/live.py reads states itself).
_SSH = "ssh"
_VAGRANT = "reload|halt|snapshot|suspend"
FAULTS = (
    Fault("kill -9 of the kernel", ("embedded", "docker", "machine"), _kernel_killed),
    Fault("kill -9 of the keeper", ("embedded",), _killed("keeper")),
    Fault("kill -9 of QEMU", ("embedded",), _killed("qemu")),
    Fault("kill -9 of ssh", ("embedded",), _killed("ssh")),
    Fault("kill -9 of ssh", ("machine",), _killed("ssh"), cells=_SSH),
    Fault("kill -9 of dockerd", ("docker",), _dockerd_killed),
    Fault("kill -9 of vagrant", ("machine",), _killed("vagrant"), cells=_VAGRANT),
    Fault("kill -9 of the machine's QEMU", ("machine",), _killed("machine")),
    Fault("SIGSTOP of the keeper", ("embedded",), _stopped("keeper")),
    Fault("SIGSTOP of QEMU", ("embedded",), _stopped("qemu")),
    Fault("SIGSTOP of ssh", ("embedded",), _stopped("ssh")),
    Fault("SIGSTOP of ssh", ("machine",), _stopped("ssh"), cells=_SSH),
    Fault("SIGSTOP of dockerd", ("docker",), _stopped("dockerd")),
    Fault("SIGSTOP of the machine's QEMU", ("machine",), _stopped("machine")),
    Fault("this computer's disk is full", ("embedded", "docker"), _host_full),
    Fault("the engine's disk is full", ("embedded",), _guest_full, between=True),
    Fault("truncated JSON of the engine", ("embedded",), _truncated("engine/*.json"), between=True),
    Fault("truncated memory", ("embedded",), _truncated("engine/engine.state"), between=True),
    Fault("truncated keys", ("embedded",), _truncated("engine/k*"), between=True),
    Fault("the clock an hour ahead", ("embedded",), _clock(1), between=True),
    Fault("the clock an hour back", ("embedded",), _clock(-1), between=True),
    Fault("the engine's clock jumps", ("embedded",), _guest_clock, between=True),
    Fault("two kernels at once", ("embedded",), _two_kernels, between=True),
)


def possible(world: str) -> list[Fault]:
    """Those that can happen in this world."""
    return [f for f in FAULTS if world in f.worlds]

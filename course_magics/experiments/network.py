"""How fast this computer fetches data from a server in each."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator
from urllib.request import urlopen

from course_magics.errors import MachineError
from course_magics.experiments.lab import Container, Lab, Machine, Process, clock
from course_magics.experiments.quantity import RATE
from course_magics.experiments.result import Measurement, Series
from course_magics.guest.launch import free_port
from course_magics.patience import LONGER, Patience, limit

_MB = 1_000_000
_SERVE = (
    "mkdir -p /tmp/course-web && cd /tmp/course-web && "
    "dd if=/dev/zero of=data bs=1000000 count={size} 2>/dev/null"
)


def run(lab: Lab) -> Measurement:
    """The same little web server in each, the same client on this computer."""
    size, runs = (16 if lab.quick else 64), lab.runs(5, 3)
    lab.expect(3 * runs)
    series = []
    for name, way in (("process", _process), ("container", _container), ("machine", _machine)):
        values, emulated, note = [], False, ""
        with lab.noting(name), way(lab, size) as port:
            subject = lab.subject(name)
            emulated, note = subject.emulated, subject.note
            for _ in lab.times(runs, f"{name}: fetch"):
                values.append(_fetch(port, size))
        missing = lab.missing.get(name, "")
        series.append(Series(name, RATE, tuple(values), "", emulated, missing, note))
    how = lab.how(
        f"{runs} runs",
        ("work", f"busybox's httpd serves a file of {size} MB; this Python reads it over HTTP"),
        ("way", "process: loopback; container: a published port; machine: a forwarded port"),
    )
    return Measurement("network", "Data fetched a second", series, how)


@contextlib.contextmanager
def _process(lab: Lab, size: int) -> Iterator[int]:
    process, port = lab.subject("process"), free_port()
    assert isinstance(process, Process)
    folder = process.run(f"d=$(mktemp -d); cd $d; {_data(size)}; echo $d").strip()
    server = subprocess.Popen(
        [process.program, "httpd", "-f", "-p", f"127.0.0.1:{port}", "-h", folder],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield port
    finally:
        server.kill()
        server.wait()
        process.run(f"rm -rf {folder}")


@contextlib.contextmanager
def _container(lab: Lab, size: int) -> Iterator[int]:
    container = lab.subject("container")
    assert isinstance(container, Container)
    container.run(f"{_SERVE.format(size=size)} && httpd -p 8099 -h /tmp/course-web")
    yield container.port


@contextlib.contextmanager
def _machine(lab: Lab, size: int) -> Iterator[int]:
    machine = lab.subject("machine")
    assert isinstance(machine, Machine)
    machine.run(f"{_SERVE.format(size=size)} && httpd -p 8099 -h /tmp/course-web")
    yield machine.vagrant.port


def _data(size: int) -> str:
    return f"dd if=/dev/zero of=data bs=1000000 count={size} 2>/dev/null"


def _fetch(port: int, size: int) -> float:
    """Bytes a second. Waits for the server at first."""
    patience = Patience()
    while True:
        begun = clock()
        try:
            with urlopen(f"http://127.0.0.1:{port}/data", timeout=limit()) as answer:
                got = 0
                while piece := answer.read(1 << 16):
                    got += len(piece)
            if got != size * _MB:
                raise MachineError(f"only {got:,} of {size * _MB:,} bytes came")
            return got / (clock() - begun)
        except OSError as error:
            patience.saw()
            if patience.over:
                words = f"the server in it has not answered for {patience.seconds:.0f} s"
                raise MachineError(words, detail=str(error), hint=LONGER) from None
            time.sleep(0.1)

"""QEMU's monitor, where it ends at the wrong moment. A plain socket stands for QEMU: when a real one
goes is a matter of milliseconds."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from course_magics.errors import MachineError
from course_magics.guest.qmp import Qmp

GREETING = b'{"QMP": {}}\n'


@pytest.fixture
def monitor(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "monitor"))
        server.listen()
        yield server


def _meanwhile(does: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=does)
    thread.start()
    return thread


def test_it_ends_before_it_takes_the_connection(tmp_path: Path, monitor: socket.socket) -> None:
    def end() -> None:
        select.select([monitor], [], [])  # somebody waits to be taken
        monitor.close()

    ending = _meanwhile(end)
    with pytest.raises(MachineError, match="closed its monitor"):
        Qmp(tmp_path / "monitor")
    ending.join()


@pytest.mark.parametrize("said", [b"", b'{"QM', GREETING])
def test_it_ends_in_the_middle(tmp_path: Path, monitor: socket.socket, said: bytes) -> None:
    def end() -> None:
        taken, _ = monitor.accept()
        taken.sendall(said)
        taken.close()

    ending = _meanwhile(end)
    with pytest.raises(MachineError, match=r"closed its monitor|went away"):
        Qmp(tmp_path / "monitor")
    ending.join()


def test_it_says_nothing(tmp_path: Path, monitor: socket.socket) -> None:
    with pytest.raises(MachineError, match="does not answer"):
        Qmp(tmp_path / "monitor", answer=0.2)


def test_it_greets_and_obeys(tmp_path: Path, monitor: socket.socket) -> None:
    def serve() -> None:
        taken, _ = monitor.accept()
        with taken, taken.makefile("rwb") as stream:
            stream.write(GREETING)
            stream.flush()
            for answer in (b'{"return": {}}', b'{"event": "RESUME"}\n{"return": 7}'):
                stream.readline()
                stream.write(answer + b"\n")
                stream.flush()

    serving = _meanwhile(serve)
    with Qmp(tmp_path / "monitor") as qmp:
        assert qmp.command("anything") == 7
        assert qmp.events == [{"event": "RESUME"}]
    serving.join()

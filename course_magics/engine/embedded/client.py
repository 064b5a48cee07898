"""This process's side of the embedded engine: find its keeper or start one, and hold on to it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from course_magics import runs, settings, storage
from course_magics.engine.embedded.files import Files, own_folder
from course_magics.engine.embedded.machine import Settings
from course_magics.engine.embedded.prepare import Prepared
from course_magics.errors import EngineError, MachineError
from course_magics.guest.procs import Say, search_path, spent
from course_magics.patience import Patience

#: What the machine itself needs, and what making its snapshot needs besides.
_TO_RUN = ("qemu-system-x86_64", "qemu-img", "ssh", "ssh-keygen")
_TO_PREPARE = ("mmdebstrap", "mke2fs", "apt-get", "dpkg-deb")
_INSTALL = "sudo apt-get install qemu-system-x86 qemu-utils openssh-client"
_GONE = "the embedded engine is not running any more"
_SILENT = "its keeper says nothing"
_LAST_RESORT = """%engine start tries again
where that never helps: %engine reset starts an empty one, without your images and volumes"""


def lacks() -> list[str]:
    """The programs that are missing for the embedded engine here; [] when it can be had."""
    wanted = list(_TO_RUN)
    if _unprepared():
        wanted += _TO_PREPARE
    return [program for program in wanted if shutil.which(program, path=search_path()) is None]


def _unprepared() -> bool:
    """Whether a start lacks a snapshot. A disk that is there lies on its own, or is put aside."""
    there = (own_folder() / "engine.qcow2").exists()  # looked at without making the folder
    return not there and Prepared.newest() is None


class Lease:
    """A hold on the running engine: a connection to its keeper, which counts those that hold one.

    It ends with this process, however that ends. facts: how it was started, with what.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._stream: IO[bytes] = connection.makefile("rb")
        self._one_at_a_time = threading.Lock()
        self.facts: dict[str, Any] = {}

    def await_ready(self, say: Say) -> None:
        """Until the engine answers; `say` is told each step. Raises EngineError when it fails."""
        self._bound()
        step = None
        while True:
            try:
                message = self._read()
            except TimeoutError:
                message = {"failed": _SILENT}
            except (EngineError, ConnectionError):  # it ended before this process could hear why
                raise _not_started(_last_note()) from None
            if "ready" in message:
                self.facts = message["ready"]
                return
            if "failed" in message:
                raise _not_started({**message, "why": message["failed"]})
            if message["step"] != step:  # the same one again: it goes on
                step = str(message["step"])
                say(step)

    @property
    def alive(self) -> bool:
        """Whether the keeper is still there."""
        try:
            self._connection.setblocking(False)
            return self._connection.recv(1, socket.MSG_PEEK) != b""
        except BlockingIOError:
            return True
        except OSError:
            return False

    def ask(self, do: str, **details: Any) -> Any:
        """One call to the keeper. Raises EngineError."""
        with self._one_at_a_time:
            try:
                self._bound()
                self._connection.sendall(json.dumps({"do": do, **details}).encode() + b"\n")
                message = self._read()
                while not {"ok", "failed"} & message.keys():  # it tells of its start first
                    message = self._read()
            except OSError as error:
                raise EngineError(_GONE, detail=str(error)) from None
        if "failed" in message:
            raise EngineError(str(message["failed"]), detail=message.get("detail"))
        return message["ok"]

    def await_end(self) -> None:
        """Until the keeper has gone. Raises EngineError when it does not go."""
        self._bound()
        try:
            while True:
                self._read()
        except TimeoutError:
            raise EngineError(f"the embedded engine does not end: {_SILENT}") from None
        except (OSError, EngineError):
            pass

    def close(self) -> None:
        """Let go."""
        self._stream.close()
        self._connection.close()

    def _bound(self) -> None:
        """From now on it must be heard of now and then: it says something every two seconds."""
        self._connection.settimeout(settings.current().patience)

    def _read(self) -> dict[str, Any]:
        line = self._stream.readline()
        if not line:
            raise EngineError(_GONE, detail=why_it_ended())
        return dict(json.loads(line))


_lease: Lease | None = None


def held() -> Lease | None:
    """This process's hold, where it has one and the engine runs."""
    return _lease if _lease is not None and _lease.alive else None


def start(say: Say) -> Lease:
    """Hold on to the engine, started where it does not run; prepared where it has not been yet.

    say: told each step. Kernels that start at the same moment get the same engine.
    Raises EngineError or MachineError.
    """
    global _lease
    if (lease := held()) is not None:
        return lease
    missing = lacks()
    if missing:
        raise EngineError(
            f"the embedded engine needs {', '.join(missing)}, which is not installed", hint=_INSTALL
        )
    files = Files.mine()
    lease = _connect(files) or _start_keeper(files, say)
    try:
        lease.await_ready(say)
    except BaseException:
        lease.close()
        raise
    _lease = lease
    return lease


def stop(*, save: bool = True, unused: bool = False) -> bool:
    """Stop the engine, for all kernels; its memory is kept unless `save` is False.

    unused: only where nobody holds on to it. Returns whether there was one to stop.
    """
    global _lease
    files = Files.mine()
    lease, _lease = _lease, None
    if lease is None or not lease.alive:
        lease = _connect(files)
    if lease is None:
        return False
    try:
        with contextlib.suppress(EngineError):  # it answers by going
            if lease.ask("stop", save=save, unused=unused) is False:
                return False
        lease.await_end()
    finally:
        lease.close()
    # The next keeper waits for this lock; whoever comes after a stop must find it free.
    files.lock("keeper", wait=True).close()  # type: ignore[union-attr]
    return True


def reset() -> None:
    """Stop the engine and forget its images, containers and volumes: back to the snapshot."""
    stop(save=False)
    Files.mine().forget()


def why_it_ended() -> str | None:
    """What the last keeper said when the engine ended by itself; None when it was asked to."""
    why = _last_note().get("why")
    return None if why is None else str(why)


def _last_note() -> dict[str, Any]:
    try:
        return storage.read_json(Files.mine().ended) or {}
    except (OSError, ValueError):
        return {}


def _not_started(note: dict[str, Any]) -> EngineError:
    return EngineError(
        f"the embedded engine did not start: {note.get('why') or 'its keeper has ended'}",
        detail=note.get("detail"),
        hint=note.get("hint") or _LAST_RESORT,
    )


def socket_path() -> Path:
    """Where the engine's socket is while it runs."""
    return Files.mine().docker


def _connect(files: Files) -> Lease | None:
    """A hold on the keeper that runs, or None."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(str(files.control))
    except OSError:
        connection.close()
        return None
    return Lease(connection)


def _start_keeper(files: Files, say: Say) -> Lease:
    if _unprepared():
        _prepare(say)
    with _locked(files, say):
        if (lease := _connect(files)) is not None:
            return lease
        # One that is ending still has the disk.
        files.lock("keeper", wait=True).close()  # type: ignore[union-attr]
        files.ended.unlink(missing_ok=True)
        with files.keeper_log.open("ab") as log:
            chosen = _settings()
            keeper = subprocess.Popen(
                _python("keeper", str(files.folder), json.dumps(asdict(chosen))),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
                env=_environment(), start_new_session=True,
            )  # fmt: skip
        patience = Patience()
        while (lease := _connect(files)) is None:
            gone = keeper.poll() is not None
            patience.saw(None if gone else spent(keeper.pid))
            if gone or patience.over:
                note = _last_note()
                with contextlib.suppress(OSError):
                    words = files.keeper_log.read_text("utf-8", "replace").strip().splitlines()
                    note.setdefault("detail", "\n".join(words[-5:]))
                raise _not_started(note)
            time.sleep(0.02)
        return lease


def _settings() -> Settings:
    """What the user has set. Raises EngineError where it makes no sense."""
    wanted = settings.current()
    reach = wanted.engine_reach.replace(",", " ").split()
    for port in reach:
        if port != "all" and not (port.isdecimal() and 0 < int(port) < 65536):
            raise EngineError(
                f"engine_reach: {port} is no port",
                hint="%config CourseMagics.engine_reach = '5000 8080', or 'all'",
            )
    return Settings(
        memory=wanted.engine_memory,
        cpus=wanted.engine_cpus,
        idle=wanted.engine_idle,
        patience=wanted.patience,
        reach="all" if "all" in reach else " ".join(sorted(set(reach))),
        folders=wanted.engine_folders,
    )


@contextlib.contextmanager
def _locked(files: Files, say: Say) -> Iterator[None]:
    """One at a time: of two kernels that start together the second finds the first one's keeper."""
    lock = files.lock("start", wait=False)
    if lock is None:
        say("another kernel is starting it")
        lock = files.lock("start", wait=True)
    assert lock is not None
    with lock:
        yield


def _prepare(say: Say) -> None:
    """Make the snapshot, as a process of its own: a kernel has an event loop running already."""
    say("preparing the embedded engine; this happens once and takes some minutes")
    with subprocess.Popen(
        _python("prepare"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, cwd="/", env=_environment(), text=True, errors="replace",
    ) as process:  # fmt: skip
        assert process.stdout is not None
        lines: list[str] = []
        try:
            for line in process.stdout:
                lines.append(line.rstrip())
                if not line.startswith(" "):
                    say(lines[-1])
        except BaseException:
            process.terminate()
            raise
    if process.returncode:
        raise MachineError(
            "the embedded engine could not be prepared",
            command="course-magics engine prepare",
            detail="\n".join(lines[-8:]),
        )


def _python(module: str, *words: str) -> list[str]:
    return [sys.executable, "-m", f"{__package__}.{module}", *words]


def _environment() -> dict[str, str]:
    """This process's, with the package where it was found."""
    package = str(Path(__file__).parents[3])
    path = os.environ.get("PYTHONPATH")
    own = {**os.environ, "PYTHONPATH": f"{package}{os.pathsep}{path}" if path else package}
    own.pop(runs.VARIABLE, None)  # all kernels share the engine: it belongs to no run
    return own

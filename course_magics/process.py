"""Running other programs: output as it comes, an end on ■, and none left by a dead kernel."""

from __future__ import annotations

import contextlib
import ctypes
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from course_magics.streams import Sink

#: Once a program has ended, its pipe may be held open by what it left behind: wait this long (s).
_IDLE = 0.2
#: How long the output of a program that has ended is waited for (seconds).
_LAST_WORDS = 1.0
#: ■: how long a program may take to end by itself, then to obey SIGTERM (seconds).
GRACE, _TERM = 2.0, 0.4
_PR_SET_PDEATHSIG = 1


_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def _die_with_parent() -> None:
    """In the child, before the program: ask Linux for a SIGTERM when this process has gone."""
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def run(
    command: Sequence[str],
    *,
    folder: Path | None = None,
    env: Mapping[str, str] | None = None,
    out: Sink,
    err: Sink,
    lifeline: bytes | None = None,
    grace: float = GRACE,
) -> int:
    """Run `command` to its end, its output going to `out` and `err` as it comes.

    env: added to this process's environment. lifeline: give it a standard input that
    brings these bytes, then nothing, and stays open until it ends (or this process does); otherwise
    it has none.
    Returns the exit status. KeyboardInterrupt and any other exception pass through after the
    program has been stopped: SIGINT, `grace` seconds later SIGTERM to its group, 0.4 s (or
    `grace`, where that is less) later SIGKILL.
    Raises OSError when the program cannot be started.
    """
    process = subprocess.Popen(
        list(command),
        stdin=subprocess.DEVNULL if lifeline is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=folder,
        env={**os.environ, **(env or {})},
        # Its own group: ■ sends SIGINT to the kernel's, and vagrant takes a second one for "now".
        start_new_session=True,
        # One system call without a lock: safe after a fork, whatever other threads do.
        preexec_fn=_die_with_parent if _libc is not None else None,  # noqa: PLW1509
        bufsize=0,
    )
    pieces: queue.SimpleQueue[tuple[Sink, bytes]] = queue.SimpleQueue()
    assert process.stdout is not None and process.stderr is not None
    for pipe, sink in ((process.stdout, out), (process.stderr, err)):
        threading.Thread(target=_read, args=(pipe, sink, pieces), daemon=True).start()
    ended = threading.Event()
    if process.stdin is not None:
        args = (process.stdin, lifeline, ended)
        threading.Thread(target=_feed, args=args, daemon=True).start()
    try:
        try:
            _pass_on(process, pieces)
            return process.wait()
        except BaseException:
            _stop(process, pieces, grace)
            raise
    finally:
        ended.set()


def capture(
    command: Sequence[str], *, folder: Path | None = None, env: Mapping[str, str] | None = None
) -> tuple[int, str, str]:
    """Run `command` to its end. Returns its status, and its output and errors as text."""
    out, err = Kept(), Kept()
    status = run(command, folder=folder, env=env, out=out, err=err)
    return status, out.text, err.text


class Kept:
    """A sink that keeps everything."""

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: bytes) -> None:
        self.data += data

    @property
    def text(self) -> str:
        """What came, as text; broken UTF-8 as U+FFFD."""
        return self.data.decode("utf-8", "replace")


def _read(pipe: IO[bytes], sink: Sink, pieces: queue.SimpleQueue[tuple[Sink, bytes]]) -> None:
    # The thread closes the pipe itself: somebody else's descriptor could get its number.
    with pipe:
        data = b"."
        while data:
            data = os.read(pipe.fileno(), 65536)
            pieces.put((sink, data))


def _feed(pipe: IO[bytes], data: bytes, ended: threading.Event) -> None:
    """Write `data`, and close the pipe when the program has ended."""
    # As above: the thread closes it. What a program that has ended did not read is lost.
    with contextlib.suppress(OSError), pipe:
        left = memoryview(data)
        while left:
            left = left[pipe.write(left) :]
        ended.wait()


def _pass_on(
    process: subprocess.Popen[bytes],
    pieces: queue.SimpleQueue[tuple[Sink, bytes]],
    until: float | None = None,
) -> None:
    """Write what comes, in this thread (a cell's output belongs to it), until the end.

    until: give up at this moment (monotonic seconds).
    """
    open_pipes = 2
    ended: float | None = None
    while open_pipes and (until is None or time.monotonic() < until):
        try:
            sink, data = pieces.get(timeout=_IDLE)
        except queue.Empty:
            # A child that lives on may hold the pipes open for ever. But on a busy computer the
            # last words of a program that has ended can also be still on their way.
            if process.poll() is not None:
                ended = ended or time.monotonic()
                if time.monotonic() - ended > _LAST_WORDS:
                    return
            continue
        if data:
            sink.write(data)
        else:
            open_pipes -= 1


def _stop(
    process: subprocess.Popen[bytes],
    pieces: queue.SimpleQueue[tuple[Sink, bytes]],
    grace: float,
) -> None:
    if process.poll() is None:
        if sys.platform == "win32":  # which has no SIGINT for another process
            process.terminate()
        else:
            process.send_signal(signal.SIGINT)
        end = time.monotonic() + grace
        with contextlib.suppress(KeyboardInterrupt):  # a second ■: no more waiting
            _pass_on(process, pieces, end)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(end - time.monotonic(), 0))
    if process.poll() is None:
        _signal_group(process, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(min(_TERM, grace))
    # Also when it has ended: its helpers (rsync, ssh, qemu-img) are in the same group.
    _signal_group(process, signal.SIGKILL)
    process.wait()


def _signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
    else:
        process.kill()

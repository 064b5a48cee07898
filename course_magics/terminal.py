"""Lines on a terminal: what comes from a notebook, a file or an engine cannot steer it."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import re
import select
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, TextIO

from course_magics import runtime, storage
from course_magics.errors import CourseError, fault_of
from course_magics.text import clean

#: What a shell says of a program that wrote into a closed pipe (128 + SIGPIPE).
_NOT_HEARD = 141


def plain(text: object) -> str:
    """`text` without control characters but the ends of its lines."""
    return "\n".join(clean(line.removesuffix("\r")) for line in str(text).split("\n"))


def say(text: object = "", *, error: bool = False) -> None:
    """Print `text` as `plain` gives it, at once. error: to standard error."""
    out: TextIO = sys.stderr if error else sys.stdout
    print(plain(text), file=out, flush=True)


def show(text: str) -> None:
    """Print a piece of a program's output; how it ends and overwrites its lines stays."""
    pieces = re.split(r"([\r\n\t])", text)
    sys.stdout.write("".join(p if p in ("\r", "\n", "\t") else clean(p) for p in pieces))


class Parser(argparse.ArgumentParser):
    """Words of a command line. Its subparsers are of this class, too."""

    def error(self, message: str) -> NoReturn:
        """The word that is wrong may have come from anywhere: it is shown as all else is."""
        self.print_usage(sys.stderr)
        say(f"{self.prog}: error: {clean(message)}", error=True)
        raise SystemExit(2)


def ready() -> None:
    """Have both streams take any character: one that the locale does not know becomes a `?`."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def run_command(command: Callable[[], int | None]) -> int:
    """Run a command; returns its exit status. A fault is a few lines, never a traceback."""
    ready()
    try:
        try:
            return _run(command)
        finally:
            print(end="", flush=True)  # also where there is no stdout at all (`>&-`)
    except BrokenPipeError:  # `… | head -1`: the reader has closed the pipe
        _silence()
        return _NOT_HEARD


def _run(command: Callable[[], int | None]) -> int:
    try:
        return int(command() or 0)
    except CourseError as error:
        say(error, error=True)
        return 1
    except OSError as error:
        if isinstance(error, BrokenPipeError) and _left():
            raise
        say(_of_system(error), error=True)
        return 1
    except KeyboardInterrupt:
        say("interrupted", error=True)
        return 130


def _of_system(error: OSError) -> CourseError:
    """What this computer refused, as an error of ours."""
    place = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else ""
    if storage.is_full(error):
        return storage.disk_full(place)
    if not place:
        return CourseError(fault_of(error))
    hint = None
    for name, folder in (("COURSE_CACHE", runtime.cache_dir), ("COURSE_STATE", runtime.state_dir)):
        with contextlib.suppress(CourseError):
            if Path(place).absolute().is_relative_to(folder().absolute()):
                hint = f"{name}=/path/to/folder names another folder"
    return CourseError(f"cannot use {place}: {error.strerror}", hint=hint)


def _left() -> list[int]:
    """Which of stdout and stderr are pipes that nobody reads any more."""
    if not hasattr(select, "poll"):  # Windows
        return []
    poll = select.poll()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):  # one without a file
            poll.register(stream.fileno(), 0)
    return [file for file, event in poll.poll(0) if event & select.POLLERR]


def _silence() -> None:
    """Have nothing written to a closed pipe at the end, when Python empties its buffers."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for file in _left():
        os.dup2(nowhere, file)
    os.close(nowhere)

"""Writing a Vagrantfile and having vagrant check it, faults shown on their lines."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from course_magics.display import Block, Command, Line, Shown
from course_magics.errors import MachineError
from course_magics.machines import ensure, program
from course_magics.storage import write_atomic

#: How vagrant and Ruby name a line of the file.
_LINES = (
    re.compile(r"Vagrantfile:(\d+):"),
    re.compile(r"^Line number: ([1-9]\d*)", re.MULTILINE),  # 0 where vagrant could not tell
)
#: Ruby repeats the line and marks the place.
_MARKED = re.compile(r"^(.*\S.*)\n *\^+~*$", re.MULTILINE)
#: A setting that does not exist has no line in vagrant's words, but a name.
_SETTINGS = re.compile(r"following settings shouldn't exist: (.+)")
#: Vagrant's docker provider is asked for.
_DOCKER = re.compile(r"""\.provider[ (]+[:"']docker\b""")
_TRACE = re.compile(r"^\s+from .*\n?", re.MULTILINE)


class Vagrantfile(Shown):
    """A Vagrantfile that was written and found valid. path: the file; folder: its project."""

    def __init__(self, path: Path, command: str) -> None:
        self.path = path
        self.folder = path.parent
        self.command = command

    def blocks(self) -> Sequence[Block]:
        return [Line(f"{program.relative(self.path)}: valid", "good"), Command(self.command)]


def write(folder: Path, text: str) -> Vagrantfile:
    """Write `text` as the Vagrantfile of `folder` (made where it is missing) and validate it.

    Raises MachineError that shows the line at fault; the file stays as written.
    """
    program.find()
    path = folder / "Vagrantfile"
    program.make(folder)
    try:
        write_atomic(path, text, mode=None if path.exists() else 0o644)
    except OSError as error:
        raise MachineError(
            f"{program.relative(path)} cannot be written", detail=str(error)
        ) from None
    return validate(folder, written=True)


def validate(
    folder: Path, flags: Sequence[str] = (), line: str = "", *, written: bool = False
) -> Vagrantfile:
    """Have vagrant check the Vagrantfile of `folder` (`vagrant validate`). Raises as `write`.

    written: it has just been written from a cell; the error says that it stays.
    """
    line = line or program.terminal_line(folder, ["validate", *flags])
    ensure.provider_known()
    words = ["validate", *flags]
    status, out, err = program.capture(folder, words)
    path = folder / "Vagrantfile"
    if status and _for_docker(path) and shutil.which("docker") is None:
        # Vagrant passes over a provider that is not usable here, and then asks for a box.
        status, out, err = program.capture(folder, [*words, "--ignore-provider"])
    if not status:
        return Vagrantfile(path, line)
    told = _TRACE.sub("", err or out).replace(f"{folder.resolve()}/", "").strip()
    number, source = _place(told, path)
    where = f", line {number}: {source}" if number else ""
    raise MachineError(
        f"{program.relative(path)} is not valid{where}",
        command=line,
        status=status,
        detail=told,
        hint="the file stays as written: correct the cell and run it again" if written else None,
    )


def _for_docker(path: Path) -> bool:
    with contextlib.suppress(OSError):
        return _DOCKER.search(path.read_text("utf-8", "replace")) is not None
    return False


def _place(words: str, path: Path) -> tuple[int, str]:
    """The line at fault and its text; 0 where it is not known."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return 0, ""
    for pattern in _LINES:
        if match := pattern.search(words):
            number = min(int(match[1]), len(lines))
            return number, lines[number - 1].strip() if number else ""
    if match := _MARKED.search(words):
        for number, text in enumerate(lines, 1):
            if text.strip() == match[1].strip():
                return number, text.strip()
    if match := _SETTINGS.search(words):
        for name in re.split(r",\s*", match[1].strip()):
            for number, text in enumerate(lines, 1):
                if re.search(rf"\.{re.escape(name)}\b", text.partition("#")[0]):
                    return number, text.strip()
    return 0, ""

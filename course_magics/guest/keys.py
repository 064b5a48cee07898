"""Keys for ssh. No image holds one: each machine is given its own when it starts.

A machine that boots reads the key on its kernel's command line, one that starts from a snapshot is
told it by its guest agent, through a unix socket in a folder of the user's own. Nobody else can
say who may log in, and at no time does a machine take a key that others know.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from course_magics.errors import MachineError
from course_magics.guest.procs import run


def make(path: Path) -> None:
    """Make a key pair: `path` (mode 0600) and `path`.pub."""
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "course", "-f", path])


def public(path: Path) -> str:
    """The public half of the key in the file `path`."""
    return public_file(path).read_text("ascii")


def public_file(path: Path) -> Path:
    """Where the public half of `path` is."""
    return path.with_name(path.name + ".pub")


def whole(path: Path) -> bool:
    """Whether both halves of the key are there and belong to each other."""
    with contextlib.suppress(OSError, ValueError, MachineError):
        return run(["ssh-keygen", "-y", "-P", "", "-f", path]).split()[1] == public(path).split()[1]
    return False


def boot_word(line: str) -> str:
    """What the kernel's command line says of a public key, for the guest's initial RAM disk."""
    kind, key = line.split()[:2]
    return f"course.key={kind},{key}"

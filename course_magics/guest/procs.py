"""Running the tools that guests and images are made with, and finding them."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from course_magics.errors import MachineError

Say = Callable[[str], None]

PACKAGES = {
    "mmdebstrap": "mmdebstrap",
    "mke2fs": "e2fsprogs",
    "qemu-img": "qemu-utils",
    "qemu-system-x86_64": "qemu-system-x86",
    "fakeroot": "fakeroot",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "vagrant": "vagrant",
    "tar": "tar",
    "apt-get": "apt",
    "dpkg-deb": "dpkg",
    "dockerd": "docker.io",
    "ip": "iproute2",
    "unshare": "util-linux",
}
# Not on everybody's PATH, and mke2fs is one of the tools that live there.
_SBIN = ("/usr/local/sbin", "/usr/sbin", "/sbin")


def search_path() -> str:
    """PATH with the sbin folders at its end."""
    path = os.environ.get("PATH", "/usr/local/bin:/usr/bin:/bin").split(os.pathsep)
    return os.pathsep.join([*path, *(folder for folder in _SBIN if folder not in path)])


def need(tool: str) -> str:
    """Full path of `tool`; a MachineError that names the apt package where it is missing."""
    found = shutil.which(tool, path=search_path())
    if found is None:
        package = PACKAGES.get(tool, tool)
        raise MachineError(
            f"{tool} is needed for this and is not installed.",
            hint=f"sudo apt-get install {package}",
        )
    return found


def run(
    command: Sequence[str | Path],
    *,
    say: Say | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> str:
    """Run `command` to its end and return what it printed (stdout and stderr together).

    Each line goes to `say` as it comes. A status other than 0 is a MachineError that carries the
    last 15 lines. An interrupt ends the command before it is passed on.
    """
    words = [str(word) for word in command]
    words[0] = need(words[0])
    environment = {**os.environ, "PATH": search_path(), **(env or {})}
    lines: list[str] = []
    with subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        cwd=cwd,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                lines.append(line.rstrip("\n"))
                if say is not None:
                    say(lines[-1])
        except BaseException:
            process.terminate()
            raise
    if process.returncode != 0:
        raise MachineError(
            f"{Path(words[0]).name} failed.",
            command=shlex.join(words),
            status=process.returncode,
            detail="\n".join(lines[-15:]),
        )
    return "\n".join(lines)


def resident(pid: int) -> int:
    """Memory that a process takes from this computer at this moment, bytes."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024


def spent(pid: int) -> float:
    """Processor time that a process has used so far, seconds. Raises OSError when it has gone."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    return sum(map(int, fields.rpartition(")")[2].split()[11:13])) / os.sysconf("SC_CLK_TCK")


def qemu_version() -> str:
    """Version of the installed QEMU, e.g. ``"7.2.22"``."""
    words = run(["qemu-system-x86_64", "--version"]).split()
    return words[words.index("version") + 1]

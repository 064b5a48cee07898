"""What is done inside the embedded engine's machine: a shell there, and the scripts for it."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import uuid
from importlib.resources import files
from pathlib import Path

from course_magics.engine.embedded.hardware import MOUNT_TAG
from course_magics.errors import MachineError
from course_magics.guest.procs import need

#: dockerd's log in the machine, and the socket that is forwarded.
LOG = "/var/log/dockerd.log"
SOCKET = "/var/run/docker.sock"
#: Who may log in. Empty in the snapshot; the guest agent, which writes it there, runs until then.
AUTHORIZED = "/etc/course/authorized_keys"
NO_AGENT = "kill $(cat /run/course-agent.pid)"
#: Before the snapshot: nobody may log in where it is started.
LET_NOBODY_IN = f": > {AUTHORIZED}; sync"

#: Folders of this computer's root that are the machine's own; all others are shared with it.
_SYSTEM = frozenset(
    "bin boot dev etc lib lib32 lib64 libx32 lost+found proc run sbin sys usr var".split()  # noqa: SIM905
)
#: Where all of this computer is mounted in the machine, and each shared folder from there.
_ALL = "/run/computer"
_OPTIONS = "trans=virtio,version=9p2000.L,msize=512000,cache=mmap,access=any"


#: RNDRESEEDCRNG: what was fed counts now, not at the kernel's next turn, up to a minute later.
_RESEED = """perl -e 'open(my $r, "+<", "/dev/urandom") or die; ioctl($r, 0x5207, 0) or die'"""


def _shareable() -> list[str]:
    """The folders that containers shall be able to mount (`-v`)."""
    return sorted(
        f"/{entry.name}"
        for entry in Path("/").iterdir()
        if entry.name not in _SYSTEM and not entry.is_symlink() and entry.is_dir()
    )


def welcome(seconds: float, seed: str) -> str:
    """A script for a machine that has just started: clock and random numbers.

    seconds: now, since 1970. seed: random hex digits.
    """
    return f"date -u -s @{seconds:.3f}\necho {seed} > /dev/urandom; {_RESEED}"


def share() -> str:
    """A script that mounts the folders of this computer which containers may mount in turn."""
    mounts = [
        f"mkdir -p {path} && mount --bind {_ALL}{path} {path}"
        for path in map(shlex.quote, _shareable())
    ]
    return "\n".join([f"mkdir -p {_ALL}", f"mount -t 9p -o {_OPTIONS} {MOUNT_TAG} {_ALL}", *mounts])


def guard(reach: str) -> str:
    """A script: nothing on this computer's 127.0.0.1 is in reach, but for the ports in `reach`.

    reach: port numbers, or "all". The machine has the same script and runs it as it boots; one
    that an older version has made has none, so this is the whole.
    """
    text = (files("course_magics.engine.embedded") / "inside/guard.sh").read_text("utf-8")
    return f"sh -s -- {shlex.join(reach.split())} <<'GUARD'\n{text}GUARD"


#: Undoes the shared folders, since QEMU cannot save a machine that has them mounted.
FAREWELL = (
    "sync; grep ' 9p ' /proc/mounts | cut -d' ' -f2 | tac | xargs -rn1 umount; "
    "! grep -q ' 9p ' /proc/mounts"
)

#: The shared folders that are mounted.
SHARED = f"grep ' 9p ' /proc/mounts | cut -d' ' -f2 | grep -vx {_ALL}"

#: The dockerd that runs at this moment: another number each time it has ended and begun anew.
DOCKERD = "cat /run/docker.pid 2>/dev/null"

#: Bytes used and free on the machine's disk.
DISK = "df -B1 --output=used,avail / | tail -n 1"

#: Room on the disk that is kept for cleaning up: given free for it, and taken again afterwards.
MAKE_ROOM = "rm -f /var/lib/course-room; sync"
KEEP_ROOM = (
    '[ -e /var/lib/course-room ] || [ "$(df -k --output=avail / | tail -n 1)" -lt 262144 ] '
    "|| fallocate -l 64M /var/lib/course-room"
)

#: Ends the containers in an orderly way, then the machine's writing.
SHUT_DOWN = "kill $(cat /run/docker.pid); while [ -e /run/docker.pid ]; do sleep 0.2; done; sync"


class Shell:
    """A root shell in the machine over one ssh session, which also forwards the docker socket."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._one_at_a_time = asyncio.Lock()

    @classmethod
    async def open(
        cls, key: Path, known_hosts: Path, port: int, *, forward: Path, log: Path
    ) -> Shell:
        """Log in. forward: the socket to make here (mode 0600). log: for ssh's own words.

        Raises MachineError.
        """
        words = [
            need("ssh"), "-F", "none", "-T", "-i", str(key), "-p", str(port),
            "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-o", "LogLevel=ERROR",
            "-o", "HostKeyAlias=engine", "-o", f"UserKnownHostsFile={known_hosts}",
            "-o", "GlobalKnownHostsFile=/dev/null", "-o", "StrictHostKeyChecking=yes",
            "-o", "ExitOnForwardFailure=yes", "-o", "StreamLocalBindUnlink=yes",
            "-o", "StreamLocalBindMask=0177", "-o", "ConnectTimeout=30", "-o", "ControlPath=none",
            "-o", f"Ciphers={CIPHERS}",
            "-L", f"{forward}:{SOCKET}", "root@127.0.0.1", "sh",
        ]  # fmt: skip
        with log.open("ab") as errors:
            process = await asyncio.create_subprocess_exec(
                *words, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
                stderr=errors, start_new_session=True,
            )  # fmt: skip
        return cls(process)

    @property
    def ended(self) -> bool:
        """Whether the session is over."""
        return self._process.returncode is not None

    async def run(self, script: str) -> str:
        """Run `script` in a subshell; returns what it printed. MachineError when ssh ends."""
        return (await self._do(script))[1]

    async def succeeds(self, script: str) -> bool:
        """Whether `script` ends with status 0."""
        return (await self._do(script))[0] == 0

    async def _do(self, script: str) -> tuple[int, str]:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None
        mark = f"@{uuid.uuid4().hex}"
        text = f"( {script}\n) </dev/null 2>&1\necho {mark} $?\n"
        lines: list[str] = []
        async with self._one_at_a_time:
            try:
                stdin.write(text.encode())
                await stdin.drain()
                while line := (await stdout.readline()).decode("utf-8", "replace"):
                    before, found, status = line.partition(mark)
                    lines.append(before)
                    if found:
                        return int(status), "".join(lines)
            except OSError:
                pass
        raise MachineError("the ssh session into the machine ended", detail="".join(lines))

    async def close(self) -> None:
        """End the session."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        await self._process.wait()


#: The quickest in software emulation, which has no instructions for AES: 8 MB/s.
CIPHERS = "chacha20-poly1305@openssh.com"

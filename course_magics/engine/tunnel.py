"""An engine on another computer, over ssh: its socket as a unix socket of this process's own.

One ssh session is kept for as long as this process lives. It finds the socket there, and forwards
it to a socket here that nobody else may open. Unlike `docker system dial-stdio`, which logs in anew
for each request, this needs no docker command on either side, and time-outs work as on any socket.
Ports that containers publish on a machine without an address of its own come through it as well.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import ipaddress
import itertools
import math
import os
import re
import select
import shlex
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urlsplit

from course_magics import runtime
from course_magics.errors import EngineError, Interrupted, OptionError
from course_magics.patience import Patience, limit, until

_OPTIONS = (
    *("-oBatchMode=yes", "-oControlPersist=no", "-oPermitLocalCommand=no"),
    *("-oForwardAgent=no", "-oForwardX11=no", "-oStreamLocalBindMask=0177"),
    "-oStreamLocalBindUnlink=yes",
)
#: So often ssh asks for a sign of life before it gives the session up.
_SIGNS = 4
#: While it logs in, so often it is looked whether anything came (seconds).
_GLANCE = 0.5
_MARK = "course-magics:"
#: Says which socket is there, then waits for the end of its standard input: our own end.
_LOOK = """\
denied=
for s in {sockets}; do
[ -S "$s" ] || continue
if [ -r "$s" ] && [ -w "$s" ]; then echo "{mark} socket $s"; exec cat >/dev/null; fi
denied=$s
done
if [ "$denied" ]; then echo "{mark} denied $denied"; else echo "{mark} none"; fi"""
_USUAL = (
    '"${DOCKER_HOST#unix://}" /var/run/docker.sock "$XDG_RUNTIME_DIR/docker.sock" '
    '"/run/user/$(id -u)/docker.sock" "$HOME/.docker/run/docker.sock" '
    '"/run/user/$(id -u)/podman/podman.sock"'
)
_numbers = itertools.count()
_open: dict[str, Tunnel] = {}


def works_here() -> bool:
    """Whether this computer's ssh can share a session; that of Windows cannot."""
    return sys.platform != "win32"


def to(url: str) -> Tunnel:
    """The tunnel to ssh://[USER@]HOST[:PORT][/SOCKET], opened where there is none yet.

    Raises EngineError that says what is missing, Interrupted after ■.
    """
    tunnel = _open.get(url)
    if tunnel is None or not tunnel.alive:
        if tunnel is not None:
            tunnel.close()
        tunnel = _open[url] = Tunnel(Address.read(url))
    return tunnel


@dataclass(frozen=True)
class Address:
    """Where ssh goes. host: a name of the reader's ssh configuration, or of a computer."""

    url: str
    host: str
    words: tuple[str, ...]
    socket: str = ""

    @classmethod
    def read(cls, url: str) -> Address:
        """Take an ssh:// URL apart. Raises OptionError."""
        parts = urlsplit(url)
        try:
            port, host = parts.port, parts.hostname or ""
        except ValueError:
            port, host = None, ""
        # urlsplit makes it lower case, and ssh's own names are not.
        typed = re.search(re.escape(host), parts.netloc.rpartition("@")[2], re.IGNORECASE)
        host = typed[0] if typed and host else ""
        if not host or host.startswith("-") or (parts.username or "").startswith("-"):
            raise OptionError(
                f"{url} is no address for ssh", hint="ssh://USER@HOST or ssh://USER@HOST:PORT"
            )
        if parts.password:
            raise OptionError(
                "an address for ssh takes no password", hint="use a key: ssh-copy-id USER@HOST"
            )
        words: tuple[str, ...] = ("-l", unquote(parts.username)) if parts.username else ()
        words += ("-p", str(port)) if port else ()
        path = unquote(parts.path)
        return cls(url, host, words, "" if path in ("", "/") else path)

    @functools.cached_property
    def computer(self) -> tuple[str, int]:
        """Name or number of the computer, and its port, as ssh's configuration has them."""
        done = subprocess.run(
            [_ssh(), "-G", *self.words, "--", self.host],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip
        facts = dict(line.partition(" ")[::2] for line in done.stdout.splitlines())
        return facts.get("hostname", self.host), int(facts.get("port", 22))

    @property
    def is_here(self) -> bool:
        """Whether it is a machine on this computer, reached by a port of this computer alone."""
        name = self.computer[0]
        with contextlib.suppress(ValueError):
            return ipaddress.ip_address(name).is_loopback
        return name == "localhost"


class Tunnel:
    """A kept session. socket: the engine's, here. address: where it leads."""

    def __init__(self, address: Address) -> None:
        self.address = address
        folder = runtime.folder()
        _sweep(folder)
        name = f"t-{os.getpid()}-{next(_numbers)}"
        self.socket = folder / f"{name}.sock"
        self._control = folder / f"{name}.ctl"
        self._forwarded: set[tuple[str, int]] = set()
        self._words: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        script = _LOOK.format(
            sockets=shlex.quote(address.socket) if address.socket else _USUAL, mark=_MARK
        )
        self._process = subprocess.Popen(
            [
                *(_ssh(), "-T", "-M", "-S", str(self._control), *_OPTIONS, *_patient()),
                *address.words,
                *("--", address.host, f"exec sh -c {shlex.quote(script)}"),
            ],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._words,
            start_new_session=True,  # ■ is not for it
        )  # fmt: skip
        atexit.register(self.close)
        try:
            self._begin()
        except KeyboardInterrupt:
            self.close()
            raise Interrupted(f"interrupted while logging in at {address.host}") from None
        except BaseException:
            self.close()
            raise

    @property
    def alive(self) -> bool:
        """Whether the session is still there."""
        return self._process.poll() is None

    def forward(self, host: str, port: int) -> None:
        """Have this computer's `port` lead to `port` over there. Raises EngineError: in use here.

        host: the address over there that it is published on.
        """
        if (host, port) in self._forwarded:
            return
        there = f"[{host}]" if ":" in host else host
        words = self._ask("-O", "forward", "-L", f"127.0.0.1:{port}:{there}:{port}")
        if words is not None:
            raise EngineError(
                f"port {port} of this computer cannot lead to {self.address.host}: it is in use",
                detail=words,
                hint=f"choose another port before the colon: -p OTHER:{port}",
            )
        self._forwarded.add((host, port))

    def has(self, path: str) -> bool:
        """Whether there is such a file or folder over there."""
        return self._ask(command=f"test -e {shlex.quote(path)}") is None

    def close(self) -> None:
        """End it."""
        atexit.unregister(self.close)
        if _open.get(self.address.url) is self:
            del _open[self.address.url]
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(2)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        self._words.close()
        for file in (self.socket, self._control):
            file.unlink(missing_ok=True)

    def _begin(self) -> None:
        """Until the socket there is known and forwarded. Raises EngineError."""
        said = self._answer()
        kind, _, path = said.partition(" ")
        if kind == "socket":
            words = self._ask("-O", "forward", "-L", f"{self.socket}:{path}")
            if words is None:
                return
            raise EngineError(
                f"{self.address.host} does not let its docker socket through ssh",
                detail=words,
                hint="its sshd needs: AllowStreamLocalForwarding yes",
            )
        if kind == "denied":
            raise EngineError(
                f"permission denied: {self.address.host} does not let this user at {path}",
                hint=f"there, type: sudo usermod -aG docker $USER    "
                f"(ssh -t {self.address.host} does it from here)",
            )
        if kind == "none":
            wanted = self.address.socket or "/var/run/docker.sock"
            raise EngineError(
                f"no Docker engine runs on {self.address.host}: there is no {wanted}",
                hint="there, type: sudo systemctl start docker    (or install it: docker.io)",
            )
        raise _refused(self.address, self._stderr(), late=self.alive)

    def _answer(self) -> str:
        """What the script over there says; "" when ssh ends, or says nothing for too long."""
        pipe = self._process.stdout
        assert pipe is not None
        text = b""
        patience = Patience()
        while not patience.over:
            patience.saw((len(text), os.fstat(self._words.fileno()).st_size))
            if not select.select([pipe], [], [], min(_GLANCE, patience.seconds))[0]:
                continue
            piece = os.read(pipe.fileno(), 4096)
            if not piece:
                until(lambda: not self.alive)
                break
            text += piece
            # A login may print something of its own first.
            for line in text.decode("utf-8", "replace").splitlines(keepends=True):
                if line.startswith(_MARK) and line.endswith("\n"):
                    return line.removeprefix(_MARK).strip()
        return ""

    def _ask(self, *options: str, command: str = "") -> str | None:
        """One call over the session; None when it went well, else what was said."""
        base = [_ssh(), "-T", "-S", str(self._control), *options, "--", self.address.host]
        try:
            done = subprocess.run(
                [*base, command] if command else base,
                stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                timeout=limit(), errors="replace",
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return "ssh does not answer"
        return None if done.returncode == 0 else done.stderr.strip() or "ssh refused"

    def _stderr(self) -> str:
        self._words.seek(0)
        return self._words.read().decode("utf-8", "replace").strip()


def _patient() -> tuple[str, ...]:
    """How long ssh itself waits: as long as all waits do (the setting `patience`)."""
    seconds = math.ceil(limit())
    return (
        f"-oConnectTimeout={seconds}",
        f"-oServerAliveInterval={max(math.ceil(seconds / _SIGNS), 1)}",
        f"-oServerAliveCountMax={_SIGNS}",
    )


def _ssh() -> str:
    found = shutil.which("ssh")
    if found is None:
        raise EngineError("ssh is not installed", hint="sudo apt-get install openssh-client")
    return found


def _refused(address: Address, words: str, *, late: bool) -> EngineError:
    """The error for a login that did not come about. late: it is still trying."""
    host, low = address.host, words.lower()
    typed = shlex.join(["ssh", *address.words, host])
    signs = (
        ("remote host identification has changed", f"{host} has another key than before",
         f"somebody may be in between; if it was made anew: ssh-keygen -R {address.computer[0]}"),
        ("host key verification failed", f"the key of {host} is not known here",
         f"type `{typed}` in a terminal, compare the key, and answer yes"),
        ("permission denied", f"{host} refused the login: no key of yours is accepted there",
         f"`{shlex.join(['ssh-copy-id', *address.words, host])}` in a terminal brings one there"),
        ("could not resolve", f"there is no computer called {host}",
         "look for a slip in the name; ~/.ssh/config may give it another one"),
        ("connection refused", f"no sshd answers on {host}", "is the machine running?"),
        ("no route to host", f"{host} cannot be reached", "is it running, and in this network?"),
        ("network is unreachable", f"{host} cannot be reached", "is this computer in a network?"),
        ("timed out", f"{host} does not answer", "is it running, and in this network?"),
        ("connection closed", f"{host} closed the connection", f"`{typed}` says more"),
    )  # fmt: skip
    last = words.splitlines()[-1] if words else None
    for sign, message, hint in signs:
        if sign in low:
            return EngineError(message, detail=last, hint=hint)
    if late:
        return EngineError(
            f"{host} accepted the connection and does not answer", detail=last,
            hint=f"`{typed} true` in a terminal shows whether ssh works",
        )  # fmt: skip
    return EngineError(
        f"ssh could not log in at {host}", detail=words or None, hint=f"`{typed}` says more"
    )


def _sweep(folder: Path) -> None:
    """Remove the sockets of processes that were killed."""
    for file in folder.glob("t-*-*.*"):
        pid = file.name.split("-")[1]
        if pid.isdigit() and int(pid) != os.getpid():
            try:
                os.kill(int(pid), 0)
            except ProcessLookupError:
                file.unlink(missing_ok=True)
            except OSError:
                pass

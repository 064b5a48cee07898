"""A whole engine in namespaces of its own, beside the others on this computer (Linux, root).

One process tree: `unshare` gives it its own network, mounts, processes and host name, and dockerd
is started in it. When the first process is killed the kernel takes all of that away, containers and
all, as a power cut does: no mount, no network interface and no process can be left behind. What
does outlive it is removed here: its folder, its socket and its control groups.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_magics import labels, runtime, storage
from course_magics.engine.bridge import Bridge, interface
from course_magics.errors import EngineError
from course_magics.guest.procs import run, search_path
from course_magics.patience import Patience, until
from course_magics.runtime import state_dir

if TYPE_CHECKING:
    from docker import APIClient

Say = Callable[[str], object]

#: One ping of a dockerd that starts may take so long before it is asked anew (seconds).
_PING = 10
_NEEDED = ("ip", "iptables", "mount", "unshare")
_CGROUPS = Path("/sys/fs/cgroup")
#: In a swarm each task asks the registry for its image first, even when the image is here. Where
#: the registry cannot be reached that takes 20 to 40 s a task: then the name servers do not answer.
_ENVIRONMENT = {"DOCKER_SERVICE_PREFER_OFFLINE_IMAGE": "1"}
#: Its first process. $1: host name; $2 and $3: address and gateway; $4: dockerd's settings.
#: It waits for its network before it starts dockerd; when we have gone instead, it goes too.
#: dockerd is not the first process itself: that one has to bury what others leave behind.
_FIRST = """
mount -t tmpfs -o mode=755 tmpfs /run && hostname "$1" && read -r ready || exit 1
ip link set lo up && ip link set eth0 up && ip addr add "$2" dev eth0 || exit 1
ip route add default via "$3"
dockerd --config-file "$4" &
dockerd=$!
trap 'kill $dockerd' TERM
wait $dockerd
while kill -0 $dockerd 2>/dev/null; do wait $dockerd; done
"""


def lacks(programs: Path | None = None) -> list[str]:
    """What keeps this computer from running such an engine, in words; empty where nothing does."""
    if not sys.platform.startswith("linux"):
        return [f"{sys.platform} has no namespaces"]
    found = ["this is not root"] if os.geteuid() != 0 else []
    path = _path(programs)
    missing = [p for p in (*_NEEDED, "dockerd") if shutil.which(p, path=path) is None]
    return [*found, *(f"{p} is not installed" for p in missing)]


def _path(programs: Path | None) -> str:
    return os.pathsep.join([*([str(programs)] if programs else []), search_path()])


class Namespaced:
    """One engine. Its state is on disk and in the kernel: any process may look at it and remove it.

    name: its host name, and that of its folder and socket. bridge: the network it hangs on.
    number: 1 to 250, its place there. programs: the folder with another dockerd and its helpers
    than the installed one. settings: more of dockerd's settings, as daemon.json has them.
    """

    def __init__(
        self,
        name: str,
        bridge: Bridge,
        number: int = 1,
        *,
        programs: Path | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.name = name
        self.bridge = bridge
        self.number = number
        self.folder = state_dir() / "engines" / name
        #: dockerd's log.
        self.log = self.folder / "dockerd.log"
        self.socket = runtime.shared_folder() / f"{name}.sock"
        self.url = f"unix://{self.socket}"
        self._port = interface("ve", name)
        self._pid = self.folder / "pid"
        self._programs = programs
        self._settings = dict(settings or {})
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Its IPv4 address on the bridge. Raises EngineError where there is no bridge."""
        return self.bridge.address(self.number)

    @property
    def pid(self) -> int | None:
        """The process in whose namespaces it lives, for `nsenter`; None when it does not run."""
        if self._process is not None:
            self._process.poll()  # or it would stay a zombie of ours
        try:
            written = self._pid.read_text().strip()
        except (OSError, UnicodeDecodeError):
            return self._found()
        pid, _, started = written.partition(" ")  # as version 0.1.0 wrote it
        if pid.isdigit() and started:
            return int(pid) if labels.started(int(pid)) == started else None
        return labels.lives(written) or self._found()

    def _found(self) -> int | None:
        """The same by the kernel's word, where the file is not there or does not say it."""
        last = b"\0" + os.fsencode(self.folder / "daemon.json") + b"\0"
        for line in Path("/proc").glob("[0-9]*/cmdline") if self.folder.is_dir() else ():
            with contextlib.suppress(OSError):
                words = line.read_bytes()
                if words.startswith(b"unshare\0") and words.endswith(last):
                    return int(line.parent.name)
        return None

    def start(self, *, wait: bool = True) -> None:
        """Start dockerd; its images and containers are those of the last time.

        wait: until it answers. A start that fails or is interrupted leaves nothing running.
        Raises EngineError with the end of its log, MachineError for a missing program.
        """
        if self.pid is not None:
            return
        if found := lacks(self._programs):
            raise EngineError(
                "an engine in namespaces of its own cannot be started here: " + ", ".join(found)
            )
        network = self.bridge.subnet
        storage.private_folder(self.folder)
        try:
            self._start(str(network[1]))
            if wait:
                self.wait()
        except BaseException:
            with unbroken():
                self.kill()
            raise

    def _start(self, gateway: str) -> None:
        settings = {
            "data-root": str(self.folder / "data"),
            "hosts": [self.url],
            "exec-opts": ["native.cgroupdriver=cgroupfs"],
            "cgroup-parent": f"/course-magics/{self.name}",
            **self._settings,
        }
        file = self.folder / "daemon.json"
        storage.write_json(file, settings)
        first = ["sh", "-c", _FIRST, "engine", self.name, f"{self.address}/24", gateway, str(file)]
        own = ["--net", "--mount", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc"]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                ["unshare", *own, "--propagation", "slave", *first],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env={**os.environ, **_ENVIRONMENT, "PATH": _path(self._programs)},
                start_new_session=True,  # ■ and Ctrl-C are not for it
            )
        pid = self._process.pid
        # It waits for us, and ends with us: nothing runs that is not written down.
        storage.write_atomic(self._pid, labels.owner(pid))
        self._entered(pid)
        peer = ["type", "veth", "peer", "name", "eth0", "netns", str(pid)]
        run(["ip", "link", "add", self._port, *peer])
        run(["ip", "link", "set", self._port, "master", self.bridge.name, "up"])
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it has ended: `wait` says why
            self._process.stdin.write(b"ready\n")
            self._process.stdin.close()

    def _entered(self, pid: int) -> None:
        """Wait until the process has its own network: before that it has ours."""
        ours = Path("/proc/self/ns/net").readlink()

        def entered() -> bool:
            with contextlib.suppress(OSError):
                return Path(f"/proc/{pid}/ns/net").readlink() != ours
            return False

        if not until(lambda: entered() or self.pid is None, pause=0.01) or not entered():
            raise self._failed("did not start")

    def wait(self) -> None:
        """Wait until it answers, as long as its log grows. Raises EngineError with its end."""
        patience = Patience()
        while not patience.over:
            if self.pid is None:
                raise self._failed("has ended")
            if self.answers():
                return
            patience.saw(self.log.stat().st_size if self.log.exists() else 0)
            time.sleep(0.1)
        raise self._failed(f"does not answer: its log has not grown for {patience.seconds:.0f} s")

    def answers(self) -> bool:
        """Whether it answers a ping at this moment."""
        import requests
        from docker.errors import DockerException

        if not self.socket.exists():
            return False
        try:
            with contextlib.closing(self._api(timeout=_PING)) as api:
                return bool(api.ping())
        except (DockerException, requests.exceptions.RequestException, OSError):
            return False

    def _api(self, timeout: float) -> APIClient:
        import docker

        return docker.APIClient(base_url=self.url, version="1.40", timeout=timeout)

    def _failed(self, what: str) -> EngineError:
        last = self.log.read_text(errors="replace").splitlines()[-8:] if self.log.exists() else []
        return EngineError(f"the engine {self.name} {what}", detail="\n".join(last) or None)

    def kill(self) -> None:
        """End it at once with all its containers, as a power cut does; its disk stays."""
        pid = self.pid
        if pid is not None:
            children = Path(f"/proc/{pid}/task/{pid}/children")
            with contextlib.suppress(OSError):
                first = [int(p) for p in children.read_text().split()]
                os.kill(pid, signal.SIGKILL)
                # The first process in there ends last: when it has gone, so have all the others.
                _gone([pid, *first])
        if self._process is not None:
            self._process.kill()  # where its pid could not be written down
            self._process.wait()
            if self._process.stdin is not None:
                self._process.stdin.close()
            self._process = None
        # Its end of the cable goes with its namespace; ours, where it had not got its end yet.
        if Path(f"/sys/class/net/{self._port}").exists():
            with contextlib.suppress(EngineError, OSError):
                subprocess.run(
                    ["ip", "link", "delete", self._port], capture_output=True, check=False
                )
        self._pid.unlink(missing_ok=True)
        self.socket.unlink(missing_ok=True)
        _remove_cgroups(self.name)

    def remove(self) -> None:
        """End it and remove all that it had: images, containers, volumes. The bridge stays."""
        with unbroken():
            self.kill()
            shutil.rmtree(self.folder, ignore_errors=True)
            with contextlib.suppress(OSError):  # the folder of all engines, when this was the last
                self.folder.parent.rmdir()


def _gone(pids: list[int]) -> None:
    """Wait until these processes have ended. A zombie has ended."""

    def ended(pid: int) -> bool:
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            return True
        return stat.rpartition(")")[2].split()[0] == "Z"

    for pid in pids:
        until(lambda pid=pid: ended(pid), pause=0.01)  # type: ignore[misc]


def _remove_cgroups(name: str) -> None:
    """Remove the control groups of its containers: the kernel keeps those of the dead."""
    for root in (_CGROUPS, *(p for p in _CGROUPS.glob("*") if p.is_dir())):
        top = root / "course-magics"
        if not (top / name).is_dir():
            continue
        for folder, _, _ in os.walk(top / name, topdown=False):
            _rmdir(Path(folder))
        with contextlib.suppress(OSError):  # another engine's are in it
            top.rmdir()


def _rmdir(group: Path) -> None:
    """Remove one control group; it counts its dead a little longer than they live."""

    def removed() -> bool:
        with contextlib.suppress(OSError):
            group.rmdir()
        return not group.exists()

    def living() -> str:
        with contextlib.suppress(OSError):
            return (group / "cgroup.procs").read_text()
        return ""

    until(removed, sign=living, pause=0.02)


@contextlib.contextmanager
def unbroken() -> Iterator[None]:
    """An interrupt has to wait for the end of the block: half a removal would leave the rest."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pressed: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: pressed.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if pressed:
        signal.raise_signal(signal.SIGINT)  # to whom it is for: a block around this one, too


@contextlib.contextmanager
def engine_beside(
    name: str, *, programs: Path | None = None, settings: Mapping[str, Any] | None = None
) -> Iterator[Namespaced]:
    """An engine of its own that answers, for as long as the block lasts; nothing of it stays."""
    bridge = Bridge(name)
    found = Namespaced(name, bridge, programs=programs, settings=settings)
    try:
        bridge.make()
        found.start()
        yield found
    finally:
        with unbroken():
            found.remove()
            bridge.remove()

"""The bundled Vagrant provider through the real `vagrant`, in a Vagrant home of the test's own."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import time
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from course_magics.guest.box import ensure_box
from course_magics.machines import provider
from course_magics.patience import until

pytestmark = pytest.mark.machine

_PLAIN = """\
Vagrant.configure("2") do |config|
  config.vm.box = "course/debian12"
  {lines}
end
"""


class Project:
    """A folder with a Vagrantfile, and `vagrant` in it."""

    def __init__(self, folder: Path, home: Path, lines: str = "") -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.write(lines)
        clean = {k: v for k, v in os.environ.items() if not k.startswith("VAGRANT_")}
        self.env = {**clean, **provider.environment(), "VAGRANT_HOME": str(home)}

    def write(self, lines: str) -> None:
        (self.folder / "Vagrantfile").write_text(_PLAIN.format(lines=lines))

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["vagrant", *words],
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def vagrant(self, *words: str, fails: bool = False) -> str:
        """What `vagrant WORDS` says; it has to succeed, or to fail."""
        process = self.start(*words)
        out = process.communicate()[0]
        assert (process.returncode != 0) is fails, f"vagrant {' '.join(words)}:\n{out}"
        return out

    def ssh(self, command: str, machine: str = "default") -> str:
        # Vagrant's ssh tells on stderr when it closes.
        out = self.vagrant("ssh", machine, "-c", command)
        return re.sub(r"Connection to .* closed\.\s*", "", out)

    def state(self, machine: str = "default") -> str:
        out = self.vagrant("status", machine, "--machine-readable")
        found = re.search(r",state,(\w+)", out)
        assert found, out
        return found[1]

    def data(self, machine: str = "default") -> Path:
        return self.folder / ".vagrant" / "machines" / machine / "qemu"

    def qemus(self) -> list[int]:
        found = []
        for place in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                here = (place / "cwd").readlink().is_relative_to(self.folder)
                if here and b"qemu-system" in (place / "cmdline").read_bytes():
                    found.append(int(place.name))
        return found


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Vagrant home with the provider and the user's boxes."""
    box = ensure_box(print)
    boxes = next(place for place in box.parents if place.name == "boxes")
    place = tmp_path_factory.mktemp("home")
    for kept in boxes.iterdir():
        (place / "boxes").mkdir(exist_ok=True)
        (place / "boxes" / kept.name).symlink_to(kept)
    provider.install(place)
    return place


Make = Callable[..., Project]


@pytest.fixture
def make(tmp_path: Path, home: Path) -> Iterator[Make]:
    made: list[Project] = []

    def one(lines: str = "", folder: str = "project") -> Project:
        made.append(Project(tmp_path / folder, home, lines))
        return made[-1]

    yield one
    for project in made:
        with contextlib.suppress(AssertionError):
            project.vagrant("destroy", "-f")
        left = project.qemus()
        for number in left:
            os.kill(number, signal.SIGKILL)
        assert not left, "destroy left a QEMU"


def test_install_keeps_what_is_there(tmp_path: Path) -> None:
    file = tmp_path / "Vagrantfile"
    file.write_text("# mine\n")
    assert not provider.installed(tmp_path)
    assert provider.install(tmp_path) == file
    once = file.read_text()
    assert provider.install(tmp_path).read_text() == once
    assert provider.installed(tmp_path)
    assert once.endswith("# mine\n")
    provider.uninstall(tmp_path)
    assert file.read_text() == "# mine\n"
    provider.install(tmp_path / "new")
    provider.uninstall(tmp_path / "new")
    assert not (tmp_path / "new" / "Vagrantfile").exists()


def test_a_machine_from_up_to_destroy(make: Make) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        busy = taken.getsockname()[1]
        # Deep, with what shells and QEMU's options take for signs: the socket's path must stay short.
        one = make(
            'config.vm.hostname = "web.example.test"\n'
            f'config.vm.network "forwarded_port", guest: 80, host: {busy}, auto_correct: true\n'
            'config.vm.provision "file", source: "Vagrantfile", destination: "/tmp/copy"\n'
            'config.vm.provision "shell", inline: "cp /tmp/copy /root/copy; echo provisioned"',
            "deep folder, with signs/" + "x" * 90,
        )
        out = one.vagrant("up")
    assert "with 'qemu' provider" in out
    assert f"Fixed port collision for 80 => {busy}" in out
    assert "default: provisioned" in out
    assert out.index("Waiting for machine") < out.index("SSH address")
    assert one.state() == "running"

    # Vagrant's known key no longer opens it.
    assert (one.data() / "private_key").stat().st_mode & 0o077 == 0
    shown = one.ssh(
        "hostname -f; sudo cmp /root/copy /vagrant/Vagrantfile && echo same;"
        " grep -c 'vagrant insecure' .ssh/authorized_keys; grep -c . .ssh/authorized_keys;"
        " sudo busybox httpd -p 80 -h /vagrant; echo kept > /dev/shm/memory; echo kept > disk; sync"
    )
    assert shown.split() == ["web.example.test", "same", "0", "1"]

    ports = dict(re.findall(r"(\d+) \(guest\) => (\d+) \(host\)", one.vagrant("port")))
    with urllib.request.urlopen(f"http://127.0.0.1:{ports['80']}/Vagrantfile", timeout=20) as page:
        assert b"course/debian12" in page.read()

    # Suspended: no process; resumed: the memory is there, the clock is right.
    one.vagrant("suspend")
    assert (one.state(), one.qemus()) == ("saved", [])
    time.sleep(3)
    assert "Rsyncing" not in one.vagrant("resume")
    kept, seconds = one.ssh("cat /dev/shm/memory; date +%s").split()
    assert kept == "kept"
    assert abs(int(seconds) - time.time()) < 5

    # A snapshot brings back disk and memory, and stays.
    one.vagrant("snapshot", "save", "good")
    one.ssh("rm disk /dev/shm/memory; sync")
    one.vagrant("snapshot", "restore", "good")
    assert one.ssh("cat disk /dev/shm/memory").split() == ["kept", "kept"]
    assert "good" in one.vagrant("snapshot", "list")
    assert "letters" in one.vagrant("snapshot", "save", "no good", fails=True)
    one.vagrant("snapshot", "delete", "good")
    assert "good" not in one.vagrant("snapshot", "list")

    # Killed from outside: it is off, and boots.
    os.kill(one.qemus()[0], signal.SIGKILL)
    assert until(lambda: one.qemus() == [])
    assert one.state() == "aborted"
    out = one.vagrant("up")
    assert "insecure" not in out, "the key was replaced for good"
    assert one.ssh("cat disk; ls /dev/shm").split() == ["kept"]

    one.vagrant("halt")
    assert (one.state(), one.qemus()) == ("poweroff", [])
    one.vagrant("destroy", "-f")
    assert one.state() == "not_created"
    assert list(one.data().glob("*")) == []


def test_a_machine_killed_while_it_shuts_down_is_off(make: Make) -> None:
    """It ended otherwise than Vagrant waits for, which went on waiting for its whole time."""
    one = make("config.vm.graceful_halt_timeout = 100_000")
    one.vagrant("up")
    # Its shutdown says that it has begun, and stands still.
    script = "#!/bin/sh\\necho going down >/dev/console\\nsleep 1000\\n"
    one.ssh(f"printf '{script}' >s; chmod +x s; sudo mv s /usr/local/sbin/systemctl")
    process = one.start("halt")
    console = one.data() / "console.log"
    assert until(lambda: "going down" in console.read_text(errors="replace"))
    os.kill(one.qemus()[0], signal.SIGKILL)
    rest = process.communicate()[0]
    assert process.returncode == 0, rest
    assert "Forcing" not in rest
    assert one.state() == "poweroff"


def test_a_port_whose_owner_does_not_answer_is_taken(make: Make) -> None:
    """A stopped program keeps its ports, and nobody gets through to it."""
    with socket.socket() as owner, contextlib.ExitStack() as waiting:
        owner.bind(("127.0.0.1", 0))
        owner.listen(0)
        port = owner.getsockname()[1]
        full = False
        while not full:  # its queue
            waiter = waiting.enter_context(socket.socket())
            waiter.settimeout(0.5)
            try:
                waiter.connect(("127.0.0.1", port))
            except TimeoutError:
                full = True
        one = make(
            f'config.vm.network "forwarded_port", guest: 22, host: {port}, id: "ssh", '
            "auto_correct: true"
        )
        out = one.vagrant("up")
        assert f"22 => {port}" in out, "the collision was seen"
        assert "Now on port" in out


def test_a_port_that_somebody_takes_meanwhile(make: Make, tmp_path: Path) -> None:
    """Between Vagrant's look and QEMU's start; a stand-in for `qemu-img` takes it just then."""
    with socket.socket() as one_more:
        one_more.bind(("127.0.0.1", 0))
        port = one_more.getsockname()[1]
    (programs := tmp_path / "bin").mkdir()
    real = shutil.which("qemu-img")
    thief = programs / "qemu-img"
    thief.write_text(
        f"#!{sys.executable}\nimport os, subprocess, sys\n"
        f"code = 'import socket, time; s = socket.create_server((\"127.0.0.1\", {port})); '\n"
        "code += 'print(flush=True); time.sleep(60)'\n"
        "if sys.argv[1] == 'create':\n"
        "    p = subprocess.Popen([sys.executable, '-c', code], stdout=subprocess.PIPE, stderr=-3)\n"
        "    p.stdout.readline()\n"
        f"os.execv({real!r}, ['qemu-img', *sys.argv[1:]])\n"
    )
    thief.chmod(0o755)
    one = make(
        f'config.vm.network "forwarded_port", guest: 22, host: {port}, id: "ssh", '
        "auto_correct: true"
    )
    one.env["PATH"] = f"{programs}:{one.env['PATH']}"
    out = one.vagrant("up")
    assert f"collision for 22 => {port}" in out
    assert one.ssh("echo here").strip() == "here"
    # One that the Vagrantfile insists on is not moved.
    other = make(f'config.vm.network "forwarded_port", guest: 80, host: {port}', folder="other")
    other.env["PATH"] = one.env["PATH"]
    assert str(port) in other.vagrant("up", fails=True)


def test_sizes_meant_for_virtualbox_and_an_interrupted_up(make: Make) -> None:
    one = make(
        'config.vm.hostname = "sized"\n'
        'config.vm.provider "virtualbox" do |v|\n'
        '  v.name = "sized"\n  v.memory = 640\n'
        '  v.customize ["modifyvm", :id, "--cpus", "1"]\nend\n'
        'config.vm.provider("libvirt") { |v| v.memory = 2048; v.storage :file, size: "1G" }'
    )
    process = one.start("up")
    assert until(lambda: len(one.qemus()) == 1)
    time.sleep(1)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    process.communicate(timeout=60)
    assert process.returncode != 0
    assert one.state() == "running"
    out = one.vagrant("up")
    assert "start was interrupted" in out
    assert "Setting hostname" in out
    name, cpus, kilobytes = one.ssh(
        "hostname; nproc; awk '/MemTotal/ {print $2}' /proc/meminfo"
    ).split()
    assert (name, cpus) == ("sized", "1")
    assert 540 < int(kilobytes) / 1024 < 640

    # Saved with this hardware, it goes on with this hardware, whatever the Vagrantfile says since.
    one.vagrant("snapshot", "save", "small")
    one.write("config.vm.synced_folder '.', '/vagrant', disabled: true")
    one.vagrant("snapshot", "restore", "small", "--no-start")
    assert one.state() == "saved"
    one.vagrant("resume")
    assert one.ssh("nproc").split() == ["1"]

    # Killed without a chance to clean up, in the middle: destroy finds everything.
    one.vagrant("destroy", "-f")
    process = one.start("up")
    assert until(lambda: len(one.qemus()) == 1)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    one.vagrant("destroy", "-f")
    assert (one.qemus(), one.state()) == ([], "not_created")


def test_two_machines_on_a_private_network(make: Make) -> None:
    both = make(
        "config.vm.synced_folder '.', '/vagrant', disabled: true\n"
        '{ web: { ip: "192.168.56.10" }, db: { type: "dhcp" } }.each do |name, how|\n'
        '  config.vm.define(name) { |m| m.vm.network "private_network", **how }\n'
        "end"
    )
    both.vagrant("up")
    with _listener(both.folder) as heard:
        assert ", 0% packet loss" in both.ssh("ping -c 3 -W 5 192.168.56.102", "web")
        assert ", 0% packet loss" in both.ssh("ping -c 3 -W 5 192.168.56.10", "db")
    assert heard() == "me", "another user hears nothing of it"
    # A machine that comes and goes changes nothing for the other.
    both.vagrant("suspend", "web")
    both.vagrant("resume", "web")
    assert ", 0% packet loss" in both.ssh("ping -c 3 -W 5 192.168.56.102", "web")
    hubs = _hubs(both.folder)
    assert len(hubs) == 1
    # By its number from anywhere, as `vagrant global-status` tells it.
    listed = both.vagrant("global-status")
    number = re.search(r"^(\w{7,})\s+web\s+qemu\s+running", listed, re.MULTILINE)
    assert number, listed
    elsewhere = Project(both.folder.parent / "elsewhere", Path(both.env["VAGRANT_HOME"]))
    elsewhere.vagrant("destroy", "-f", number[1])
    assert len(both.qemus()) == 1
    assert _hubs(both.folder) == hubs
    both.vagrant("halt")
    assert until(lambda: not _hubs(both.folder)), "it ends with the last machine"


def _hubs(project: Path) -> list[int]:
    """The switches of a project's private network, by pid."""
    name = f"/net-{hashlib.sha256(str(project).encode()).hexdigest()[:12]}"
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (place / "cmdline").read_bytes().decode().split("\0")
            if any(w.endswith("hub.rb") for w in words) and any(w.endswith(name) for w in words):
                found.append(int(place.name))
    return found


@contextlib.contextmanager
def _listener(project: Path) -> Iterator[Callable[[], str]]:
    """Another user who listens where the network was before: multicast on loopback.

    What comes back gives what was heard; a word of the test's own is, so listening works.
    """
    number = zlib.crc32(str(project).encode())
    group = f"230.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    port = 20_000 + number % 10_000
    program = (
        "import os, socket, struct, sys\n"
        "if os.getuid() == 0: os.setgid(65534); os.setuid(65534)\n"
        "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)\n"
        "s.bind((sys.argv[1], int(sys.argv[2])))\n"
        "me = socket.inet_aton(sys.argv[1]) + socket.inet_aton('127.0.0.1')\n"
        "s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, me)\n"
        "print('here', flush=True)\n"
        "data = s.recv(65536)\n"
        "print(data.decode() if data == b'me' else 'a frame')\n"
    )
    listening = subprocess.Popen(
        [sys.executable, "-c", program, group, str(port)], stdout=subprocess.PIPE, text=True
    )
    assert listening.stdout is not None
    assert listening.stdout.readline() == "here\n"
    said: list[str] = []
    yield lambda: said[0]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
        sender.sendto(b"me", (group, port))
    said.append(listening.communicate()[0].strip())


def test_faults_are_told(make: Make, home: Path, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        busy = taken.getsockname()[1]
        one = make(f'config.vm.network "forwarded_port", guest: 80, host: {busy}')
        assert f"The forwarded port to {busy} is already in use" in " ".join(
            one.vagrant("up", fails=True).split()
        )
    assert one.qemus() == []
    one.write('config.vm.provider("qemu") { |q| q.memory = 12; q.boot = :warm }')
    out = one.vagrant("validate", fails=True)
    assert "memory takes MiB" in out
    assert "boot takes :snapshot or :cold" in out

    (tmp_path / "metadata.json").write_text('{"provider": "qemu"}')
    with tarfile.open(tmp_path / "other.box", "w") as box:
        box.add(tmp_path / "metadata.json", "metadata.json")
    one.write("")
    one.vagrant("destroy", "-f")
    one.vagrant("box", "add", "--name", "other", str(tmp_path / "other.box"))
    one.write('config.vm.box = "other"')
    assert "guest.json is missing" in one.vagrant("up", fails=True)
    one.vagrant("box", "remove", "other")
    assert "other" not in one.vagrant("box", "list")

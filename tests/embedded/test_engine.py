"""The embedded engine on this computer: started, shared, stopped, killed, filled up."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

from course_magics import engine
from course_magics.engine import embedded
from course_magics.engine.embedded.files import Files
from course_magics.engine.embedded.prepare import Prepared
from course_magics.errors import EngineError
from course_magics.guest.launch import free_port
from course_magics.patience import until
from course_magics.visit import visit
from tests.strangers import PUBLISHED, Stranger, only_root

Cell = Callable[[str], str]

pytestmark = [pytest.mark.embedded, pytest.mark.usefixtures("state")]


@pytest.fixture
def cell(ip: InteractiveShell) -> Cell:
    """Runs a cell, gives its result and what a program printed; fails when the cell fails."""

    def run(text: str) -> str:
        result = ip.run_cell(text)
        result.raise_error()
        return f"{getattr(result.result, 'stdout', '')}{result.result}"

    return run


@pytest.fixture
def fails(ip: InteractiveShell) -> Cell:
    """Runs a cell that must fail with an error of ours; gives its words."""

    def run(text: str) -> str:
        error = ip.run_cell(text).error_in_exec
        assert isinstance(error, EngineError), f"{text}: {error!r}"
        return str(error)

    return run


def qemu_of(state: Path) -> list[int]:
    """The pids of the QEMUs whose disk lies in this state folder."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = place.read_bytes().split(b"\0")
        except OSError:
            continue
        if b"qemu" in words[0] and any(str(state).encode() in word for word in words):
            found.append(int(place.parent.name))
    return found


def fetch(port: int, path: str = "") -> bytes:
    return visit(f"http://127.0.0.1:{port}/{path}").encode()


@only_root
def test_a_new_engine_lets_nobody_in_while_it_starts(state: Path) -> None:
    """A stranger who can read the snapshot, as everybody can where a class shares one."""
    prepared = Prepared.newest()
    assert prepared is not None
    key = prepared.key.read_text() if prepared.key.exists() else PUBLISHED
    embedded.reset()
    assert not Files.mine().disk.exists(), "as before the first start of all"
    with Stranger(key, "root vagrant") as stranger:
        engine.current()
    assert stranger.refused, "there was a door to knock at"
    assert stranger.opened == []
    # The counter-test: with the user's key the same stranger would get in.
    with Stranger(Files.mine().key.read_text(), "root", old=True) as knowing:
        pass
    assert "root" in [opened[1] for opened in knowing.opened]


def test_it_is_a_real_docker_of_its_own(cell: Cell, state: Path) -> None:
    report = cell("%engine")
    assert "embedded" in report
    assert "MiB" in report
    run = cell("%container run --rm course/busybox cat /proc/version")
    assert Path("/proc/version").read_text().strip() not in run
    assert "Debian" in run
    assert len(qemu_of(state)) == 1


def test_the_socket_is_for_its_user_alone(state: Path) -> None:
    engine.current()
    files = Files.mine()
    for path in (files.docker, files.control, files.monitor, files.key):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    assert stat.S_IMODE(files.docker.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(files.folder.stat().st_mode) == 0o700


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_another_user_of_this_computer_cannot_reach_it(state: Path) -> None:
    engine.current()
    files = Files.mine()
    knock = (
        "import os, socket, sys\nos.setgid(65534); os.setuid(65534)\n"
        "for path in sys.argv[1:]:\n"
        "    try: socket.socket(socket.AF_UNIX).connect(path)\n"
        "    except PermissionError: print('refused')\n"
        "    else: print('reached')\n"
    )
    places = [str(p) for p in (files.docker, files.control, files.monitor)]
    words = [sys.executable, "-c", knock, *places]
    assert subprocess.run(words, capture_output=True, text=True).stdout.split() == ["refused"] * 3
    # The counter-test: the same knock by the user.
    mine = [sys.executable, "-c", knock.replace("os.setgid(65534); os.setuid(65534)", ""), *places]
    assert "reached" in subprocess.run(mine, capture_output=True, text=True).stdout
    # sshd listens on a port of loopback, where only the key opens.
    lease = embedded.held()
    assert lease is not None
    port = str(lease.facts["port"])
    options = ["-oBatchMode=yes", "-oStrictHostKeyChecking=no", "-oUserKnownHostsFile=/dev/null"]
    login = ["ssh", "-F", "none", *options, "-oIdentityFile=none", "-p", port, "root@127.0.0.1"]
    done = subprocess.run([*login, "true"], capture_output=True, text=True)
    assert "Permission denied" in done.stderr


def test_the_snapshot_needs_nothing_outside_its_folder(state: Path) -> None:
    """It outlives the guest that it was made from."""
    engine.current()
    base = Path(json.loads(Files.mine().base.read_text())["folder"])
    info = subprocess.run(
        ["qemu-img", "info", "-U", "--output=json", base / "engine.qcow2"], capture_output=True
    )
    assert json.loads(info.stdout)["backing-filename"] == "disk.qcow2"


def test_only_the_users_own_key_opens_the_engine(state: Path) -> None:
    """The snapshot takes none: everybody on this computer may be able to read it."""
    engine.current()
    files = Files.mine()
    base = Path(json.loads(files.base.read_text())["folder"])
    assert not (base / "key").exists()
    lease = embedded.held()
    assert lease is not None
    listed = subprocess.run(
        [
            "docker",
            "-H",
            f"unix://{files.docker}",
            "run",
            "--rm",
            "-v",
            "/etc/course:/c:ro",
            "course/busybox",
            "cat",
            "/c/authorized_keys",
        ],
        capture_output=True,
        text=True,
    ).stdout
    assert listed == files.key.with_name("key.pub").read_text()


def test_a_published_port_is_reached_here(cell: Cell) -> None:
    for where in ("", "127.0.0.1:"):
        port = free_port()
        shown = cell(
            f"%container run -d --name page -p {where}{port}:80 course/busybox "
            "sh -c 'echo hello > /var/www/index.html; httpd -f -h /var/www'"
        )
        assert f"{port}/" in shown
        assert fetch(port) == b"hello\n"
        cell("%container rm -f page")

        def free(port: int = port) -> bool:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=10).close()
            except OSError:
                return True
            return False

        until(free, pause=0.1, what="the port stays open")


def test_a_port_that_the_engine_chooses_is_no_connection_s(cell: Cell) -> None:
    """Linux gives 32768 to 60999 to any connection of this computer: the port could be in use."""
    cell("%container run -d --name chosen -p 80 course/busybox httpd -f -h /etc")
    port = int(cell("%container port chosen 80").rpartition(":")[2].split()[0])
    assert port > 60999
    assert fetch(port, "hostname").strip()
    cell("%container rm -f chosen")


def test_a_port_in_use_here_is_refused(cell: Cell, fails: Cell) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        words = fails(f"%container run -d --name taken -p {port}:80 course/busybox sleep 60")
    assert f"port {port} of this computer is in use" in words
    cell("%container rm -f taken")


def test_a_folder_of_this_computer_is_seen_live(cell: Cell, here: Path) -> None:
    (here / "from-here").write_text("one\n")
    cell("%container run -d --name live -v $PWD:/work course/busybox sleep 300")
    assert "one" in cell("%container exec live cat /work/from-here")
    (here / "from-here").write_text("two\n")
    assert "two" in cell("%container exec live cat /work/from-here")
    cell("%container exec live sh -c 'echo three > /work/from-there'")
    assert (here / "from-there").read_text() == "three\n"
    assert (here / "from-there").stat().st_uid == os.getuid()
    cell("%container rm -f live")


def test_a_folder_that_it_cannot_see_is_refused(fails: Cell) -> None:
    words = fails("%container run --rm -v /etc:/host course/busybox ls /host")
    assert "/etc cannot be mounted" in words
    assert "%container cp" in words


def test_kernels_share_it_and_the_last_one_lets_it_stop(state: Path) -> None:
    """Two that start at the same moment get one machine; after both have gone it ends."""
    engine.forget()
    embedded.stop()
    code = (
        "from course_magics import engine, settings\n"
        "settings.current().engine_idle = 1\n"
        "print(engine.current().version, flush=True)\ninput()\n"
    )
    kernels = [
        subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    versions = [kernel.stdout.readline() for kernel in kernels]  # type: ignore[union-attr]
    assert versions[0] == versions[1] != ""
    assert len(qemu_of(state)) == 1
    kernels[0].kill()  # as a kernel that crashes
    kernels[0].wait()
    time.sleep(5)
    assert len(qemu_of(state)) == 1, "it stopped under a kernel's feet"
    kernels[1].communicate("\n")
    until(lambda: not qemu_of(state), pause=0.2)
    assert qemu_of(state) == []


def test_who_holds_no_lease_can_stop_it(state: Path) -> None:
    engine.current()
    code = "import sys; from course_magics.cli import main; sys.exit(main(['engine', 'stop']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert qemu_of(state) == []
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "it does not run\n"


def test_what_is_in_it_survives_a_stop(cell: Cell, state: Path) -> None:
    cell(
        "%container run -d --name stays -v kept:/data course/busybox sh -c 'echo k > /data/f; sleep 900'"
    )
    assert "is stopped" in cell("%engine stop")
    assert qemu_of(state) == []
    assert "k" in cell("%container exec stays cat /data/f"), "it runs on, not anew"
    assert "going on from the memory" in cell("%engine")
    cell("%container rm -f stays")


def test_a_stop_with_a_mounted_folder_keeps_all_but_what_runs(cell: Cell, here: Path) -> None:
    cell("%container run -d --name mounted -v $PWD:/work course/busybox sleep 900")
    cell("%engine stop")
    assert "exited" in cell("%container ps -a --filter name=mounted")
    cell("%container start mounted")
    cell("%container rm -f mounted")


def test_killed_in_the_middle_of_a_build(cell: Cell, fails: Cell, state: Path) -> None:
    cell("%container run --name before course/busybox true")

    def kill() -> None:
        time.sleep(4)
        for pid in qemu_of(state):
            os.kill(pid, signal.SIGKILL)

    threading.Thread(target=kill).start()
    words = fails("%%dockerfile -t doomed\nFROM course/busybox\nRUN sleep 60\n")
    assert "the embedded engine stopped: its QEMU was killed by signal 9" in words
    assert "the next cell starts it again" in words
    assert "before" in cell("%container ps -a"), "what was there before is there"
    assert "ok" in cell("%container run --rm course/busybox echo ok")
    cell("%container rm before")


def test_a_killed_keeper_takes_its_machine_along(cell: Cell, state: Path) -> None:
    """No machine is left that nobody looks after, and the next cell finds the way clear."""
    cell("%container run --name before course/busybox true")
    (qemu,) = qemu_of(state)
    keeper = int(Path(f"/proc/{qemu}/stat").read_text().rpartition(")")[2].split()[1])
    assert "keeper" in Path(f"/proc/{keeper}/cmdline").read_text()
    os.kill(keeper, signal.SIGKILL)
    # QEMU goes with the keeper's first thread, our connection with the last: a cell between the two
    # would still be led to the old engine, and told that it stopped.
    until(lambda: not (qemu_of(state) or embedded.held()), pause=0.1)
    assert qemu_of(state) == []
    assert embedded.held() is None
    assert "before" in cell("%container ps -a")
    cell("%container rm before")


def test_a_full_disk_says_so_and_clean_helps(cell: Cell, ip: InteractiveShell) -> None:
    cell("%container run -d --name big course/busybox sleep 900")
    failed = ip.run_cell(
        "%container exec big sh -c 'for m in 4096 2048 1024 512 256 128; do fallocate -l ${m}M /f$m; "
        "done; dd if=/dev/zero of=/fill bs=1M; echo more > /again && sync'"
    ).error_in_exec
    assert failed is not None
    error = ip.run_cell("%%dockerfile -t more\nFROM course/busybox\nRUN echo x > /x").error_in_exec
    assert error is not None, "there was room"
    assert "no space left" in str(error).lower()
    assert "%engine clean" in str(error)
    cell("%engine clean")
    cell("%%dockerfile -t more\nFROM course/busybox\nRUN echo x > /x")
    cell("%container rmi more")


def test_reset_goes_back_to_the_snapshot(cell: Cell) -> None:
    cell("%container run --name goes course/busybox true")
    assert "as it was at first" in cell("%engine reset")
    assert "goes" not in cell("%container ps -a")
    assert "course/python" in cell("%container images")


def test_other_sizes_boot_cold(cell: Cell) -> None:
    cell("%engine stop")
    cell("%config CourseMagics.engine_memory = 640")
    try:
        assert "640 MiB" in cell("%engine")
        assert "booting" in cell("%engine")
    finally:
        cell("%config CourseMagics.engine_memory = 0")
        cell("%engine reset")


def test_a_machine_that_does_not_start_says_why(fails: Cell, cell: Cell) -> None:
    cell("%container ps")
    cell("%engine stop")
    disk = Files.mine().disk
    disk.write_bytes(b"no disk")
    words = fails("%container ps")
    assert "did not start" in words
    assert "%engine reset" in words
    cell("%engine reset")
    cell("%container ps")

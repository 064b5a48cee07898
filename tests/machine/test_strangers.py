"""Another user of the computer beside machines that start: no key that others know opens one."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from course_magics.guest.build import build_guest
from course_magics.guest.launch import Machine
from course_magics.guest.snapshot import take_snapshot
from tests.machine.test_provider import Make, home, make  # noqa: F401
from tests.strangers import Stranger, only_root

pytestmark = [pytest.mark.machine, only_root]


@pytest.mark.parametrize("ready", [True, False], ids=["snapshot", "boot"])
def test_a_machine_that_starts_lets_nobody_in(ready: bool) -> None:
    guest = build_guest(print)
    with contextlib.ExitStack() as stack:
        # It knocks once more before it ends: at a machine that is up.
        with Stranger() as stranger:
            machine = stack.enter_context(Machine(guest, ready=ready))
            machine.wait_ssh()
        # The counter-test: with the machine's own key the same stranger would get in.
        with Stranger((machine.folder / "key").read_text(), old=True) as knowing:
            pass
        whoami = machine.ssh("cat .ssh/authorized_keys; id -un")
        ours = " ".join(machine.public_key.split()[:2])
    assert machine.port in stranger.refused, "there was a door to knock at"
    assert stranger.opened == []
    assert [opened[:2] for opened in knowing.opened] == [[machine.port, "vagrant"]]
    lines = whoami.split("\n")
    assert lines[-2:] == ["vagrant", ""]
    assert [line for line in lines[:-2] if line] == [ours]


def test_a_snapshot_in_the_making_lets_nobody_in(tmp_path: Path) -> None:
    """Somebody who got in then would be in every machine that is started from it."""
    guest = build_guest(print)
    for name in guest.files.values():
        (tmp_path / name).symlink_to(guest.folder / name)
    with Stranger() as stranger:
        take_snapshot(guest, tmp_path / "new.qcow2", tmp_path / "new.state", print)
    assert stranger.refused
    assert stranger.opened == []


def test_vagrant_up_lets_nobody_in(make: Make) -> None:  # noqa: F811
    one = make("config.vm.synced_folder '.', '/vagrant', disabled: true")
    with Stranger() as stranger:
        out = one.vagrant("up")
    assert stranger.refused
    assert stranger.opened == []
    assert "insecure" not in out
    # Vagrant has another way in, as with any box.
    config = one.vagrant("ssh-config")
    assert f"IdentityFile {one.data() / 'private_key'}" in config
    private = (one.data() / "private_key").read_text()
    port = int(config.partition("Port ")[2].split()[0])
    with Stranger(private, old=True) as knowing:
        pass
    assert [port, "vagrant"] in [opened[:2] for opened in knowing.opened]
    # After a boot as well, and with lines that the user has put in.
    one.ssh("ssh-keygen -q -t ed25519 -N '' -f k && cat k.pub >> .ssh/authorized_keys; sync")
    one.vagrant("halt")
    with Stranger() as stranger:
        one.vagrant("up")
    assert stranger.refused
    assert stranger.opened == []
    assert one.ssh("grep -c . .ssh/authorized_keys").strip() == "2"
    for name in ("private_key", "machine.json", "ports.json"):
        assert (one.data() / name).stat().st_mode & 0o077 == 0
    assert one.data().stat().st_mode & 0o777 == 0o700


@pytest.fixture
def open_folder() -> Iterator[str]:
    """A folder that everybody can look into; pytest's own are private."""
    with tempfile.TemporaryDirectory(prefix="course-test-") as place:
        Path(place).chmod(0o755)
        yield place


def test_a_stranger_reads_nothing_of_a_machine(open_folder: str, make: Make) -> None:  # noqa: F811
    """Its disk, its console and its sockets are its owner's alone, wherever the project lies."""
    one = make("config.vm.synced_folder '.', '/vagrant', disabled: true", open_folder)
    one.vagrant("up")
    (number,) = one.qemus()
    words = Path(f"/proc/{number}/cmdline").read_bytes().decode().split("\0")
    parts = [part for word in words for part in word.split(",")]
    sockets = [part.partition("=")[2] for part in parts if "path=/" in part]
    sockets += [w.partition(":")[2].partition(",")[0] for w in words if w.startswith("unix:")]
    assert sockets
    program = (
        "import os, socket, sys\nos.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "for path in sys.argv[2:]:\n"
        "    try: socket.socket(socket.AF_UNIX).connect(path)\n"
        "    except PermissionError: print('refused')\n"
        "    else: print('reached')\n"
        "for name in 'machine.qcow2', 'console.log', 'private_key':\n"
        "    try: open(sys.argv[1] + '/.vagrant/machines/default/qemu/' + name)\n"
        "    except PermissionError: print('refused')\n"
        "    else: print('read')\n"
        "open(sys.argv[1] + '/Vagrantfile'); print('Vagrantfile')\n"
    )
    command = [sys.executable, "-c", program, open_folder, *sockets]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout.split() == [*["refused"] * (len(sockets) + 3), "Vagrantfile"], done.stderr
    one.vagrant("destroy", "-f")

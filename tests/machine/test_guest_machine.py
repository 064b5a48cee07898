"""The guest itself: built, booted cold, started from its snapshot, added to Vagrant."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from course_magics.errors import MachineError
from course_magics.guest.box import ensure_box, installed_box, pack_box
from course_magics.guest.build import build_guest
from course_magics.guest.fetch import fetch_guest, pack_guest
from course_magics.guest.launch import Machine
from course_magics.guest.model import Guest
from course_magics.guest.procs import run
from course_magics.guest.recipe import recipe_hash
from course_magics.patience import until

pytestmark = pytest.mark.machine


@pytest.fixture(scope="module")
def guest() -> Guest:
    return build_guest(print)


def test_building_again_does_nothing(guest: Guest) -> None:
    lines: list[str] = []
    assert build_guest(lines.append).folder == guest.folder
    assert lines == []


def test_what_is_said_of_it_is_true(guest: Guest) -> None:
    for name, size in guest.data["sizes"].items():
        assert (guest.folder / name).stat().st_size == size
    assert guest.hash in (guest.folder.name, recipe_hash(guest.data["qemu_version"]))
    assert {"docker.io", "openssh-server", "rsync"} <= set(guest.data["packages"])
    assert guest.ready_disk is not None
    info = run(["qemu-img", "info", "--backing-chain", guest.ready_disk])
    assert "backing file: disk.qcow2" in info


def test_a_snapshot_start_is_a_usable_machine(guest: Guest) -> None:
    with Machine(guest, ready=True) as machine:
        machine.wait_ssh(60)
        assert machine.rss_mb() < 400
        assert machine.ssh("whoami; sudo whoami; hostname") == "vagrant\nroot\ndebian12\n"
        assert machine.ssh("systemctl is-system-running") == "running\n"
        assert "10.0.2.15/24" in machine.ssh("ip -4 -o address show eth0")
        assert "1 received" in machine.ssh("ping -c 1 -W 5 10.0.2.2")
        assert "DOWN" in machine.ssh("ip -br link show eth1")
        assert machine.ssh("systemctl is-active docker.socket") == "active\n"
        with pytest.raises(MachineError) as caught:
            machine.ssh("systemctl is-active docker.service containerd.service")
        assert caught.value.status == 3
        host_keys = machine.ssh("cut -d' ' -f1,2 /etc/ssh/ssh_host_*_key.pub").splitlines()
        assert sorted(host_keys) == sorted(guest.data["ssh_host_keys"])


def test_nothing_of_this_host_is_in_the_guest(guest: Guest) -> None:
    with Machine(guest, ready=True) as machine:
        machine.wait_ssh(60)
        urls = machine.ssh("cat /etc/apt/sources.list; ls /etc/apt/sources.list.d")
        assert {line.split()[1] for line in urls.splitlines()} == {
            "http://deb.debian.org/debian",
            "http://deb.debian.org/debian-security",
        }
        assert machine.ssh("ls /usr/local/share/ca-certificates") == ""
        assert machine.ssh("grep -ril proxy /etc/apt /etc/environment /etc/profile || true") == ""
        assert machine.ssh("apt-config dump | grep -iE 'check-date|valid-until' || true") == ""
        assert machine.ssh("cat /proc/sys/kernel/hostname") == "debian12\n"


def test_the_clock_is_right_after_each_kind_of_start(guest: Guest) -> None:
    def error(machine: Machine) -> float:
        before = time.time()
        told = float(machine.ssh("date +%s.%N"))
        return min(abs(told - before), abs(told - time.time()))

    with Machine(guest, ready=True) as machine:
        machine.wait_ssh(60)
        assert until(lambda: error(machine) < 1.5)
        machine.qmp.command("human-monitor-command", command_line="savevm here")
        time.sleep(6)
        machine.qmp.command("human-monitor-command", command_line="loadvm here")
        assert until(lambda: error(machine) < 1.5), "the clock stands still"


def test_two_machines_from_one_snapshot_differ(guest: Guest) -> None:
    with Machine(guest, ready=True) as one, Machine(guest, ready=True) as two:
        one.wait_ssh(60)
        two.wait_ssh(60)
        one.ssh("echo here > /home/vagrant/mark; sync")
        assert two.ssh("ls /home/vagrant") == ""
        booted = "cat /proc/sys/kernel/random/boot_id"
        assert one.ssh(booted) == two.ssh(booted), "neither has booted: both went on"
        read = "head -c 16 /dev/urandom | od -An -tx1"
        assert one.ssh(read) != two.ssh(read)


def test_a_cold_boot_takes_other_sizes_and_powers_off(guest: Guest) -> None:
    with Machine(guest, memory_mb=768, cpus=1) as machine:
        machine.wait_ssh(180)
        machine.ssh("systemctl is-system-running --wait")
        assert machine.ssh("nproc") == "1\n"
        kilobytes = int(machine.ssh("grep MemTotal /proc/meminfo").split()[1])
        assert 650 < kilobytes / 1024 < 768
        # As Vagrant does it when it sets a host name: the network must survive that.
        machine.ssh("sudo systemctl stop ifup@eth0; sudo systemctl start ifup@eth0")
        assert "default via 10.0.2.2" in machine.ssh("ip route")
        assert machine.ssh("getent hosts 10.0.2.2 || true; cat /etc/resolv.conf").count("10.0.2.3")
        machine.qmp.command("system_powerdown")
        with pytest.raises(MachineError, match="QEMU ended"):
            until(machine.check, pause=0.2)


def test_a_snapshot_that_does_not_fit_is_refused(guest: Guest) -> None:
    """What the contract promises to those who start machines: QEMU ends, with a reason."""
    other = Guest(guest.folder, {**guest.data, "memory_mb": 600})
    with Machine(other, ready=True) as machine, pytest.raises(MachineError) as caught:
        machine.wait_ssh(20)
    assert caught.value.message in ("QEMU ended.", "QEMU closed its monitor.", "QEMU went away.")


def test_base_files_are_never_written_to(guest: Guest) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in guest.folder.iterdir()}
    with Machine(guest, ready=True) as machine:
        machine.wait_ssh(60)
        machine.ssh("dd if=/dev/zero of=big bs=1M count=20 2>/dev/null; sync")
    assert {path.name: path.stat().st_mtime_ns for path in guest.folder.iterdir()} == before


def test_a_fetched_guest_boots(
    guest: Guest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = pack_guest(guest, tmp_path / "guest.tar")
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "cache"))
    fetched = fetch_guest((tmp_path / "guest.tar").as_uri(), digest, print)
    assert fetched.folder.is_relative_to(tmp_path)
    assert build_guest(print).folder == fetched.folder, "a fetched guest spares the building"
    with Machine(fetched, ready=True) as machine:
        machine.wait_ssh(60)
        with Machine(guest, ready=True) as first:
            first.wait_ssh(60)
            booted = "cat /proc/sys/kernel/random/boot_id"
            assert machine.ssh(booted) == first.ssh(booted), "its snapshot came along"


def test_the_box_is_added_once(
    guest: Guest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VAGRANT_HOME", str(tmp_path / "home"))
    assert installed_box() is None
    box = ensure_box(print)
    assert box.is_relative_to(tmp_path)
    assert "course/debian12 (qemu" in run(["vagrant", "box", "list"])
    assert Guest.load(box).data == guest.data
    lines: list[str] = []
    assert ensure_box(lines.append) == box
    assert lines == []
    # An installed box of other contents is replaced.
    text = (box / "guest.json").read_text()
    (box / "guest.json").write_text(text.replace(guest.hash, "f" * 16))
    ensure_box(lines.append)
    assert Guest.load(box).hash == guest.hash


def test_the_box_has_what_vagrant_asks_for(guest: Guest, tmp_path: Path) -> None:
    pack_box(guest, tmp_path / "x.box")
    listed = run(["tar", "-tf", tmp_path / "x.box"]).split()
    assert listed[:3] == ["metadata.json", "Vagrantfile", "guest.json"]
    assert set(listed[3:]) == set(guest.files.values())

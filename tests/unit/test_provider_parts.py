"""Parts of the bundled Vagrant provider that need neither vagrant nor a machine, in real Ruby."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from course_magics.machines import provider, quoted
from course_magics.patience import until

_RUBY = shutil.which("ruby") or "/opt/vagrant/embedded/bin/ruby"
pytestmark = pytest.mark.skipif(not Path(_RUBY).exists(), reason="comes with vagrant")
_EVERYBODY = b"\xff" * 6


def _ruby(part: str, script: str) -> str:
    """What a script prints that uses one of the provider's files."""
    place = quoted.ruby(Path(provider.__file__).parent / part)
    text = f"module CourseQemu; class Broken < StandardError; end; end\nrequire {place}\n{script}"
    done = subprocess.run([_RUBY, "-e", text], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_patience_lasts_as_long_as_something_moves() -> None:
    script = """
    looks = 0
    p CourseQemu::Patience.until(-> { looks }, seconds: 0.3) { (looks += 1) > 20 && :found }
    p CourseQemu::Patience.until(-> { :still }, seconds: 0.3) { nil }
    ENV["COURSE_PATIENCE"] = "17"
    p CourseQemu::Patience.usual
    ENV["COURSE_PATIENCE"] = "nonsense"
    p CourseQemu::Patience.usual
    """
    assert _ruby("patience", script).split() == [":found", "nil", "17", "60"]


@pytest.fixture
def network() -> Iterator[tuple[Path, dict[str, socket.socket]]]:
    """A private network with three machines' sockets in it, and its switch."""
    with tempfile.TemporaryDirectory(prefix="net-") as place, contextlib.ExitStack() as stack:
        Path(place).chmod(0o755)  # what holds it is private in real life; this is not relied on
        folder = Path(place) / "net"
        folder.mkdir(0o700)
        machines = {}
        for name in ("one", "two", "three"):
            machines[name] = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
            machines[name].bind(str(folder / name))
            machines[name].settimeout(20)
        joined = f"CourseQemu::Hub.joined({quoted.ruby(folder)}, 'x') {{ |way| puts way }}"
        said = _ruby("hub", joined)
        assert said.startswith(f"dgram,id=net1,local.type=unix,local.path={folder}/x,")
        assert said.strip().endswith(f"remote.type=unix,remote.path={folder}/hub")
        yield folder, machines
        for machine in machines.values():
            machine.close()
        assert until(lambda: not (folder / "hub").exists()), "it ends with the last machine"


def test_the_switch_leads_frames_to_those_they_are_for(
    network: tuple[Path, dict[str, socket.socket]],
) -> None:
    folder, machines = network
    hub = str(folder / "hub")
    one, two, three = machines.values()
    one.sendto(_EVERYBODY + b"ONE___" + b"who is there?", hub)
    for other in (two, three):
        assert other.recv(100) == _EVERYBODY + b"ONE___who is there?"
    two.sendto(b"ONE___" + b"TWO___" + b"two", hub)
    assert one.recv(100) == b"ONE___TWO___two"
    # To one alone, and never back: what comes next is the first thing that the others see.
    three.sendto(_EVERYBODY + b"THREE_" + b"last", hub)
    for other in (one, two):
        assert other.recv(100) == _EVERYBODY + b"THREE_last"
    one.sendto(b"THREE_" + b"ONE___" + b"end", hub)
    assert three.recv(100) == b"THREE_ONE___end"
    # One that goes leaves the others alone, and so does one that takes nothing.
    two.close()
    for number in range(2000):
        one.sendto(_EVERYBODY + b"ONE___" + str(number).encode(), hub)
        assert three.recv(100).endswith(str(number).encode())
    one.sendto(b"short", hub)
    one.sendto(b"THREE_" + b"ONE___" + b"still", hub)
    assert three.recv(100) == b"THREE_ONE___still"


def test_a_second_machine_joins_the_same_switch(
    network: tuple[Path, dict[str, socket.socket]],
) -> None:
    folder, _ = network
    before = (folder / "hub").stat().st_ino
    _ruby("hub", f"CourseQemu::Hub.joined({quoted.ruby(folder)}, 'y') {{ }}")
    assert (folder / "hub").stat().st_ino == before


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_no_other_user_reaches_the_switch(
    network: tuple[Path, dict[str, socket.socket]],
) -> None:
    folder, _ = network
    knock = (
        "import os, socket, sys\n"
        "if sys.argv[2:]: os.setgid(65534); os.setuid(65534)\n"
        "s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
        "try: s.sendto(b'short', sys.argv[1])\n"
        "except PermissionError: print('refused')\n"
        "else: print('reached')\n"
    )
    for words, said in ((["stranger"], "refused"), ([], "reached")):
        command = [sys.executable, "-c", knock, str(folder / "hub"), *words]
        assert subprocess.run(command, capture_output=True, text=True).stdout.strip() == said

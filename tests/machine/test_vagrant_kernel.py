"""■ and a dead kernel in the middle of `%vagrant up`, in a real kernel."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import KernelManager, start_new_kernel

from course_magics.machines import machine as machines
from course_magics.patience import until

pytestmark = [pytest.mark.machine, pytest.mark.alone]

_FILE = 'Vagrant.configure("2") { |config| config.vm.box = "course/debian12" }\n'


@pytest.fixture
def kernel(here: Path) -> Iterator[tuple[KernelManager, Any]]:
    """A kernel in an empty folder with a Vagrantfile and the extension loaded."""
    (here / "Vagrantfile").write_text(_FILE)
    manager, client = start_new_kernel(cwd=str(here))
    try:
        client.execute_interactive("%load_ext course_magics", timeout=30)
        yield manager, client
    finally:
        client.stop_channels()
        if manager.is_alive():
            manager.shutdown_kernel(now=True)
        with contextlib.suppress(Exception):
            machines.change(here, ["destroy", "-f"])


def _until(client: Any, words: str) -> None:
    """Wait until the running cell has printed `words`."""
    while True:  # what comes is progress
        message = client.get_iopub_msg(timeout=60)
        if message["msg_type"] == "stream" and words in message["content"]["text"]:
            return


def _processes(folder: Path) -> list[str]:
    """The command lines of vagrant and QEMU processes that are at home in `folder`."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (place / "cmdline").read_bytes().decode().split("\0")
            ours = any(w.endswith("/vagrant") or "qemu" in w for w in words[:2])
            if ours and (place / "cwd").readlink().is_relative_to(folder):
                found.append(" ".join(words)[:80])
    return found


def test_interrupt(kernel: tuple[KernelManager, Any], here: Path) -> None:
    manager, client = kernel
    client.execute("%vagrant up")
    _until(client, "Waiting for machine")
    manager.interrupt_kernel()
    reply = client.get_shell_msg(timeout=60)["content"]
    assert (reply["status"], reply["ename"]) == ("error", "Interrupted")
    assert "half made" in "".join(reply["traceback"])
    assert not [line for line in _processes(here) if "vagrant" in line.split()[1:2]]
    reply = client.execute_interactive("%vagrant destroy", timeout=60)
    assert reply["content"]["status"] == "ok"
    assert _processes(here) == []
    assert machines.status(here)[0].state == "not_created"


def test_kernel_dies(kernel: tuple[KernelManager, Any], here: Path) -> None:
    manager, client = kernel
    client.execute("%vagrant up")
    _until(client, "Bringing machine")
    manager.shutdown_kernel(now=True)  # SIGKILL
    until(
        lambda: not any("vagrant up" in line for line in _processes(here)),
        sign=lambda: _processes(here),
        pause=0.1,
        what="the end of vagrant",
    )
    machines.change(here, ["destroy", "-f"])
    assert _processes(here) == []
    assert machines.status(here)[0].state == "not_created"

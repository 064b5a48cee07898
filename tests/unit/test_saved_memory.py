"""A saved memory goes with the disk as it was then, whatever fails or is cut off in between.

The disks are real; QEMU itself is played, for what its monitor refuses comes on no demand.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from course_magics.engine.embedded import memory
from course_magics.engine.embedded.disk import look
from course_magics.engine.embedded.files import Files
from course_magics.errors import MachineError

pytestmark = pytest.mark.skipif(shutil.which("qemu-io") is None, reason="qemu-utils")

HARDWARE = {"memory_mb": 512, "cpus": 2, "kvm": False}
#: The end of what QEMU writes: a description, its length before it.
END = b"\0\x06" + (13).to_bytes(4, "big") + b'{"devices":1}'


class Played:
    """QEMU's monitor. refuses: commands that fail."""

    def __init__(self, files: Files, refuses: str = "") -> None:
        self.files, self.refuses = files, refuses

    def hand_over(self, name: str, file: int) -> None:
        os.write(file, b"memory" * 100 + END)

    def command(self, name: str, /, **arguments: Any) -> Any:
        if name == self.refuses:
            raise MachineError("QEMU refused a command.", command=name)
        if name == "blockdev-snapshot-delete-internal-sync":
            words = ["qemu-img", "snapshot", "-d", arguments["name"], self.files.disk]
            subprocess.run(words, check=True)
        return {"status": "completed"}


@pytest.fixture
def files(tmp_path: Path) -> Files:
    found = Files(tmp_path / "engine")
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", found.disk, "1M"], check=True)
    write(found, 1)
    return found


def write(files: Files, value: int) -> None:
    subprocess.run(["qemu-io", "-c", f"write -q -P {value} 0 64k", files.disk], check=True)


def holds(files: Files, value: int) -> bool:
    words = ["qemu-io", "-r", "-c", f"read -q -P {value} 0 64k", files.disk]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


def save(files: Files) -> None:
    memory.save(Played(files), files, HARDWARE, 5)()  # type: ignore[arg-type]


def begin(files: Files, refuses: str = "") -> dict[str, Any] | None:
    """A start that succeeds, and what it loads."""
    found = memory.ready(files)
    memory.forget(files, Played(files, refuses))  # type: ignore[arg-type]
    return found


def marks(files: Files) -> list[str]:
    return [one["name"] for one in look(files.disk).get("snapshots", ())]


def test_a_start_that_fails_may_be_tried_again(files: Files) -> None:
    save(files)
    for _ in range(2):
        assert memory.ready(files) == HARDWARE
        assert holds(files, 1)
        write(files, 2)  # the machine ran on for a while
    assert begin(files) == HARDWARE
    assert holds(files, 1)
    assert marks(files) == []
    assert memory.ready(files) is None


def test_a_mark_that_could_not_be_removed_brings_nothing_back(files: Files) -> None:
    save(files)
    begin(files, refuses="blockdev-snapshot-delete-internal-sync")
    assert len(marks(files)) == 1
    write(files, 2)
    save(files)
    assert memory.ready(files) == HARDWARE
    assert holds(files, 2), "the disk went back to the mark of an older memory"
    assert len(marks(files)) == 1


def test_a_memory_that_could_not_be_removed_is_not_loaded(files: Files) -> None:
    """As after a power cut: what was written down of it is there again, and the disk goes on."""
    save(files)
    kept = {file: file.read_bytes() for file in (files.saved_as, files.saved)}
    begin(files)
    write(files, 2)
    for file, content in kept.items():
        file.write_bytes(content)
    assert memory.ready(files) is None
    assert holds(files, 2)
    save(files)
    files.saved_as.write_bytes(kept[files.saved_as])
    assert memory.ready(files) is None, "another one's"
    assert marks(files) == []


def test_a_mark_without_its_memory_goes(files: Files) -> None:
    save(files)
    write(files, 2)
    files.saved_as.unlink()
    assert memory.ready(files) is None
    assert holds(files, 2)
    assert marks(files) == []


def test_the_memory_of_0_1_0_gets_a_mark_when_it_is_whole(files: Files) -> None:
    save(files)
    memory.unmark(files)
    files.saved_as.write_text(json.dumps(HARDWARE))
    assert memory.ready(files) == HARDWARE
    write(files, 2)
    assert memory.ready(files) == HARDWARE
    assert holds(files, 1)


@pytest.mark.parametrize("left", [0, 100, -1, -len(END), -len(END) + 6])
def test_the_memory_of_0_1_0_that_is_cut_off_is_not_loaded(files: Files, left: int) -> None:
    save(files)
    memory.unmark(files)
    files.saved_as.write_text(json.dumps(HARDWARE))
    os.truncate(files.saved, left if left >= 0 else files.saved.stat().st_size + left)
    assert memory.ready(files) is None

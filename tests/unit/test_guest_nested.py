"""The parts of course/qemu: a kernel out of its bzImage, without the zeros that loading makes anyway."""

from __future__ import annotations

import lzma
import struct
import subprocess
from pathlib import Path

import pytest

from course_magics.errors import MachineError
from course_magics.guest.bases import BASES
from course_magics.guest.images import IMAGES
from course_magics.guest.nested import SCRIPTS, tiny, unpacked, without_zeros


def elf(*segments: bytes) -> bytes:
    """A 64-bit ELF file of these segments, with something behind them."""
    headers, place = b"", 64 + 56 * len(segments)
    for content in segments:
        headers += struct.pack("<IIQQQQQQ", 1, 5, place, 0, 0, len(content), len(content), 16)
        place += len(content)
    head = b"\x7fELF" + bytes(28) + struct.pack("<QQ", 64, place) + bytes(6)
    head += struct.pack("<HHHHH", 56, len(segments), 64, 3, 2)
    return head + headers + b"".join(segments) + b"sections"


def test_a_kernel_is_found_in_its_image() -> None:
    kernel = elf(b"code")
    assert unpacked(b"boot sector" + lzma.compress(kernel) + b"signature") == kernel


@pytest.mark.parametrize("image", [b"no kernel", b"boot" + lzma.compress(b"text")])
def test_another_file_is_refused(image: bytes) -> None:
    with pytest.raises(MachineError, match="kernel"):
        unpacked(image)


def test_zeros_at_the_end_of_a_segment_are_left_to_the_loader() -> None:
    kernel = elf(b"code", b"data" + bytes(5000))
    small = without_zeros(kernel)
    assert len(small) == len(kernel) - 5000 - len(b"sections")
    sizes = [struct.unpack_from("<QQ", small, 64 + 56 * n + 32) for n in range(2)]
    assert sizes == [(4, 4), (4, 5004)]  # in the file, in memory
    assert small.endswith(b"codedata")


@pytest.mark.parametrize("place", SCRIPTS)
def test_its_scripts_are_a_shell_s(place: str, tmp_path: Path) -> None:
    file = tmp_path / "script"
    file.write_text(SCRIPTS[place])
    assert subprocess.run(["sh", "-n", file], capture_output=True, check=False).stderr == b""


def test_it_is_made_only_when_it_is_asked_for() -> None:
    assert BASES["course/qemu"].optional
    assert "course/qemu" not in IMAGES


def test_the_work_is_a_program_of_linux_s(tmp_path: Path) -> None:
    program = tmp_path / "work"
    program.write_bytes(tiny.work())
    program.chmod(0o755)
    assert subprocess.run([program], check=False).returncode == 0


def test_the_work_is_the_same_in_a_process_and_in_the_smallest_machine() -> None:
    loop = bytes.fromhex("01c8ffc975fa")
    assert tiny.work().count(loop) == tiny.machine(2).count(loop) == 1
    assert b"nest 2 end\n" in tiny.machine(2)

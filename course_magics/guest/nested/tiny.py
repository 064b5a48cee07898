"""Two programs of a few bytes: the work, for Linux; and a machine's whole system with that work.

Two levels deep, Linux takes minutes to boot. This system says "nest 2 …" over the serial port, does
the same work with the same instructions, and ends the machine. The engine's own processor may be
made of software, too: then level 1 is two levels deep already.
"""

from __future__ import annotations

import struct

#: How often the loop goes round: some tenths of a second on a processor of today.
COUNT = 400_000_000
_CODE = 0x100000
#: add eax, ecx; dec ecx; jnz back to the first. The same bytes in both programs.
_LOOP = bytes.fromhex("01c8 ffc9 75fa")
#: say: lodsb; test al, al; jz end; out dx, al; jmp say; end: ret
_SAY = bytes.fromhex("ac 84c0 7403 ee ebf8 c3")


def work() -> bytes:
    """The work as a static Linux program: the loop, then exit(0)."""
    code = b"\xb9" + struct.pack("<I", COUNT) + _LOOP  # mov ecx, COUNT
    code += bytes.fromhex("b83c000000 31ff 0f05")  # mov eax, 60; xor edi, edi; syscall
    return _elf(code, 0x400000, b"")


def machine(level: int) -> bytes:
    """A kernel for that level: QEMU starts it in 32-bit mode, as Xen's PVH boot protocol has it.

    Note 18 of "Xen" is the address to start at (https://xenbits.xen.org/docs/unstable/misc/pvh.html).
    """
    words = (
        f"nest {level} kernel tiny\nnest {level} cpu none named\nnest {level} begin\n\0".encode()
    )
    end = f"nest {level} end\n\0".encode()
    say = 46
    first = say + len(_SAY)
    last, nothing = first + len(words), first + len(words) + len(end)
    base = _CODE + _HEAD
    code = bytes.fromhex("baf8030000")  # mov edx, 0x3f8: the serial port
    for text, then in (
        (first, b"\xb9" + struct.pack("<I", COUNT) + _LOOP),
        # lidt [nothing]; int3: with no table of interrupts the processor resets
        (last, b"\x0f\x01\x1d" + struct.pack("<I", base + nothing) + b"\xcc"),
    ):
        code += b"\xbe" + struct.pack("<I", base + text)  # mov esi, text
        code += b"\xe8" + struct.pack("<i", say - len(code) - 5)  # call say
        code += then
    code = code.ljust(say, b"\x90") + _SAY + words + end + bytes(6)
    return _elf(code, _CODE, struct.pack("<III4sQ", 4, 8, 18, b"Xen\0", base))


_HEAD = 64 + 2 * 56 + 24


def _elf(code: bytes, place: int, note: bytes) -> bytes:
    """A static program of one piece, loaded at `place`, with a note."""
    size = _HEAD + len(code)
    head = struct.pack(
        "<4sBBB9sHHIQQQIHHHHHH",
        b"\x7fELF", 2, 1, 1, bytes(9), 2, 62, 1, place + _HEAD, 64, 0, 0, 64, 56, 2, 64, 0, 0,
    )  # fmt: skip
    load = struct.pack("<IIQQQQQQ", 1, 5, 0, place, place, size, size, 0x1000)
    at = 64 + 2 * 56
    named = struct.pack("<IIQQQQQQ", 4, 4, at, place + at, place + at, len(note), len(note), 4)
    return head + load + named + note.ljust(24, b"\0") + code

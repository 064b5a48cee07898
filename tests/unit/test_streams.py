"""Output as it comes: decoded, bounded, nothing lost."""

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from course_magics import runtime, spill
from course_magics.streams import Stream


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of the test's own, and a process that has kept nothing yet."""
    monkeypatch.delenv("COURSE_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(spill, "_own", None)
    monkeypatch.setattr(spill, "_used", 0)
    return tmp_path / "cache/course-magics/output"


class Screen:
    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.flushes = 0

    def show(self, text: str) -> None:
        self.pieces.append(text)

    def flush(self) -> None:
        self.flushes += 1

    @property
    def text(self) -> str:
        return "".join(self.pieces)


def stream(screen: Screen, **limits: int) -> Stream:
    return Stream(screen.show, screen.flush, **limits)


def test_the_first_piece_is_shown_at_once() -> None:
    screen = Screen()
    stream(screen).write(b"hello\n")
    assert screen.pieces == ["hello\n"]
    assert screen.flushes == 1


def test_a_character_cut_in_two_is_whole() -> None:
    screen = Screen()
    out = stream(screen)
    for byte in "é容".encode():
        out.write(bytes([byte]))
    out.close()
    assert screen.text == "é容"


def test_broken_utf8_survives() -> None:
    screen = Screen()
    out = stream(screen)
    out.write(b"a\xffb\xc3")
    out.close()
    assert screen.text == "a\ufffdb\ufffd"
    assert out.data == b"a\xffb\xc3"


def test_a_long_output_keeps_head_and_tail_and_names_the_file() -> None:
    screen = Screen()
    out = stream(screen, limit=100, tail=10)
    for number in range(1000):
        out.write(f"{number:04d}\n".encode())
    out.close()
    assert screen.text.startswith("0000\n0001\n")
    assert screen.text.endswith("0998\n0999\n")
    assert "4890 bytes left out" in screen.text
    assert out.file is not None
    assert str(out.file) in screen.text
    assert out.file.read_bytes() == b"".join(f"{n:04d}\n".encode() for n in range(1000))
    assert len(out.data) == 110


def long(screen: Screen, size: int = 5000) -> Stream:
    """A stream that had `size` bytes, of which 110 are shown."""
    out = stream(screen, limit=100, tail=10)
    out.write(b"0123456789" * (size // 10))
    out.close()
    return out


def test_the_file_is_the_user_s_alone_and_not_in_tmp(cache: Path) -> None:
    out = long(Screen())
    assert out.file is not None
    assert out.file.parent.parent == cache
    assert stat.S_IMODE(out.file.stat().st_mode) == 0o600
    for folder in (cache, out.file.parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_cache_that_a_class_shares_is_not_written_to(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shared").write_text("")  # root may write to any folder: a file refuses as well
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "shared"))
    out = long(Screen())
    assert out.file is not None
    assert out.file.parent.parent == cache


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be two users")
@pytest.mark.parametrize("mode", ["700", "777"])
def test_nor_is_a_stranger_s_folder_in_it(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    """The first one of the class has made it; root could write there, and is not to."""
    shared = tmp_path / "shared"
    (shared / "output").mkdir(parents=True)
    (shared / "output").chmod(int(mode, 8))
    os.chown(shared / "output", 65534, 65534)
    monkeypatch.setenv("COURSE_CACHE", str(shared))
    out = long(Screen())
    assert out.file is not None
    assert out.file.parent.parent == cache
    assert not list((shared / "output").iterdir())
    assert stat.S_IMODE((shared / "output").stat().st_mode) == int(mode, 8)


def test_a_folder_that_cannot_be_locked_is_not_the_end(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fake for a lock that is another user's: root may open it."""
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "shared"))
    (tmp_path / "shared/output/.lock").mkdir(parents=True)
    out = long(Screen())
    assert out.file is not None
    assert out.file.parent.parent == cache


def test_where_nothing_can_be_kept_the_output_goes_on(cache: Path) -> None:
    cache.parent.parent.write_text("")
    screen = Screen()
    out = long(screen)
    assert out.file is None
    assert "4890 bytes left out; they are not kept: Not a directory" in screen.text
    assert screen.text.endswith("0123456789")


def test_a_file_has_a_largest_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spill, "MOST", 2000)
    screen = Screen()
    out = long(screen)
    assert out.file is not None
    assert out.file.stat().st_size == 2000
    assert f"the first 2 kB of the output (no more is kept) are in {out.file}" in screen.text
    assert out.size == 5000


def test_so_have_all_of_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spill, "MOST_OF_ALL", 7000)
    files = [long(Screen()).file for _ in range(3)]
    assert [f.stat().st_size for f in files if f is not None] == [5000, 2000, 0]


def test_a_full_disk_is_said_and_the_output_goes_on(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(small_disk))
    screen = Screen()
    out = long(screen, 200_000)
    assert "of the output (the disk is full) are in" in screen.text
    assert screen.text.endswith("0123456789")
    assert out.size == 200_000


KEEPS = """
import sys
from course_magics.streams import Stream
out = Stream(limit=10)
out.write(b"x" * 100)
out.close()
print(out.file, flush=True)
sys.stdin.read()
"""


def keeping() -> tuple[subprocess.Popen[str], Path]:
    """Another process that has kept an output, and the file."""
    process = subprocess.Popen(
        [sys.executable, "-c", KEEPS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    file = Path(process.stdout.readline().strip())
    assert file.is_file()
    return process, file


def test_the_files_go_with_their_process() -> None:
    process, file = keeping()
    process.communicate()
    assert not file.parent.exists()


@pytest.mark.skipif(os.name != "posix", reason="no locks tell there which process lives")
def test_what_a_killed_process_left_goes_and_a_living_one_s_stays(cache: Path) -> None:
    killed, left = keeping()
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert left.is_file()
    living, stays = keeping()
    assert not left.parent.exists()
    long(Screen())
    assert stays.is_file()
    living.communicate()
    assert len(list(cache.glob("kernel-*"))) == 1  # ours


def test_the_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert runtime.cache_dir() == tmp_path / "cache/course-magics"
    monkeypatch.setenv("COURSE_CACHE", "~/elsewhere")
    assert runtime.cache_dir() == Path.home() / "elsewhere"


def test_an_output_of_just_the_limit_is_whole() -> None:
    screen = Screen()
    out = stream(screen, limit=100)
    out.write(b"x" * 100)
    out.close()
    assert screen.text == "x" * 100
    assert out.file is None

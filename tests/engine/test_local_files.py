"""What comes out of an engine onto the reader's disk: from a hostile container, to a full disk."""

from __future__ import annotations

import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from course_magics.errors import CourseError, DiskFull, EngineError

from .conftest import Cell
from .test_words import docker_says

pytestmark = pytest.mark.engine
Fails = Callable[[str], BaseException]


@pytest.fixture
def box(cell: Cell, name: str) -> str:
    """A running container, whose shell is ours."""
    cell(f"%container run -d --name {name} course/busybox sleep 600")
    return name


def sh(box: str, script: str) -> None:
    docker_says("exec", box, "sh", "-ec", script)


@pytest.fixture
def home(here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """home/work is where the reader works, home/.ssh what the container is after."""
    (here / ".ssh").mkdir(mode=0o700)
    (here / "work").mkdir()
    monkeypatch.chdir(here / "work")
    return here


# --- a hostile container --------------------------------------------------------------------------


def test_a_folder_copied_twice_writes_nothing_elsewhere(cell: Cell, box: str, home: Path) -> None:
    sh(box, "mkdir /out && ln -s ../../.ssh /out/log")
    cell(f"%container cp {box}:/out .")
    sh(box, "rm /out/log && mkdir -m 777 /out/log && echo key > /out/log/authorized_keys")
    cell(f"%container cp {box}:/out .")
    assert not list((home / ".ssh").iterdir())
    assert stat.S_IMODE((home / ".ssh").stat().st_mode) == 0o700
    assert (home / "work/out/log/authorized_keys").read_text() == "key\n"


def test_rights_devices_and_hard_links(cell: Cell, box: str, home: Path) -> None:
    sh(
        box,
        "mkdir /out && cp /bin/busybox /out/su && chmod 4755 /out/su && ln /out/su /out/su2"
        " && mknod /out/sda b 8 0 && mkfifo /out/pipe && ln -s su /out/link && ln /out/link /out/l2",
    )
    result = cell(f"%container cp {box}:/out renamed").result
    renamed = home / "work/renamed"
    assert {p.name for p in renamed.iterdir()} == {"su", "su2", "link", "l2"}
    assert stat.S_IMODE((renamed / "su").stat().st_mode) == 0o755
    assert (renamed / "su").samefile(renamed / "su2")
    assert (renamed / "link").is_symlink()
    assert (renamed / "l2").is_symlink()
    assert "left out, devices and pipes: out/pipe, out/sda" in str(result)


def test_a_followed_link_lands_under_its_own_name(cell: Cell, box: str, home: Path) -> None:
    """As docker's: not under the name that the container chose for what it leads to."""
    sh(box, "mkdir /x && echo hostile > /x/.bashrc && ln -s /x/.bashrc /log")
    cell(f"%container cp -L {box}:/log .")
    assert [p.name for p in (home / "work").iterdir()] == ["log"]
    assert (home / "work/log").read_text() == "hostile\n"


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("/d/.", "there"),
        ("/d/", "made"),
        ("/d/../d/sub", "there"),
        ("/link", "there"),
        ("/link/", "there"),
        ("-L /link", "there"),
        ("-L /file-link", "there"),
        ("-L /file-link", "made"),
        ("-a /d", "made"),
    ],
)
def test_it_lands_where_docker_s_does(
    cell: Cell, box: str, here: Path, monkeypatch: pytest.MonkeyPatch, source: str, target: str
) -> None:
    sh(box, "mkdir -p /d/sub/d && echo 1 > /d/sub/f && echo 2 > /d/f && ln /d/f /d/g")
    sh(box, "chmod 700 /d/sub && ln -s d /link && ln -s /d/f /file-link")
    *flags, path = source.split()
    found = []
    for who in ("ours", "theirs"):
        (here / who / "there").mkdir(parents=True)
        monkeypatch.chdir(here / who)
        words = [*flags, f"{box}:{path}", target]
        if who == "ours":
            cell(f"%container cp {' '.join(words)}")
        else:
            docker_says("cp", *words)
        found.append(
            sorted(
                (str(p.relative_to(here / who)), oct(p.lstat().st_mode))
                for p in (here / who).rglob("*")
            )
        )
    assert found[0] == found[1]


@pytest.mark.parametrize("source", ["/d/.", "/link/.", "/d/./."])
@pytest.mark.parametrize("target", ["made", "there"])
def test_what_is_in_a_folder(cell: Cell, box: str, here: Path, source: str, target: str) -> None:
    """As Docker's; its client does something else with what Podman sends."""
    sh(box, "mkdir -p /d/d && echo 1 > /d/d/f && ln /d/d/f /d/d/g && ln -s d /link")
    (here / "there").mkdir()
    cell(f"%container cp {box}:{source} {target}")
    found = {str(p.relative_to(here / target)) for p in (here / target).rglob("*")}
    assert found == {"d", "d/f", "d/g"}


def test_the_whole_container(cell: Cell, box: str, home: Path) -> None:
    cell(f"%container cp {box}:/ root")
    assert (home / "work/root/bin/busybox").is_file()


def test_into_a_folder_that_holds_much(cell: Cell, box: str, home: Path) -> None:
    """The engine holds a container while it sends an archive: what is not read must be closed."""
    sh(box, "dd if=/dev/zero of=/big bs=1M count=20 2>/dev/null")
    (home / "work/small").write_text("x")
    cell(f"%container cp small {box}:/")
    assert docker_says("exec", box, "cat", "/small") == "x"


# --- a full disk ----------------------------------------------------------------------------------


@pytest.fixture
def big(box: str) -> str:
    """A container with a file larger than the small disk."""
    sh(box, "dd if=/dev/urandom of=/big bs=1k count=300 2>/dev/null")
    return box


def full(error: BaseException, what: str) -> None:
    assert isinstance(error, DiskFull), error
    assert not isinstance(error, EngineError)
    assert f"cannot write {what}: no space left on the disk" in error.message
    assert "df -h" in str(error)


def test_cp_to_a_full_disk(cell: Cell, fails: Fails, big: str, small_disk: Path) -> None:
    (small_disk / "big").write_text("the old one")
    full(fails(f"%container cp {big}:/big {small_disk}"), f"{small_disk}/big")
    # The old file, and nothing half-made.
    assert [p.name for p in small_disk.iterdir()] == ["big"]
    assert (small_disk / "big").read_text() == "the old one"
    cell("%container ps")  # and the engine is still there


def test_cp_by_way_of_a_full_disk(
    fails: Fails, big: str, small_disk: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(small_disk))
    full(fails(f"%container cp {big}:/big ."), f"a temporary file in {small_disk}")
    (here / "mine").write_bytes(bytes(300_000))
    full(fails(f"%container cp mine {big}:/"), f"a temporary file in {small_disk}")


@pytest.mark.parametrize("line", ["export -o {} {name}", "save -o {} course/busybox"])
def test_a_tar_file_to_a_full_disk(fails: Fails, big: str, small_disk: Path, line: str) -> None:
    file = small_disk / "x.tar"
    file.write_text("the old one")
    full(fails(f"%container {line.format(file, name=big)}"), str(file))
    assert [p.name for p in small_disk.iterdir()] == ["x.tar"]
    assert file.read_text() == "the old one"


def test_any_other_file_on_a_full_disk(
    fails: Fails, name: str, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compose's cell is written to the state folder; a fault there has no name of its own."""
    monkeypatch.setenv("COURSE_STATE", str(small_disk))
    (small_disk / "filled").write_bytes(bytes(60_000))
    filler = "# " + "x" * 20_000
    error = fails(
        f"%%compose -p {name} config\nservices: {{a: {{image: course/busybox}}}}\n{filler}"
    )
    assert isinstance(error, CourseError)
    assert "no space left on" in error.message

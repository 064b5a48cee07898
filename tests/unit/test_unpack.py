"""`cp` out of a hostile container: an archive is written below its folder and nowhere else."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from course_magics.containers import files, unpack
from course_magics.errors import EngineError

#: name, type, content or link name, mode
Member = tuple[str, bytes, str, int]
FILE, FOLDER, LINK, HARD = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE


def tar_of(*members: Member) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, kind, words, mode in members:
            info = tarfile.TarInfo(name)
            info.type, info.mode, info.uid, info.gid = kind, mode, 12345, 12345
            info.size = len(words.encode()) if kind == FILE else 0
            info.linkname = words if kind in (LINK, HARD) else ""
            tar.addfile(info, io.BytesIO(words.encode()) if kind == FILE else None)
    return packed.getvalue()


class Place:
    """home/work is the reader's folder, home/.ssh what a hostile container is after."""

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.work, self.ssh = home / "work", home / ".ssh"
        self.work.mkdir()
        self.ssh.mkdir(mode=0o700)
        (self.ssh / "authorized_keys").write_text("mine\n")
        monkeypatch.setattr(files, "known", lambda api, container: None)

    def copy(
        self,
        data: bytes,
        *,
        path: str = "/out",
        target: str | Path = ".",
        name: str = "out",
        archive: bool = False,
        mode: int = 1 << 31,
    ) -> list[str] | None:
        """`files._out` as `%container cp` calls it, from an engine that sends `data`."""
        about = {"name": name, "mode": mode, "linkTarget": ""}

        def get_archive(container: str, path: str) -> tuple[Iterator[bytes], dict[str, object]]:
            return iter([data]), about

        def request(method: str, url: str, **options: object) -> SimpleNamespace:
            import base64
            import json

            header = base64.b64encode(json.dumps(about).encode()).decode()
            return SimpleNamespace(
                headers={"X-Docker-Container-Path-Stat": header},
                raise_for_status=lambda: None,
                iter_content=lambda size: iter([data]),
                close=lambda: None,
            )

        api = SimpleNamespace(
            get_archive=get_archive, request=request, base_url="http://x", api_version="1.41"
        )
        where = str(self.work / target)
        return files._out(api, "c", path, where, follow=False, archive=archive)  # type: ignore[arg-type]

    @property
    def untouched(self) -> bool:
        """Whether what lies outside is as it was."""
        assert [p.name for p in self.ssh.iterdir()] == ["authorized_keys"]
        assert (self.ssh / "authorized_keys").read_text() == "mine\n"
        assert stat.S_IMODE(self.ssh.stat().st_mode) == 0o700
        assert {p.name for p in self.work.parent.iterdir()} == {"work", ".ssh"}
        return True


@pytest.fixture(params=["by handle", "by path"])
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Place:
    """Both ways of the writer: that of Linux and macOS, and that of Windows."""
    if request.param == "by path":
        monkeypatch.setattr(unpack, "_BY_HANDLE", False)
    return Place(tmp_path, monkeypatch)


TOP: Member = ("out", FOLDER, "", 0o755)
LEAD_OUT: Member = ("out/log", LINK, "../../.ssh", 0o777)
KEY: Member = ("out/log/authorized_keys", FILE, "stranger\n", 0o600)


def test_a_link_of_an_earlier_copy_is_not_followed(place: Place) -> None:
    place.copy(tar_of(TOP, LEAD_OUT))
    assert (place.work / "out/log").is_symlink()
    place.copy(tar_of(TOP, ("out/log", FOLDER, "", 0o755), KEY))
    assert place.untouched
    assert (place.work / "out/log/authorized_keys").read_text() == "stranger\n"
    assert not (place.work / "out/log").is_symlink()


def test_a_link_of_the_same_archive_is_not_followed(place: Place) -> None:
    place.copy(tar_of(TOP, LEAD_OUT, KEY))
    assert place.untouched


def test_a_folder_over_a_link_changes_no_folder_elsewhere(place: Place) -> None:
    (place.work / "out").mkdir()
    (place.work / "out/log").symlink_to(place.ssh)
    place.copy(tar_of(TOP, ("out/log", FOLDER, "", 0o777)))
    assert place.untouched


@pytest.mark.parametrize("kind", [FILE, LINK, FOLDER, HARD])
def test_a_link_in_the_way_is_replaced_whatever_comes(place: Place, kind: bytes) -> None:
    (place.work / "out").mkdir()
    (place.work / "out/log").symlink_to(place.ssh / "authorized_keys")
    words = {FILE: "new", LINK: "first", HARD: "out/first", FOLDER: ""}[kind]
    place.copy(tar_of(TOP, ("out/first", FILE, "new", 0o644), ("out/log", kind, words, 0o755)))
    assert place.untouched
    log = place.work / "out/log"
    if kind == LINK:
        assert str(log.readlink()) == "first"
    else:
        assert not log.is_symlink()
    assert log.is_dir() if kind == FOLDER else log.read_text() == "new"


@pytest.mark.parametrize(
    "bad",
    [
        ("/etc/passwd", FILE, "x", 0o644),
        ("out/../../.ssh/authorized_keys", FILE, "x", 0o644),
        ("../.ssh/authorized_keys", FILE, "x", 0o644),
        ("..", FOLDER, "", 0o777),
        (".bashrc", FILE, "x", 0o644),
        ("outer/x", FILE, "x", 0o644),
        ("out//x", FILE, "x", 0o644),
        ("out/k", HARD, "/etc/passwd", 0o644),
        ("out/k", HARD, "../.ssh/authorized_keys", 0o644),
        ("out/k", HARD, "mine", 0o644),
        ("out/k", HARD, "out/mine", 0o644),
        ("out/k", HARD, "out/later", 0o644),
    ],
    ids=lambda bad: bad[0] + (f" to {bad[2]}" if bad[1] == HARD else ""),
)
def test_a_name_that_leads_elsewhere_is_refused_in_one_line(place: Place, bad: Member) -> None:
    (place.work / "mine").write_text("the reader's own")
    (place.work / "out").mkdir()
    (place.work / "out/mine").write_text("the reader's own")
    with pytest.raises(EngineError) as refused:
        place.copy(tar_of(TOP, ("out/first", FILE, "x", 0o644), bad))
    assert "refused: the copy holds" in refused.value.message
    assert place.untouched
    # Nothing at all: the names are looked at before anything is written.
    assert not (place.work / "out/first").exists()
    assert (place.work / "out/mine").stat().st_nlink == 1


def test_a_hard_link_goes_where_its_file_goes(place: Place) -> None:
    data = tar_of(TOP, ("out/a", FILE, "A", 0o644), ("out/b", HARD, "out/a", 0o644))
    place.copy(data, target="renamed")
    assert (place.work / "renamed/b").samefile(place.work / "renamed/a")
    place.copy(data, target="renamed")  # into it: renamed/out
    assert (place.work / "renamed/out/b").samefile(place.work / "renamed/out/a")
    place.copy(data, target="renamed")
    assert {p.name for p in (place.work / "renamed/out").iterdir()} == {"a", "b"}


def test_a_hard_link_is_never_one_to_a_file_of_the_reader(place: Place) -> None:
    """The file that it names has been replaced in the archive by a link that leads out."""
    (place.work / "out").mkdir()
    place.copy(
        tar_of(
            TOP,
            ("out/a", FILE, "A", 0o644),
            ("out/a", LINK, "../../.ssh/authorized_keys", 0o777),
            ("out/b", HARD, "out/a", 0o644),
        )
    )
    assert place.untouched
    assert (place.ssh / "authorized_keys").stat().st_nlink == 1
    # A link as well, to the same place.
    assert str((place.work / "out/b").readlink()) == "../../.ssh/authorized_keys"


def test_a_hard_link_where_there_are_none_is_a_copy(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file system without hard links, which is a fault that no test can make to order."""

    def refuse(*args: object, **options: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    place.copy(tar_of(TOP, ("out/a", FILE, "A", 0o640), ("out/b", HARD, "out/a", 0o640)))
    assert (place.work / "out/b").read_text() == "A"


def test_bits_that_give_rights_are_stripped(place: Place) -> None:
    place.copy(
        tar_of(TOP, ("out/su", FILE, "x", 0o6755), ("out/all", FOLDER, "", 0o3777)), archive=False
    )
    assert stat.S_IMODE((place.work / "out/su").stat().st_mode) == 0o755 or not unpack._BY_HANDLE
    for path in ("out/su", "out/all"):
        about = (place.work / path).stat()
        assert not about.st_mode & 0o7000
        assert about.st_uid == os.getuid()


def test_a_keeps_bits_with_the_owner_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only root gives files away; a stranger's program must not run with the reader's rights."""
    place = Place(tmp_path, monkeypatch)
    place.copy(tar_of(TOP, ("out/su", FILE, "x", 0o4755)), archive=True)
    about = (place.work / "out/su").stat()
    kept = (12345, 0o4755) if os.geteuid() == 0 else (os.getuid(), 0o755)
    assert (about.st_uid, stat.S_IMODE(about.st_mode)) == kept


def test_devices_and_pipes_are_left_out_and_named(place: Place) -> None:
    left_out = place.copy(
        tar_of(
            TOP,
            ("out/sda", tarfile.BLKTYPE, "", 0o666),
            ("out/null", tarfile.CHRTYPE, "", 0o666),
            ("out/pipe", tarfile.FIFOTYPE, "", 0o666),
            ("out/again", HARD, "out/pipe", 0o666),
            ("out/file", FILE, "x", 0o644),
        )
    )
    assert left_out == ["out/sda", "out/null", "out/pipe", "out/again"]
    assert [p.name for p in (place.work / "out").iterdir()] == ["file"]


def test_the_engine_s_name_decides_nothing(place: Place) -> None:
    """The file lands under the name that the reader has typed, not under the one that was sent."""
    place.copy(tar_of((".bashrc", FILE, "x", 0o644)), path="/out", name=".bashrc", mode=0o644)
    assert [p.name for p in place.work.iterdir()] == ["out"]


def test_a_followed_link_may_come_under_either_name(place: Place) -> None:
    """Podman follows a link of itself, and sends what it leads to under the link's name."""
    for sent in ("out", "target"):
        place.copy(
            tar_of((sent, FOLDER, "", 0o755), (f"{sent}/{sent}", FILE, "x", 0o644)), name="target"
        )
    assert {p.name for p in (place.work / "out").iterdir()} == {"out", "target"}
    assert [p.name for p in place.work.iterdir()] == ["out"]


def test_in_a_folder_nothing_leads_out(place: Place) -> None:
    for bad in ("/etc/x", "./../x", "../x", ".//x"):
        with pytest.raises(EngineError, match="refused"):
            place.copy(tar_of((bad, FILE, "x", 0o644)), path="/x/.", name=".")
    with pytest.raises(EngineError, match="a file in place of the folder"):
        place.copy(tar_of((".", FILE, "x", 0o644)), path="/x/.", name=".")
    assert place.untouched
    assert not list(place.work.iterdir())


def test_the_reader_s_files_stay_when_the_kinds_differ(place: Place) -> None:
    (place.work / "out/log").mkdir(parents=True)
    (place.work / "out/log/mine").write_text("mine")
    with pytest.raises(EngineError, match="is a folder, and none in the container"):
        place.copy(tar_of(TOP, ("out/log", FILE, "x", 0o644)))
    assert (place.work / "out/log/mine").read_text() == "mine"
    (place.work / "out/data").write_text("mine")
    with pytest.raises(EngineError, match="is a file, and a folder in the container"):
        place.copy(tar_of(TOP, ("out/data/x", FILE, "x", 0o644)))
    assert (place.work / "out/data").read_text() == "mine"


def test_a_folder_that_is_there_keeps_its_mode(place: Place) -> None:
    (place.work / "out").mkdir(mode=0o700)
    place.copy(tar_of(("out", FOLDER, "", 0o777), ("out/new", FOLDER, "", 0o750)))
    assert stat.S_IMODE((place.work / "out").stat().st_mode) == 0o700
    if unpack._BY_HANDLE:
        assert stat.S_IMODE((place.work / "out/new").stat().st_mode) == 0o750


def test_a_folder_closed_to_its_owner_is_filled_first(place: Place) -> None:
    place.copy(tar_of(TOP, ("out/shut", FOLDER, "", 0o500), ("out/shut/x", FILE, "x", 0o400)))
    assert (place.work / "out/shut/x").read_text() == "x"


@pytest.mark.parametrize(
    "data",
    [b"", b"no tar at all" * 100, tar_of(TOP, ("out/a", FILE, "A" * 5000, 0o644))[:2500]],
    ids=["empty", "no tar", "cut off"],
)
def test_a_broken_archive_is_one_line(place: Place, data: bytes) -> None:
    (place.work / "out").mkdir()
    (place.work / "out/a").write_text("the old one")
    with pytest.raises(EngineError, match="broken archive"):
        place.copy(data)
    assert [p.name for p in (place.work / "out").iterdir()] == ["a"]
    assert (place.work / "out/a").read_text() == "the old one"


@pytest.mark.parametrize(
    ("top", "names"),
    [
        ("/", ["", "/d", "/d/f"]),
        (".", [".", "./d", "./d/f"]),
        (".", ["d", "d/f"]),
        ("/", ["d", "d/f"]),
    ],
)
def test_what_is_in_a_folder(place: Place, top: str, names: list[str]) -> None:
    """Docker's names for /, Docker's and Podman's for FOLDER/."""
    members = [(n, FILE if n.endswith("f") else FOLDER, "", 0o755) for n in names]
    path = "/" if top == "/" else "/x/."
    place.copy(tar_of(*members), path=path, name=top)
    assert (place.work / "d/f").is_file()
    place.copy(tar_of(*members), path=path, name=top, target="made")
    assert (place.work / "made/d/f").is_file()

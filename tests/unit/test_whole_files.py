"""Files of the cache and the state that are cut off are seen, and made again; none is half written."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from course_magics import machines, runtime, storage
from course_magics.engine.embedded import client, memory, prepare
from course_magics.engine.embedded.files import Files
from course_magics.engine.embedded.prepare import Prepared
from course_magics.errors import CourseError, MachineError
from course_magics.guest import bases, build, lxc
from course_magics.guest.model import FORMAT, Guest

HARDWARE = {"memory_mb": 512, "cpus": 2, "kvm": False}


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COURSE_STATE", str(tmp_path / "state"))


def a_guest(folder: Path) -> Guest:
    names = {"kernel": "vmlinuz", "initrd": "initrd.img", "disk": "disk.qcow2"}
    folder.mkdir(parents=True)
    for name in names.values():
        (folder / name).write_bytes(name.encode() * 100)
    sizes = {name: (folder / name).stat().st_size for name in names.values()}
    data = {"format": FORMAT, "hash": "0" * 16, "files": names, "sizes": sizes}
    (folder / "guest.json").write_text(json.dumps(data))
    return Guest.load(folder)


def a_snapshot(folder: Path, **data: Any) -> Prepared:
    a_guest(folder)
    for name in ("engine.qcow2", "engine.state"):
        (folder / name).write_bytes(name.encode() * 100)
    sizes = {name: (folder / name).stat().st_size for name in ("engine.qcow2", "engine.state")}
    known = {"hash": "1" * 16, "hardware": HARDWARE, "id": "aa", "sizes": sizes, **data}
    (folder / "prepared.json").write_text(json.dumps(known))
    return Prepared.load(folder)


@pytest.mark.parametrize("name", ["vmlinuz", "initrd.img", "disk.qcow2"])
def test_a_guest_that_is_cut_off_is_not_taken(tmp_path: Path, name: str) -> None:
    folder = a_guest(tmp_path / "guest").folder
    os.truncate(folder / name, 10)
    with pytest.raises(MachineError, match="cut off") as caught:
        Guest.load(folder)
    assert name in caught.value.message
    assert "guest build" in (caught.value.hint or "")


@pytest.mark.parametrize("name", ["engine.qcow2", "engine.state", "prepared.json", "disk.qcow2"])
def test_a_snapshot_that_is_cut_off_is_not_taken(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "cache" / "engine"
    whole = a_snapshot(folder / "one-aa")
    cut = a_snapshot(folder / "two-bb").folder
    os.utime(whole.folder / "prepared.json", (1, 1))  # the other one is newer
    found = Prepared.newest()
    assert found is not None
    assert found.folder == cut
    os.truncate(cut / name, 10)
    with pytest.raises(MachineError) as caught:
        Prepared.load(cut)
    assert "makes it again" in (caught.value.hint or "")
    found = Prepared.newest()
    assert found is not None
    assert found.folder == whole.folder


@pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-utils")
@pytest.mark.parametrize("less", [0, 1, 70_000, 400_000])
def test_a_snapshot_of_0_1_0_that_is_cut_off_is_not_taken(tmp_path: Path, less: int) -> None:
    """It noted no sizes; the disk's own tables say how long it is, the memory's nothing does."""
    place = a_snapshot(tmp_path / "old").folder
    note = place / "prepared.json"
    known = json.loads(note.read_text())
    known["sizes"].pop("engine.qcow2")
    note.write_text(json.dumps(known))
    words = ["qemu-img", "create", "-q", "-f", "qcow2", "-o", "preallocation=full"]
    subprocess.run([*words, place / "engine.qcow2", "1M"], check=True)
    size = (place / "engine.qcow2").stat().st_size
    os.truncate(place / "engine.qcow2", size - less)
    if less:
        with pytest.raises(MachineError, match="cut off") as caught:
            Prepared.load(place)
        assert "makes it again" in (caught.value.hint or "")
        return
    kept = tmp_path / "kept"
    kept.mkdir()
    Prepared.load(place).keep_in(kept)
    assert Prepared.load(kept, memory=False).data["sizes"]["engine.qcow2"] == size
    note.write_text(json.dumps({**known, "sizes": {}}))
    with pytest.raises(MachineError, match="nobody knows"):
        Prepared.load(place)
    Prepared.load(place, memory=False)


def test_a_disk_of_0_1_0_needs_no_new_snapshot() -> None:
    """It lies on that version's, which no new disk is made on."""
    assert client._unprepared()
    Files(prepare.own_folder()).disk.write_bytes(b"")
    assert not client._unprepared()


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, list[str]]]:
    """The folders whose names were written to the disk, and what they held then."""
    found: list[tuple[Path, list[str]]] = []

    def sync(folder: Path) -> None:
        found.append((folder, sorted(entry.name for entry in folder.iterdir())))

    monkeypatch.setattr(storage, "sync_folder", sync)
    return found


def test_what_the_cache_gets_has_its_name_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, synced: list[tuple[Path, list[str]]]
) -> None:
    """A power cut afterwards leaves the new one or the old one."""
    base = bases.Base(
        "course/test", "", None, (), lambda work, parent, say: a_tar(work / "rootfs.tar") and None
    )
    monkeypatch.setattr(bases.Base, "hash", "1" * 16)
    a_tar(bases.images_folder() / f"test-{'0' * 16}.tar")
    tar = base.ensure_tar(print)
    assert any(folder == tar.parent and tar.name in names for folder, names in synced)
    assert [p.name for p in tar.parent.glob("*.tar")] == [tar.name]

    monkeypatch.setattr(lxc, "unpack", lambda *rest: {"lxc": "1"})
    monkeypatch.setattr(lxc, "write", lambda tree, target: a_tar(target))
    tar = lxc.fetch(print)
    assert any(folder == tar.parent and tar.name in names for folder, names in synced)

    for _ in range(2):  # the second one takes the place of the first
        synced.clear()
        guest = build.move_in(a_guest(tmp_path / "made"), tmp_path)
        assert any(folder == tmp_path and guest.hash in names for folder, names in synced)


def a_tar(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for number in range(3):
            member = tarfile.TarInfo(f"file{number}")
            member.size = 40_000
            tar.addfile(member, BytesIO(b"x" * member.size))
    return path


@pytest.mark.parametrize("size", [0, 512, 40_960, 41_472, 100_000, 122_000])
def test_a_root_file_system_that_is_cut_off_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    made: list[Path] = []
    base = bases.Base(
        "course/test",
        "",
        None,
        (),
        lambda work, parent, say: made.append(a_tar(work / "rootfs.tar")),
    )
    monkeypatch.setattr(bases.Base, "hash", "0" * 16)
    tar = base.ensure_tar(print)
    assert base.ensure_tar(print) == tar
    assert len(made) == 1, "one that is whole is kept"
    os.truncate(tar, size)
    base.ensure_tar(print)
    assert len(made) == 2
    with tarfile.open(tar) as archive:
        assert archive.getnames() == ["file0", "file1", "file2"]


def test_lxc_that_is_cut_off_is_not_put_into_a_machine(tmp_path: Path) -> None:
    assert lxc.put(tmp_path) is False
    os.truncate(a_tar(lxc.tar_path()), 1000)
    assert lxc.put(tmp_path) is False
    a_tar(lxc.tar_path())
    assert lxc.put(tmp_path) is True


def test_a_snapshot_is_never_made_in_the_place_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """The making itself takes minutes; here it only writes the files."""
    folder = prepare.prepared_folder()
    guest = SimpleNamespace(folder=folder, hash="g", data={})
    monkeypatch.setattr(prepare, "build_guest", lambda say: guest)
    monkeypatch.setattr(prepare, "_hash", lambda guest: "1" * 16)

    def make(guest: Guest, work: Path, *rest: Any) -> None:
        work.rmdir()
        # 0.1.0 gave no name.
        a_snapshot(work, id=rest[0].rpartition("-")[2] if len(rest) == 2 else None)

    monkeypatch.setattr(prepare, "_make", make)
    first = prepare.prepare(print)
    assert prepare.prepare(print) == first, "nothing has changed"
    inode = (first.folder / "engine.qcow2").stat().st_ino
    second = prepare.prepare(print, force=True)
    assert second.folder != first.folder
    assert (first.folder / "engine.qcow2").stat().st_ino == inode
    assert first.id is not None
    assert first.id != second.id
    assert first.folder.name.endswith(first.id)


def test_snapshots_of_0_1_0_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Disks of that version lie on them, and only they know which."""
    folder = prepare.prepared_folder()
    old = [a_snapshot(folder / (n * 16), id=None).folder for n in "345"]
    new = [a_snapshot(folder / f"{'6' * 16}-{n}", id=n).folder for n in ("aa", "bb", "cc")]
    for number, place in enumerate((*old, *new)):
        os.utime(place / "prepared.json", (number, number))
    prepare._forget_old(folder, new[-1])
    assert all(place.exists() for place in old)
    assert [place.exists() for place in new] == [False, True, True]


def test_a_memory_counts_only_when_it_is_whole(tmp_path: Path) -> None:
    files = Files(tmp_path / "engine")
    assert memory.of(files) is None
    files.saved.write_bytes(b"x" * 1000)
    assert memory.of(files) is None
    for said in ("", "{", "[]"):
        files.saved_as.write_text(said)
        assert memory.of(files) is None
    files.saved_as.write_text(json.dumps({"hardware": HARDWARE, "size": 1000}))
    assert memory.of(files) == HARDWARE
    files.saved_as.write_text(json.dumps(HARDWARE))  # as 0.1.0 wrote it
    assert memory.of(files) is None
    files.saved.write_bytes(b"x" * 1000 + b"\0\x06\0\0\0\x02{}")
    assert memory.of(files) == HARDWARE
    files.saved_as.write_text(json.dumps({"hardware": HARDWARE, "size": 1001}))
    assert memory.of(files) is None


@pytest.mark.parametrize(
    ("words", "fits"),
    [
        ("qemu: Unknown savevm section or instance 'x' 0\nqemu: load of migration failed: Invalid argument", False),
        ("qemu: error while loading state for instance 0x0 of device 'ram'", False),
        ("qemu: Not a migration stream\nqemu: load of migration failed: Invalid argument", False),
        ("qemu: cannot set up guest memory 'pc.ram': Cannot allocate memory", True),
        ("Could not set up host forwarding rule 'tcp:127.0.0.1:2222-:22'", True),
        ("", True),
    ],
)  # fmt: skip
def test_only_qemus_own_words_make_a_memory_useless(words: str, fits: bool) -> None:
    assert memory.does_not_fit(words) is not fits


def test_the_state_is_nobody_elses(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        files = Files(runtime.state_dir() / "engine")
    finally:
        os.umask(before)
    for place in (files.folder, runtime.state_dir()):
        assert stat.S_IMODE(place.stat().st_mode) == 0o700, place


def test_a_file_system_without_locks_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """flock fails as on such a file system; there is none here."""
    import errno
    import fcntl

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    files = Files(tmp_path)
    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(CourseError, match="no file locks") as caught:
        files.lock("keeper", wait=False)
    assert "COURSE_STATE" in (caught.value.hint or "")


SQUAT = "import os, sys; os.setgid(65534); os.setuid(65534); os.makedirs(sys.argv[1])"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_a_strangers_folder_takes_nothing_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each usual place is taken by another user; all processes agree on one of the user's own."""
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    with tempfile.TemporaryDirectory(prefix="cm-", dir="/tmp") as name:
        public = Path(name)
        public.chmod(0o1777)
        # The places' own names are in use here by whoever runs the tests.
        user = f"{os.getuid()}-{public.name}"
        monkeypatch.setattr(runtime, "_user", lambda: user)
        monkeypatch.setenv("COURSE_STATE", str(public / ("long" * 20)))
        squats = [
            Path("/tmp") / f"course-magics-{user}",
            Path("/var/tmp") / f"course-magics-{user}",
        ]
        made: list[Path] = []
        try:
            for place in squats:
                subprocess.run([sys.executable, "-c", SQUAT, place], check=True)
                made.append(place)
            found = runtime.shared_folder()
            made.append(found)
            assert found not in squats
            about = found.lstat()
            assert (about.st_uid, stat.S_IMODE(about.st_mode)) == (os.getuid(), 0o700)
            # Also after the stranger has given up: engines that run have their sockets there.
            for place in squats:
                place.rmdir()
            assert runtime.shared_folder() == runtime.folder() == found
            # What is written down counts only while it is private.
            found.chmod(0o777)
            assert runtime.shared_folder() == squats[0]
        finally:
            for place in {*made, *squats}:
                if place.exists():
                    place.rmdir()


RUBY = """
require ARGV[0]
user = ARGV[1]
Process.define_singleton_method(:uid) { user }
driver = CourseQemu::Driver.allocate
driver.instance_variable_set(:@folder, Pathname.new(ARGV[2]))
driver.instance_variable_set(:@machine, Struct.new(:id).new("0123456789abcdef"))
puts driver.send(:socket)
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
@pytest.mark.skipif(shutil.which("ruby") is None, reason="no ruby, so no vagrant either")
def test_a_strangers_folder_takes_no_machine_away(tmp_path: Path) -> None:
    """The Vagrant provider's side; what it chose is written into the machine's own folder."""
    driver = Path(machines.__file__).parent / "provider" / "driver.rb"
    user = f"{os.getuid()}-{tmp_path.name}"
    squat = Path("/tmp") / f"course-magics-{user}"
    words = ["ruby", "-rpathname", "-e", RUBY, driver, user, tmp_path]

    def chosen() -> Path:
        done = subprocess.run(words, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return Path(done.stdout.strip()).parent

    subprocess.run([sys.executable, "-c", SQUAT, squat], check=True)
    try:
        found = chosen()
        assert found != squat
        assert (found.stat().st_uid, stat.S_IMODE(found.stat().st_mode)) == (os.getuid(), 0o700)
        squat.rmdir()
        assert chosen() == found
        found.rmdir()
        (tmp_path / "sockets").unlink()
        assert chosen() == squat, "the usual one, where nobody has taken it"
    finally:
        squat.rmdir()


def test_what_is_kept_is_a_link_or_a_copy(tmp_path: Path) -> None:
    snapshot = a_snapshot(tmp_path / "one-aa")
    (tmp_path / "kept").mkdir()
    snapshot.keep_in(tmp_path / "kept")
    kept = Prepared.load(tmp_path / "kept", memory=False)
    assert kept.id == snapshot.id
    assert kept.disk.samefile(snapshot.disk), "it takes no room"
    assert not kept.state.exists()
    other = Path("/dev/shm")
    if other.is_dir() and other.stat().st_dev != tmp_path.stat().st_dev:
        with tempfile.TemporaryDirectory(dir=other) as folder:
            snapshot.keep_in(Path(folder))
            assert (
                Prepared.load(Path(folder), memory=False).disk.read_bytes()
                == snapshot.disk.read_bytes()
            )
    assert storage.read_json(kept.folder / "guest.json") != {}

"""The guest's parts that need no machine: archives, sources, hashes, the folder's contract."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tarfile
from io import BytesIO
from pathlib import Path

import pytest

from course_magics.errors import MachineError
from course_magics.guest import contract, guestfiles, keys, recipe
from course_magics.guest.box import installed_box
from course_magics.guest.build import clear_unfinished, installed_guest, locked
from course_magics.guest.cpio import Cpio
from course_magics.guest.disk import Tree, module_order
from course_magics.guest.launch import Machine, qemu_command
from course_magics.guest.model import FORMAT, Guest, cache_dir
from course_magics.guest.procs import need, run
from course_magics.guest.rootfs import apt_sources


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = "import sys, course_magics.guest; print({'docker', 'IPython'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_every_name_of_the_face_is_there() -> None:
    import course_magics.guest as face

    for name in face.__all__:
        assert getattr(face, name) is not None
    with pytest.raises(AttributeError, match="nonsense"):
        _ = face.nonsense


def test_cpio_is_read_back_by_another_program(tmp_path: Path) -> None:
    archive = Cpio()
    archive.folder("bin")
    archive.file("bin/tool", b"content\0more", 0o755)
    archive.link("bin/other", "tool")
    first = bytes(archive)
    assert bytes(archive) == first
    done = subprocess.run(
        [need("busybox"), "cpio", "-id"], input=first, cwd=tmp_path, check=True, capture_output=True
    )
    assert done.returncode == 0
    assert (tmp_path / "bin/other").read_bytes() == b"content\0more"
    assert (tmp_path / "bin/tool").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "bin/other").is_symlink()


def test_modules_are_loaded_after_what_they_need() -> None:
    dependencies = (
        "k/net.ko: k/failover.ko k/core.ko k/virtio.ko k/ring.ko\n"
        "k/failover.ko: k/core.ko\nk/core.ko:\nk/virtio.ko: k/ring.ko\n"
        "k/ring.ko:\nk/virtio-rng.ko:\n"
    )
    order = module_order(dependencies, ("net", "virtio_rng"))
    assert order[-1] == "k/virtio-rng.ko"
    assert sorted(order) == sorted(set(order))
    for before, after in (("ring", "virtio"), ("core", "failover"), ("failover", "net")):
        assert order.index(f"k/{before}.ko") < order.index(f"k/{after}.ko")
    with pytest.raises(MachineError, match="no module e1000"):
        module_order(dependencies, ("e1000",))


def _os_release(folder: Path, text: str) -> Path:
    path = folder / "os-release"
    path.write_text(text)
    return path


def test_sources_are_the_hosts_and_debians_only(tmp_path: Path) -> None:
    (tmp_path / "sources.list").write_text(
        "deb [signed-by=/k.gpg] http://mirror.example/debian/ bookworm main contrib # near\n"
        "# deb http://old.example/debian bookworm main\n"
        "deb http://mirror.example/debian bookworm contrib\n"
        "deb-src http://mirror.example/debian bookworm main\n"
    )
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list.d/debian.sources").write_text(
        "Types: deb\n# a comment\nURIs: http://security.example/debian-security\n"
        "Suites: bookworm-security\nComponents: main\n\n"
        "Types: deb\nURIs: http://off.example/debian\nSuites: bookworm-updates\n"
        "Components: main\nEnabled: no\n"
    )
    (tmp_path / "sources.list.d/other.list").write_text(
        "deb https://packages.example/apt cloud-sdk-bookworm main\n"
        "deb https://packages.example/linux/ubuntu bookworm main\n"
    )
    debian = _os_release(tmp_path, 'ID=debian\nVERSION_CODENAME=bookworm\nNAME="Debian"\n')
    assert apt_sources("bookworm", tmp_path, debian) == [
        "deb http://mirror.example/debian/ bookworm main",
        "deb http://security.example/debian-security bookworm-security main",
    ]
    ubuntu = _os_release(tmp_path, "ID=ubuntu\nVERSION_CODENAME=jammy\n")
    assert apt_sources("bookworm", tmp_path, ubuntu) == []


def test_security_alone_is_no_source(tmp_path: Path) -> None:
    (tmp_path / "sources.list").write_text(
        "deb http://security.example/debian-security bookworm-security main\n"
    )
    debian = _os_release(tmp_path, "ID=debian\nVERSION_CODENAME=bookworm\n")
    assert apt_sources("bookworm", tmp_path, debian) == []


def test_the_hash_depends_on_inputs_and_on_qemu(monkeypatch: pytest.MonkeyPatch) -> None:
    first = recipe.recipe_hash("7.2.22")
    assert re.fullmatch("[0-9a-f]{16}", first)
    assert recipe.recipe_hash("7.2.22") == first
    assert recipe.recipe_hash("8.2.0") != first
    monkeypatch.setattr(recipe, "PACKAGES", (*recipe.PACKAGES, "vim"))
    assert recipe.recipe_hash("7.2.22") != first
    monkeypatch.undo()
    monkeypatch.setattr(guestfiles, "INIT", guestfiles.INIT + "\n")
    assert recipe.recipe_hash("7.2.22") != first


def test_the_guests_own_sources_are_the_official_ones() -> None:
    mode, text = guestfiles.FILES["etc/apt/sources.list"]
    assert mode == 0o644
    assert {line.split()[1] for line in text.splitlines()} == {
        "http://deb.debian.org/debian",
        "http://deb.debian.org/debian-security",
    }


def test_shell_texts_are_valid(tmp_path: Path) -> None:
    for text in (guestfiles.INIT, guestfiles.DHCP, guestfiles.SETUP):
        subprocess.run(["sh", "-n"], input=text, text=True, check=True)
    script = tmp_path / "clock.pl"
    script.write_text(guestfiles.CLOCK)
    subprocess.run(["perl", "-c", script], check=True, capture_output=True)


def test_setting_up_leaves_mmdebstraps_own_files_alone() -> None:
    """It once removed /tmp/*, and with it what keeps mmdebstrap's apt away from the host's."""
    from course_magics.guest import bases

    for text in (guestfiles.SETUP, bases._SETUP, bases._PYTHON_SETUP):
        assert " /tmp" not in text


def test_the_image_takes_no_key() -> None:
    """Least of all the one that Vagrant publishes."""
    texts = [guestfiles.SETUP, guestfiles.INIT, *(text for _, text in guestfiles.FILES.values())]
    assert not [text for text in texts if "AAAA" in text or "PRIVATE KEY" in text]
    assert ": > /home/vagrant/.ssh/authorized_keys" in guestfiles.SETUP


def test_a_boot_lets_in_whom_the_command_line_names(tmp_path: Path) -> None:
    """The script's own lines, run here on a folder of the test's."""
    start = guestfiles.INIT.index("init=/sbin/init\n")
    lines = guestfiles.INIT[start : guestfiles.INIT.index("for folder in dev", start)]
    lines = lines.replace("/root/", f"{tmp_path}/").replace("/proc/cmdline", f"{tmp_path}/cmdline")
    keys.make(tmp_path / "key")
    kind, key, _ = keys.public(tmp_path / "key").split()
    words = f"quiet {keys.boot_word(keys.public(tmp_path / 'key'))} init=/bin/other x=y\n"
    (tmp_path / "cmdline").write_text(words)
    file = tmp_path / "home/vagrant/.ssh/authorized_keys"

    def boot() -> None:
        script = lines + 'echo "$init"\n'
        done = subprocess.run(["sh", "-e", "-c", script], capture_output=True, text=True)
        assert (done.stdout, done.stderr) == ("/bin/other\n", "")

    boot()
    assert not file.exists(), "an engine's machine has none, and gets none"
    file.parent.mkdir(parents=True)
    file.touch(mode=0o600)
    boot()
    boot()
    assert file.read_text().split("\n") == ["", f"{kind} {key}", ""]
    assert file.stat().st_mode & 0o777 == 0o600
    file.write_text("ssh-rsa the-users own, without an end")
    boot()
    assert file.read_text().splitlines() == [
        "ssh-rsa the-users own, without an end", f"{kind} {key}",
    ]  # fmt: skip
    (tmp_path / "cmdline").write_text("quiet init=/bin/other\n")
    file.write_text("")
    boot()
    assert file.read_text() == ""


def test_a_key_is_its_makers_alone(tmp_path: Path) -> None:
    keys.make(tmp_path / "key")
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    derived = run(["ssh-keygen", "-y", "-f", tmp_path / "key"])
    assert derived.split()[:2] == keys.public(tmp_path / "key").split()[:2]


def test_a_guest_that_takes_the_published_key_is_no_guest_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made by an older version, fetched, or in Vagrant's box: none of them is started anew."""
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("VAGRANT_HOME", str(tmp_path / "vagrant"))
    monkeypatch.setattr("course_magics.guest.build.qemu_version", lambda: "0.0")
    box = tmp_path / "vagrant/boxes/course-VAGRANTSLASH-debian12/0/qemu"
    places = [tmp_path / "cache/guest" / name for name in ("one", recipe.recipe_hash("0.0"))]
    for old in (True, False):
        for place in (*places, box):
            place.mkdir(parents=True, exist_ok=True)
            guest = _guest(place, **({"format": 1} if old else {}))
            assert guest.keyless is not old
        (tmp_path / "cache/guest/fetched").write_text("one\n")
        found = installed_guest()
        assert (found is None, installed_box() is None) == (old, old)
        if old:
            with pytest.raises(MachineError, match="published key"):
                Machine(Guest.load(places[0]))
    # Machines and engines that were made of one have other keys since, and are still started.
    _guest(places[0], format=1)
    assert Guest.load(places[0]).data["format"] == 1


def _guest(folder: Path, **over: object) -> Guest:
    folder.mkdir(exist_ok=True)
    files = {"kernel": "vmlinuz", "initrd": "initrd.img", "disk": "disk.qcow2"}
    for name in files.values():
        (folder / name).write_text(name)
    data = {
        "format": FORMAT, "hash": "0" * 16, "files": files, "machine": "pc", "accel": "tcg",
        "cpu_model": "qemu64", "memory_mb": 512, "cpus": 2, "machine_args": ["-nodefaults"],
        "append": "quiet", **over,
    }  # fmt: skip
    (folder / "guest.json").write_text(json.dumps(data))
    return Guest(folder, data)


def test_a_guest_is_loaded_whole_or_not_at_all(tmp_path: Path) -> None:
    _guest(tmp_path)
    guest = Guest.load(tmp_path)
    assert guest.kernel == tmp_path / "vmlinuz"
    assert guest.ready_state is None
    (tmp_path / "initrd.img").unlink()
    with pytest.raises(MachineError, match=r"lacks initrd\.img"):
        Guest.load(tmp_path)
    _guest(tmp_path, format=99)
    with pytest.raises(MachineError, match="another format"):
        Guest.load(tmp_path)
    _guest(tmp_path, files={"kernel": "../vmlinuz"})
    with pytest.raises(MachineError, match="files"):
        Guest.load(tmp_path)
    with pytest.raises(MachineError, match="No guest in"):
        Guest.load(tmp_path / "nowhere")


@pytest.mark.skipif(sys.platform != "linux", reason="QEMU's name")
def test_the_command_line_follows_the_contract(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("course_magics.guest.launch.need", lambda tool: tool)
    guest = _guest(tmp_path / "a,b")
    folder = guest.folder
    command = qemu_command(
        guest,
        folder,
        disk=folder / "d.qcow2",
        port=2222,
        key="ssh-x KEY me",
        incoming=folder / "it's.state",
    )
    assert "if=none,id=disk0" in " ".join(command)
    assert any(f"file={tmp_path}/a,,b/d.qcow2," in word for word in command)
    assert command[command.index("-m") + 1] == "512"
    assert command[-1] == f"exec:cat '{tmp_path}/a,b/it'\"'\"'s.state'"
    other = qemu_command(
        guest, folder, disk=folder / "d", port=1, key="a b", memory_mb=1024, cpus=1
    )
    assert command[command.index("-append") + 1] == "quiet course.key=ssh-x,KEY"
    assert other[other.index("-m") + 1] == "1024"
    assert other[other.index("-smp") + 1] == "1"
    assert "-incoming" not in other


def test_the_contract_names_every_device_back_end() -> None:
    arguments = " ".join(recipe.MACHINE_ARGS)
    for name in set(re.findall(r"(?:drive|netdev|chardev)=(\w+)", arguments)):
        assert f"id={name}," in (contract.__doc__ or "")
    assert "hostfwd" not in arguments
    assert re.match(r"pc-i440fx-\d", recipe.MACHINE), "snapshots need a versioned machine"


def test_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "own"))
    assert cache_dir() == tmp_path / "own"
    monkeypatch.delenv("COURSE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_dir() == tmp_path / "course-magics"


def test_a_missing_tool_names_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("course_magics.guest.procs.search_path", lambda: "/nowhere")
    with pytest.raises(MachineError, match="qemu-img") as caught:
        need("qemu-img")
    assert caught.value.hint == "sudo apt-get install qemu-utils"


def test_a_failing_tool_says_what_it_said() -> None:
    lines: list[str] = []
    with pytest.raises(MachineError) as caught:
        run(["sh", "-c", "echo out; echo err >&2; exit 3"], say=lines.append)
    assert caught.value.status == 3
    assert lines == ["out", "err"]
    assert caught.value.detail == "out\nerr"


def test_unfinished_builds_go_and_finished_ones_stay(tmp_path: Path) -> None:
    (tmp_path / ".building-x").mkdir()
    (tmp_path / ".building-x/disk.raw").write_text("half")
    (tmp_path / "0123").mkdir()
    clear_unfinished(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["0123"]


def test_the_lock_makes_a_second_process_wait(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from course_magics.guest.build import locked\n"
        "with locked(Path(sys.argv[1]), print): print('in')"
    )
    with locked(tmp_path, lambda line: None):
        other = subprocess.Popen(
            [sys.executable, "-uc", code, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        assert other.stdout is not None
        assert "waiting" in other.stdout.readline()
        assert other.poll() is None
    out, _ = other.communicate(timeout=20)
    assert out == "in\n"


def test_tree_reads_files_of_a_tar() -> None:
    buffer = BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        member = tarfile.TarInfo("./etc/name")
        member.size = 3
        tar.addfile(member, BytesIO(b"abc"))
    buffer.seek(0)
    with tarfile.open(fileobj=buffer) as tar:
        tree = Tree(tar)
        assert tree.read("etc/name") == b"abc"
        assert tree.names("etc") == ["etc/name"]
        with pytest.raises(MachineError, match="no /etc/other"):
            tree.read("etc/other")

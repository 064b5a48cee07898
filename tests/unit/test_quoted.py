"""Values that become words of Ruby, of ssh's configuration and of QEMU's command line."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from course_magics.errors import MachineError
from course_magics.guest import allowed, recipe
from course_magics.guest.model import FORMAT, Guest
from course_magics.machines import hosts, provider, quoted
from course_magics.swarms import guests

_RUBY = shutil.which("ruby") or "/opt/vagrant/embedded/bin/ruby"
needs_ruby = pytest.mark.skipif(not Path(_RUBY).exists(), reason="comes with vagrant")
#: What a folder may be called: with what Ruby, shells, ssh and patterns take for signs.
_NAMES = [
    'a"+File.write(%q(MARK),"")+"b',
    "a#{File.write(%q(MARK),'')}b",
    "a'+File.write(%q(MARK),'')+'b",
    "it's \\ 100% [x] *? `touch MARK` $(touch MARK)",
]


def _evaluate(text: str, cwd: Path) -> str:
    done = subprocess.run([_RUBY, "-e", text], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@needs_ruby
@pytest.mark.parametrize("name", _NAMES)
def test_ruby_evaluates_nothing(tmp_path: Path, name: str) -> None:
    text = name.replace("MARK", "mark")
    assert _evaluate(f"print {quoted.ruby(text)}", tmp_path) == text
    assert list(tmp_path.iterdir()) == []


_HARNESS = """
Machine = Struct.new(:name, :ssh_info)
class Trigger
  def ruby = yield(nil, Machine.new("box1", {host: "127.0.0.1", port: 2222, username: "vagrant",
                                             private_key_path: [ARGV[0]]}))
end
config = Object.new
def config.trigger = self
def config.after(_) = yield(Trigger.new)
"""


@needs_ruby
@pytest.mark.parametrize("name", _NAMES)
@pytest.mark.parametrize("file", [quoted.ruby("ssh_config"), guests._FILE])
def test_the_trigger_writes_where_it_should_and_nothing_else(
    tmp_path: Path, name: str, file: str
) -> None:
    """A state folder of any name: the trigger is Ruby, and what it writes is read by ssh."""
    folder = tmp_path / name.replace("MARK", "mark")
    folder.mkdir()
    key = folder / "private_key"
    text = _HARNESS + hosts.trigger(folder, file)
    done = subprocess.run(
        [_RUBY, "-e", text, str(key)], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]
    (written,) = folder.iterdir()
    assert written.name == ("ssh_config" if "machine" not in file else "box1.ssh_config")
    assert written.stat().st_mode & 0o777 == 0o600
    shown = subprocess.run(
        ["ssh", "-G", "-F", written, "box1"], capture_output=True, text=True, check=True
    ).stdout
    # ssh shows both before it replaces %% by %.
    told = dict(line.partition(" ")[::2] for line in shown.splitlines())
    assert told["identityfile"].replace("%%", "%") == str(key)
    assert told["userknownhostsfile"].replace("%%", "%") == str(folder / "known_hosts")
    assert told["port"] == "2222"


@pytest.mark.parametrize("name", [*_NAMES, "plain"])
def test_ssh_finds_the_hosts_in_a_folder_of_any_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    state = tmp_path / name.replace("/", "")
    (state / "hosts" / "one").mkdir(parents=True)
    (state / "hosts" / "one" / "ssh_config").write_text("Host one\n  Port 1234\n")
    monkeypatch.setenv("COURSE_STATE", str(state))
    config = tmp_path / "config"
    hosts.show_to_ssh(file=config)
    shown = subprocess.run(
        ["ssh", "-G", "-F", config, "one"], capture_output=True, text=True, check=True
    ).stdout
    assert "port 1234\n" in shown
    assert list(tmp_path.glob("**/mark")) == []


@pytest.mark.parametrize("name", [*_NAMES, "plain"])
def test_each_state_folder_has_its_hosts_known_to_ssh(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A student's own state and that of a `make run` beside it, say: neither hides the other."""
    config = tmp_path / "config"
    config.write_text("Host mine\n")
    states = [tmp_path / which / name.replace("/", "") for which in ("first", "second")]
    for number, state in enumerate(states):
        (state / "hosts" / f"box{number}").mkdir(parents=True)
        entry = f"Host box{number}\n  Port 123{number}\n"
        (state / "hosts" / f"box{number}" / "ssh_config").write_text(entry)

    def show(state: Path, *, gone: bool = False) -> list[bool]:
        """Change the line of one state folder; says whether ssh knows each host then."""
        monkeypatch.setenv("COURSE_STATE", str(state))
        hosts.show_to_ssh(file=config, gone=gone)
        return [
            f"port 123{number}\n"
            in subprocess.run(
                ["ssh", "-G", "-F", config, f"box{number}"],
                capture_output=True,
                text=True,
                check=True,
            ).stdout
            for number in range(2)
        ]

    assert show(states[0]) == [True, False]
    assert show(states[1]) == [True, True]
    assert show(states[0]) == [True, True]
    assert show(states[0], gone=True) == [False, True]
    assert show(states[0]) == [True, True]
    # One that has been removed as a whole leaves no line.
    shutil.rmtree(states[1])
    assert show(states[0], gone=True) == [False, False]
    assert config.read_text() == "Host mine\n"


@pytest.mark.parametrize("name", ["a\nProxyCommand x", "${HOME}"])
def test_what_ssh_cannot_be_told_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(MachineError, match="ssh cannot be told"):
        hosts.trigger(tmp_path / name, "'x'")


@needs_ruby
@pytest.mark.parametrize("name", _NAMES)
def test_vagrant_loads_the_provider_from_a_folder_of_any_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    package = tmp_path / name.replace("MARK", "mark")
    package.mkdir()
    (package / "qemu.rb").write_text("print 'loaded'")
    monkeypatch.setattr(provider, "__file__", str(package / "__init__.py"))
    file = provider.install(tmp_path / "home")
    assert provider.installed(tmp_path / "home")
    assert _evaluate(file.read_text(), tmp_path) == "loaded"
    assert {path.name for path in tmp_path.iterdir()} == {package.name, "home"}


def _data(**over: object) -> dict[str, Any]:
    files = {"kernel": "vmlinuz", "initrd": "initrd.img", "disk": "disk.qcow2"}
    return {
        "format": FORMAT, "hash": "0" * 16, "files": files, "machine": recipe.MACHINE,
        "accel": recipe.ACCEL, "cpu_model": recipe.CPU_MODEL, "memory_mb": 512, "cpus": 2,
        "machine_args": list(recipe.MACHINE_ARGS), "append": recipe.APPEND,
        "ssh_user": "vagrant", **over,
    }  # fmt: skip


_ODD: list[dict[str, object]] = [
    {"machine_args": ["-chardev", "file,id=x,path=/home/me/.bashrc"]},
    {"machine_args": ["-drive", "file=/etc/shadow,if=virtio"]},
    {"machine_args": ["-device", "virtio-net-pci,netdev=net0,romfile=/home/me/secret"]},
    {"machine_args": ["-object", "rng-random,id=rng0,filename=/home/me/secret"]},
    {"machine_args": ["-device"]},
    {"machine_args": ["-display", "vnc=0.0.0.0:1"]},
    {"machine_args": ["-incoming", "exec:touch mark"]},
    {"machine": "pc,firmware=/home/me/x"},
    {"accel": "tcg -drive file=/x"},
    {"cpu_model": "qemu64\n-x"},
    {"append": "quiet\n-x"},
    {"memory_mb": "512,maxmem=4T"},
    {"cpus": 0},
    {"files": {"kernel": "../vmlinuz"}},
    {"files": {"kernel": "vmlinuz", "ready_state": "x;touch mark"}},
    {"files": {"kernel": "-vmlinuz"}},
    {"files": ["vmlinuz"]},
    {"ssh_user": "-oProxyCommand=x"},
]


@pytest.mark.parametrize("over", _ODD, ids=str)
def test_a_guest_cannot_ask_for_what_no_guest_needs(
    tmp_path: Path, over: dict[str, object]
) -> None:
    (tmp_path / "guest.json").write_text(json.dumps(_data(**over)))
    for name in ("vmlinuz", "initrd.img", "disk.qcow2", "x;touch mark", "-vmlinuz"):
        (tmp_path / name).touch()
    with pytest.raises(MachineError, match=r"asks for something|lacks"):
        Guest.load(tmp_path)


def test_our_own_guest_may_ask_for_what_it_does(tmp_path: Path) -> None:
    allowed.check(_data())


@needs_ruby
def test_the_provider_has_the_same_list(tmp_path: Path) -> None:
    script = (
        f"require 'json'; require_relative {quoted.ruby(Path(provider.__file__).parent)} + "
        "'/allowed'; JSON.parse(STDIN.read).each { |d| puts CourseQemu::Allowed.odd(d) || 'fine' }"
    ).replace("require_relative", "require")
    cases = [_data(), *(_data(**over) for over in _ODD)]
    done = subprocess.run(
        [_RUBY, "-e", script], input=json.dumps(cases), capture_output=True, text=True, check=True
    )
    said = done.stdout.splitlines()
    assert said[0] == "fine"
    assert "fine" not in said[1:]
    assert len(said) >= len(cases)


@pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-utils")
def test_a_disk_that_would_read_another_file_is_refused(tmp_path: Path) -> None:
    """A qcow2 image names its base, and QEMU reads that with the user's rights."""
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret" * 10_000)
    create = ["qemu-img", "create", "-q", "-f", "qcow2"]
    for number, more in enumerate(
        (["-F", "raw", "-b", str(secret)], ["-o", f"data_file={tmp_path}/raw,data_file_raw=on"])
    ):
        disk = tmp_path / f"disk{number}"
        subprocess.run([*create, *more, str(disk), "1M"], check=True)
        with pytest.raises(MachineError, match="asks for something"):
            allowed.check_disks(tmp_path, {"disk": disk.name})
    subprocess.run([*create, str(tmp_path / "good"), "1M"], check=True)
    over = [*create, "-F", "qcow2", "-b", "good", str(tmp_path / "over")]
    subprocess.run(over, check=True, cwd=tmp_path)
    allowed.check_disks(tmp_path, {"disk": "good", "ready_disk": "over"})

"""`%vagrant` on a real machine: one for the whole file, and a second one for interrupted starts."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from course_magics import process, runtime
from course_magics.errors import Interrupted, MachineError
from course_magics.lessons import State
from course_magics.machines import machine as machines
from course_magics.machines import project, ssh
from course_magics.machines.vagrantfile import write
from course_magics.patience import until
from course_magics.streams import Stream

pytestmark = pytest.mark.machine

_FILE = """\
Vagrant.configure("2") do |config|
  config.vm.box = "course/debian12"
  config.vm.provision "shell", inline: "echo provisioned; echo to-stderr >&2"
end
"""


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A project with a running machine, and what `up` said."""
    folder = tmp_path_factory.mktemp("shop")
    write(folder, _FILE)
    out = Stream()
    try:
        machines.change(folder, ["up"], out=out)
        yield folder, out.text
    finally:
        machines.change(folder, ["destroy", "-f"])


@pytest.fixture
def one(shop: tuple[Path, str]) -> Path:
    """The folder of the project whose machine runs."""
    return shop[0]


def _vagrant(folder: Path, *words: str) -> tuple[float, str]:
    """Vagrant itself: seconds and output."""
    begin = time.monotonic()
    done = subprocess.run(
        ["vagrant", *words],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "VAGRANT_CHECKPOINT_DISABLE": "1"},
    )
    return time.monotonic() - begin, done.stdout


def _seconds(work: Callable[[], Any], times: int = 3) -> float:
    taken = []
    for _ in range(times):
        begin = time.monotonic()
        work()
        taken.append(time.monotonic() - begin)
    return min(taken)


def _qemus(folder: Path) -> list[int]:
    """The QEMU processes whose files are in the project."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            here = (place / "cwd").readlink().is_relative_to(folder)
            if here and b"qemu" in (place / "cmdline").read_bytes():
                found.append(int(place.name))
    return found


def _cell(ip: InteractiveShell, text: str) -> Any:
    result = ip.run_cell(text)
    if result.error_in_exec:
        raise result.error_in_exec
    return result.result


def test_up_says_what_vagrant_says(shop: tuple[Path, str]) -> None:
    text = shop[1]
    assert "==> default: Booting VM..." in text
    assert "==> default: Machine booted and ready!" in text
    assert "    default: provisioned" in text
    assert "    default: to-stderr" in text
    assert "Retrying" not in text


def test_status_is_vagrants_and_quick(one: Path) -> None:
    found = machines.status(one)
    assert found.rows == [{"name": "default", "state": "running", "provider": "qemu"}]
    theirs, text = _vagrant(one, "status", "--machine-readable")
    assert "default,state,running" in text
    assert _seconds(lambda: machines.status(one)) <= 0.5 * theirs


def test_ssh_keeps_streams_and_bytes_apart(one: Path) -> None:
    out, err = Stream(), Stream()
    found = ssh.run(one, None, r"printf 'a\377\000b'; printf 'c' >&2", out=out, err=err)
    assert found.stdout_bytes == b"a\xff\x00b"
    assert found.stderr_bytes == b"c"
    assert found.exit_code == 0


def test_ssh_quotes_and_dollars_arrive_untouched(one: Path) -> None:
    script = "x='a  b'; echo \"$x\" '$x' \"it's\" \\\\ ; cat <<'E'\nline \"2\"\nE"
    assert ssh.run(one, "default", script).stdout == 'a  b $x it\'s \\\nline "2"\n'


def test_ssh_shows_output_as_it_comes(one: Path) -> None:
    at: list[float] = []
    out = Stream(lambda text: at.append(time.monotonic()))
    ssh.run(one, None, "echo first; sleep 2; echo second", out=out)
    assert out.text == "first\nsecond\n"
    assert at[1] - at[0] > 1.5


def test_ssh_status_fails_the_cell(
    one: Path, ip: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(MachineError) as caught:
        _cell(ip, f"%vagrant ssh --dir {one} -c 'echo before; exit 7'")
    assert caught.value.status == 7
    assert "before" in capsys.readouterr().out
    found = _cell(ip, f"r = %vagrant ssh --dir {one} --no-raise -c 'exit 7'\nr.exit_code")
    assert found == 7


def test_cell_is_a_script(one: Path, ip: InteractiveShell) -> None:
    found = _cell(
        ip,
        f"%%vagrant ssh --dir {one} --sudo -o r\nwhoami\n"
        "for i in 1 2; do\n  echo \"{i} $i\"\ndone\nread x || echo 'nothing to read'\n",
    )
    assert found.stdout == "root\n{i} 1\n{i} 2\nnothing to read\n"
    found = _cell(ip, f"%%vagrant ssh default --dir {one} -o r\nid -un\n")
    assert found.stdout == "vagrant\n"


@pytest.mark.parametrize("sudo", ["", "--sudo"])
def test_no_command_line_shows_a_cell(one: Path, ip: InteractiveShell, sudo: str) -> None:
    """`ps` shows command lines to every user: of this computer, and of the machine."""
    secret = f"hunter{2 + len(sudo)}-is-a-secret"
    cell = f"%%vagrant ssh --dir {one} {sudo} -o r\nPASSWORD={secret}\necho ready; sleep 3\n"
    seen: list[str] = []

    def look() -> None:
        for place in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                seen.append(place.read_bytes().decode("utf-8", "replace"))

    looker = threading.Timer(2, look)
    looker.start()
    found = _cell(ip, cell + "cat /proc/[0-9]*/cmdline | tr '\\0' ' '; echo; echo $PASSWORD")
    looker.join()
    shown, _, last = found.stdout.strip().rpartition("\n")
    assert last == secret, "it ran"
    assert "setsid" in "".join(seen), "the real ssh was there to be looked at"
    assert not [line for line in seen if secret in line]
    assert "bash" in shown
    assert secret not in shown


def test_ssh_is_quicker_than_vagrants(one: Path) -> None:
    ssh.run(one, None, "true")
    ours = _seconds(lambda: ssh.run(one, None, "true"))
    theirs = min(_vagrant(one, "ssh", "-c", "true")[0] for _ in range(2))
    assert ours <= 0.35 * theirs, f"{ours:.2f} s against {theirs:.2f} s"


def test_sockets_are_private(one: Path) -> None:
    ssh.run(one, None, "true")
    folder = runtime.folder()
    assert folder.stat().st_mode & 0o777 == 0o700
    for config in folder.glob("*.conf"):
        assert config.stat().st_mode & 0o077 == 0


def test_broken_connection_is_made_anew(one: Path) -> None:
    ssh.run(one, None, "true")
    config = ssh._config(one.resolve(), "default", "", fresh=False)
    # What it holds is wrong and the connection has gone: as after a `vagrant reload` elsewhere.
    ssh._close(config)
    config.write_text("Host default\n  HostName 127.0.0.1\n  Port 1\n")
    assert ssh.run(one, None, "echo back").stdout == "back\n"


def _running(one: Path, mark: str) -> str:
    return ssh.run(one, None, f"pgrep -f '[s]leep {mark}' || true").stdout


def test_interrupt_ends_the_command_in_the_machine(one: Path, ip: InteractiveShell) -> None:
    ssh.run(one, None, "true")

    def press() -> None:
        until(lambda: len(_running(one, "98765").split()) == 2)
        os.kill(os.getpid(), signal.SIGINT)

    presser = threading.Thread(target=press)
    presser.start()
    with pytest.raises(Interrupted):
        _cell(ip, f"%vagrant ssh --dir {one} -c 'sleep 98765 & sleep 98765'")
    presser.join()
    assert until(lambda: not _running(one, "98765")), "it goes on in the machine"


def test_command_dies_with_its_kernel(one: Path) -> None:
    program = (
        "from pathlib import Path; from course_magics.machines import ssh;"
        f"ssh.run(Path({str(one)!r}), 'default', 'sleep 87654')"
    )
    kernel = subprocess.Popen([sys.executable, "-c", program])
    assert until(lambda: _running(one, "87654"))
    kernel.kill()
    kernel.wait()
    assert until(lambda: not _running(one, "87654")), "it goes on in the machine"


def test_lists(one: Path, ip: InteractiveShell) -> None:
    ports = _cell(ip, f"%vagrant port --dir {one}")
    assert [row["guest"] for row in ports] == [22]
    config = _cell(ip, f"%vagrant ssh-config --dir {one}")
    assert "Host default" in config.text
    assert f"Port {ports[0]['host']}" in config.text
    boxes = _cell(ip, "%vagrant box list")
    assert "course/debian12" in [row["box-name"] for row in boxes]
    everywhere = _cell(ip, "%vagrant global-status")
    ours = [row for row in everywhere if row["machine-home"] == str(one)]
    assert [(row["name"], row["state"]) for row in ours] == [("default", "running")]


def test_provision_again(one: Path, ip: InteractiveShell, capsys: Any) -> None:
    _cell(ip, f"%vagrant provision --dir {one}")
    assert "    default: provisioned" in capsys.readouterr().out


def test_wreck_and_roll_back(one: Path, ip: InteractiveShell) -> None:
    _cell(ip, f"%vagrant snapshot save clean --dir {one}")
    assert [r["name"] for r in _cell(ip, f"%vagrant snapshot list --dir {one}")] == ["clean"]
    _cell(ip, f"%vagrant ssh --dir {one} -c 'sudo rm -rf /usr/bin'")
    with pytest.raises(MachineError):
        _cell(ip, f"%vagrant ssh --dir {one} -c 'ls /'")
    _cell(ip, f"%vagrant snapshot restore clean --dir {one}")
    assert ssh.run(one, None, "ls -d /usr/bin").stdout == "/usr/bin\n"
    _cell(ip, f"%vagrant snapshot delete clean --dir {one}")
    found = _cell(ip, f"%vagrant snapshot list --dir {one}")
    assert len(found) == 0
    assert "(no snapshots)" in str(found)


def test_suspend_and_resume(one: Path, ip: InteractiveShell) -> None:
    assert _cell(ip, f"%vagrant suspend --dir {one}")["default"].state == "saved"
    assert "default,state,saved" in _vagrant(one, "status", "--machine-readable")[1]
    with pytest.raises(MachineError) as caught:
        _cell(ip, f"%vagrant ssh --dir {one} -c true")
    assert "%vagrant up" in (caught.value.hint or "")
    assert _cell(ip, f"%vagrant resume --dir {one}")[0].state == "running"
    assert ssh.run(one, None, "echo here").stdout == "here\n"


def test_a_machine_killed_behind_our_back(one: Path, ip: InteractiveShell) -> None:
    assert machines.status(one)[0].state == "running"
    ssh.run(one, None, "true")
    (pid,) = _qemus(one)
    os.kill(pid, signal.SIGKILL)
    assert until(lambda: machines.status(one)[0].state == "aborted")
    assert "default,state,aborted" in _vagrant(one, "status", "--machine-readable")[1]
    with pytest.raises(MachineError):
        ssh.run(one, None, "true")
    assert _cell(ip, f"%vagrant up --dir {one}")["default"].state == "running"
    assert ssh.run(one, None, "echo again").stdout == "again\n"


@pytest.fixture
def cleaned(here: Path) -> Iterator[Path]:
    """An empty folder whose machines do not outlive a failing test."""
    yield here
    with contextlib.suppress(MachineError):
        machines.change(here, ["destroy", "-f"])


@pytest.mark.parametrize("at", ["Booting VM", "Waiting for machine"])
def test_interrupted_up_leaves_what_destroy_removes(
    cleaned: Path, ip: InteractiveShell, at: str
) -> None:
    _cell(ip, "%%vagrantfile\n" + _FILE)
    pressed: list[str] = []

    def press(text: str) -> int:
        if at in text and not pressed:
            pressed.append(text)
            os.kill(os.getpid(), signal.SIGINT)
        return len(text)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Interrupted) as caught:
        patch.setattr(sys.stdout, "write", press)
        _cell(ip, "%vagrant up")
    assert pressed
    assert "half made" in caught.value.message
    assert "%vagrant destroy" in (caught.value.hint or "")
    assert not _vagrants(cleaned)
    _cell(ip, "%vagrant destroy")
    assert not _qemus(cleaned)
    assert machines.status(cleaned)[0].state == "not_created"
    assert "default,state,not_created" in _vagrant(cleaned, "status", "--machine-readable")[1]


def _vagrants(folder: Path) -> list[int]:
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (place / "cmdline").read_bytes().split(b"\0")
            named = any(word.endswith(b"/vagrant") for word in words[:2])
            if named and (place / "cwd").readlink() == folder:
                found.append(int(place.name))
    return found


def test_vagrant_dies_with_its_kernel(here: Path) -> None:
    (here / "Vagrantfile").write_text("sleep 600\n")
    program = (
        "from pathlib import Path; from course_magics.machines import machine;"
        f"machine.change(Path({str(here)!r}), ['up'])"
    )
    kernel = subprocess.Popen([sys.executable, "-c", program])
    assert until(lambda: _vagrants(here))
    kernel.kill()
    kernel.wait()
    assert until(lambda: not _vagrants(here)), "vagrant goes on"


def test_several_machines(here: Path, ip: InteractiveShell) -> None:
    _cell(
        ip,
        '%%vagrantfile --dir many\nVagrant.configure("2") do |config|\n'
        '  config.vm.box = "course/debian12"\n  config.vm.define "web"\n'
        '  config.vm.define "db"\nend\n',
    )
    found = _cell(ip, "%vagrant status --dir many")
    assert [m.name for m in found] == ["web", "db"]
    assert {m.state for m in found} == {"not_created"}
    assert "web      not created  qemu" in str(found)
    assert [m.name for m in _cell(ip, "%vagrant status db --dir many")] == ["db"]
    with pytest.raises(MachineError, match="which machine"):
        _cell(ip, "%vagrant ssh --dir many -c true")
    with pytest.raises(MachineError) as caught:
        _cell(ip, "%vagrant halt wbe --dir many")
    assert "'wbe' was not found" in (caught.value.detail or "")
    # Another Vagrantfile is another list, at once.
    text = (here / "many" / "Vagrantfile").read_text().replace('"db"', '"cache"')
    (here / "many" / "Vagrantfile").write_text(text)
    assert [m.name for m in machines.status(here / "many")] == ["web", "cache"]


@pytest.mark.parametrize(
    ("body", "where", "words"),
    [
        ("  config.vm.box = 'x\n", "line", "unterminated"),
        ("  config.vm.box = 'x'\n  nonsense\n", "line 3: nonsense", "undefined local variable"),
        ("  config.vm.box = 'x'\n  config.vm.bax = 1\n", "line 3: config.vm.bax", "bax"),
        ("  config.vm.box = 'x'\n  raise 'boo'\n", "line 3: raise 'boo'", "boo"),
        ("  config.vm.box = ''\n", "", "empty string"),
    ],
)
def test_wrong_vagrantfile(
    here: Path, ip: InteractiveShell, body: str, where: str, words: str
) -> None:
    cell = f'Vagrant.configure("2") do |config|\n{body}end\n'
    with pytest.raises(MachineError) as caught:
        _cell(ip, "%%vagrantfile\n" + cell)
    assert where in caught.value.message
    assert words in (caught.value.detail or "")
    assert "rubygems" not in (caught.value.detail or "")
    assert (here / "Vagrantfile").read_text() == cell


def test_no_vagrantfile(here: Path, ip: InteractiveShell) -> None:
    with pytest.raises(MachineError) as caught:
        _cell(ip, "%vagrant up")
    assert "%%vagrantfile" in (caught.value.hint or "")


def test_states_are_never_guessed(here: Path) -> None:
    """A Vagrantfile that depends on something else is read by vagrant each time."""
    (here / "names").write_text("web db")  # an `a` alone would be part of an id for vagrant
    write(
        here,
        'Vagrant.configure("2") do |config|\n  config.vm.box = "course/debian12"\n'
        '  File.read("names").split.each { |name| config.vm.define name }\nend\n',
    )
    assert [s.name for s in project.states(here)] == ["web", "db"]
    (here / "names").write_text("cache")
    assert [s.name for s in project.states(here)] == ["cache"]
    assert project.names(here) is None


def test_output_held_open_does_not_hold_the_cell(here: Path) -> None:
    out = process.Kept()
    begin = time.monotonic()
    process.run(["sh", "-c", "sleep 60 & echo done"], out=out, err=process.Kept())
    assert out.text == "done\n"
    assert time.monotonic() - begin < 30


def test_a_check_says_why_machines_cannot_be_told(tmp_path: Path) -> None:
    """A Vagrantfile with a fault has machines, perhaps: that there is none would be a false lead."""
    (tmp_path / "Vagrantfile").write_text('Vagrant.configure("2") do |config|\n  config.vm.box =\n')
    with pytest.raises(MachineError, match="syntax error"):
        State(folder=tmp_path).machine(".")
    (tmp_path / "Vagrantfile").write_text(_FILE)
    assert State(folder=tmp_path).machine(".", "web") is None
    made = State(folder=tmp_path).machine(".")
    assert made is not None and made.state == "not_created"

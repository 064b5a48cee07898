"""A script on its way to a machine: over standard input, never on a command line.

A shell script stands for ssh: it runs here what the real one runs in the machine. The same is
asked of a real ssh and a real machine in tests/machine/test_vagrant.py.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from course_magics import process
from course_magics.errors import MachineError, OptionError
from course_magics.machines import ssh
from course_magics.streams import Stream

_SSH = """\
#!/bin/sh
for word; do [ "$word" != -O ] || exit 0; last=$word; done
exec sh -c "$last"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose machine is this computer."""
    (tmp_path / "bin").mkdir()
    stand_in = tmp_path / "bin" / "ssh"
    stand_in.write_text(_SSH)
    stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", f"{stand_in.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path))  # the login shell's own files
    config = tmp_path / "ssh.conf"
    config.write_text("Host default\n  HostName 127.0.0.1\n")
    monkeypatch.setattr(ssh, "_config", lambda *_args, **_more: config)
    return tmp_path


def _command_lines() -> str:
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(place.read_bytes().decode("utf-8", "replace"))
        except OSError:
            continue
    return "\n".join(found)


def test_no_command_line_shows_the_script(folder: Path) -> None:
    go = folder / "go"
    seen = []

    def look(text: str) -> None:
        if "ready" in text:
            seen.append(_command_lines())
            go.touch()

    secret = "hunter" + "2-is-a-secret"
    script = f"PASSWORD={secret}\necho ready\nuntil [ -e '{go}' ]; do sleep 0.02; done\n"
    found = ssh.run(folder, "default", script + 'echo "$PASSWORD"', out=Stream(look))
    assert found.stdout == f"ready\n{secret}\n"
    assert len(seen) == 1
    assert "setsid" in seen[0], "the looker sees the running command"
    assert secret not in seen[0]


def test_the_script_is_run_as_it_is(folder: Path) -> None:
    script = "x='a  b'; echo \"$x\" '$x' \"it's\" \\\\ ; cat <<'E'\nline \"2\"\nE"
    assert ssh.run(folder, "default", script).stdout == 'a  b $x it\'s \\\nline "2"\n'
    assert ssh.run(folder, "default", "# comment\n\necho $LINENO; printf 'end'").stdout == "3\nend"
    assert ssh.run(folder, "default", "read x || echo nothing; echo $0").stdout == "nothing\nbash\n"
    assert ssh.run(folder, "default", "echo 'ä\\n.'\n\n.  /dev/null\n\n").stdout == "ä\\n.\n"
    assert ssh.run(folder, "default", "").stdout == ""


def test_the_status_is_the_scripts(folder: Path) -> None:
    with pytest.raises(MachineError) as caught:
        ssh.run(folder, "default", "echo before; exit 7; echo after")
    assert caught.value.status == 7
    assert caught.value.result.stdout == "before\n"  # type: ignore[attr-defined]
    with pytest.raises(MachineError) as caught:
        ssh.run(folder, "default", "set -e\nfalse\necho after")
    assert caught.value.status == 1
    with pytest.raises(OptionError):
        ssh.run(folder, "default", "a\0b")


def test_a_long_script_arrives(folder: Path) -> None:
    """Longer than a command line may be, and than a pipe holds."""
    script = "x=0\n" + "x=$((x + 1)) # " + "y" * 80 + "\n"
    lines = script.splitlines()
    long = "\n".join([lines[0], *(lines[1:] * 4000), "echo $x"])
    assert len(long) > 300_000
    assert ssh.run(folder, "default", long).stdout == "4000\n"


@pytest.mark.parametrize("sudo", [False, True])
def test_half_a_script_is_not_run(tmp_path: Path, sudo: bool) -> None:
    """The connection breaks while it is on its way: what has come could mean something else."""
    place = tmp_path / "precious"
    place.mkdir()
    half, whole = f"rmdir {place}", f"rmdir {place}/nothing/at/all"
    remote = ssh._remote(len(whole), sudo).removeprefix("sudo -n ")
    done = subprocess.run(["sh", "-c", remote], input=half.encode(), capture_output=True)
    assert (done.returncode, place.exists()) == (255, True)
    # The counter-test: all of it, and it runs.
    remote = ssh._remote(len(half), sudo).removeprefix("sudo -n ")
    out = process.Kept()
    assert process.run(["sh", "-c", remote], out=out, err=out, lifeline=half.encode()) == 0
    assert not place.exists()

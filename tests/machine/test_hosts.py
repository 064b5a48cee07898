"""`course-magics host` on a real machine: made, used over ssh, restarted on another port, removed."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from course_magics.cli import main
from course_magics.engine import contexts
from course_magics.errors import EngineError, MachineError
from course_magics.machines import hosts

pytestmark = pytest.mark.machine

#: Of this process alone: the reader's ssh configuration is shared.
NAME = f"test-host-{os.getpid()}"


@pytest.fixture
def place(ssh_place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of the test's own, in which it stands; hosts that are left are removed."""
    monkeypatch.chdir(ssh_place)
    yield ssh_place
    for name in hosts.names():
        hosts.remove(name)


def _cell(ip: InteractiveShell, text: str) -> Any:
    result = ip.run_cell(text)
    result.raise_error()
    return result.result


def _fails(ip: InteractiveShell, text: str) -> BaseException:
    error = ip.run_cell(text).error_in_exec
    assert error is not None, text
    return error


def _answer(ip: InteractiveShell, port: int) -> str:
    """What the container says on the port that it publishes, at the address that is shown."""
    url = next(b.url for b in ip.user_ns["web"].blocks() if hasattr(b, "url"))
    assert url == f"http://localhost:{port}/"
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=20) as page:
        return str(page.read().decode().strip())


def test_create_use_run_restart_rm(ip: InteractiveShell, place: Path, free_port: int) -> None:
    assert main(["host", "create", NAME]) == 0
    assert [(r["name"], r["state"]) for r in hosts.ls().rows] == [(NAME, "running")]
    assert contexts.load(NAME).host == f"ssh://{NAME}"

    # The plain docker knows it.
    theirs = subprocess.run(
        ["docker", "--context", NAME, "info", "-f", "{{.OperatingSystem}}"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert "Debian" in theirs.stdout, theirs.stderr

    found = _cell(ip, f"%engine use {NAME}").engine
    assert found.tunnel is not None
    busybox = shutil.which("busybox")
    assert busybox is not None
    (place / "context").mkdir()
    shutil.copy(busybox, place / "context" / "busybox")
    (place / "index.html").write_text("from the machine\n")
    _cell(
        ip,
        "%%dockerfile -t tiny --context context\nFROM scratch\nCOPY busybox /bin/busybox\n"
        'CMD ["/bin/busybox", "httpd", "-f", "-h", "/bin"]\n',
    )
    said = _cell(ip, "%container run --rm tiny /bin/busybox uname -n").stdout
    assert said
    _cell(ip, f"web = %container run -d --name web --restart always -p {free_port}:80 tiny")
    _cell(ip, "%container cp index.html web:/bin/index.html")
    assert _answer(ip, free_port) == "from the machine"

    # A folder of this computer is not one of the machine.
    error = _fails(ip, f"%container run --rm -v {place}:/x tiny /bin/busybox true")
    assert isinstance(error, EngineError) and f"-v means a folder of {NAME}" in error.message
    _cell(ip, "%container run --rm -v /home/vagrant:/x tiny /bin/busybox test -d /x")

    # Stopped: one clear line. Started again on another port: the same context.
    port = found.tunnel.address.computer[1]
    hosts.stop(NAME, hosts.Stream())
    error = _fails(ip, "%container ps")
    assert isinstance(error, EngineError)
    assert error.hint == f"course-magics host start {NAME}"
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port))
        taken.listen()
        hosts.start(NAME, hosts.Stream())
    assert f"Port {port}\n" not in (hosts.folder_of_all() / NAME / "ssh_config").read_text()
    assert "web" in str(_cell(ip, "%container ps -a"))

    ip.run_cell("%engine use")
    assert main(["host", "rm", NAME]) == 0
    assert contexts.names() == ["default"]
    assert not list(hosts.folder_of_all().iterdir())


def test_a_host_that_cannot_be_made_leaves_nothing(place: Path, capsys: Any) -> None:
    assert main(["host", "create", NAME, "--provider", "nonsense"]) == 1
    assert "nonsense" in capsys.readouterr().err
    assert contexts.names() == ["default"]
    assert not list(hosts.folder_of_all().iterdir())


def test_a_slip_in_a_name(place: Path, capsys: Any) -> None:
    for words in (["start", "nobody"], ["stop", "nobody"], ["rm", "nobody"], ["env", "nobody"]):
        assert main(["host", *words]) == 1
        assert "no such host: nobody" in capsys.readouterr().err
    assert main(["host", "create", "a b"]) == 1
    assert "cannot be called" in capsys.readouterr().err
    assert main(["host", "ls"]) == 0
    assert "(no hosts)" in capsys.readouterr().out
    with pytest.raises(MachineError):
        hosts.environment("nobody")

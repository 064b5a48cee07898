"""Engines elsewhere: over TLS, on a real dockerd; engines that hang; addresses that lead nowhere."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

from course_magics import engine, settings
from course_magics.errors import EngineError, OptionError
from course_magics.patience import until

from ..fake_engine import fake_engine
from .certificates import authority, issue
from .conftest import Cell

pytestmark = pytest.mark.engine
Fails = Callable[[str], BaseException]


@pytest.fixture(autouse=True)
def _own_surroundings(here: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Docker's folder is the test's own; afterwards everybody is back on the usual engine."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(here / "docker"))
    yield
    monkeypatch.undo()
    engine.forget(chosen=True)


# --- TLS ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A dockerd of the test's own that wants TLS: its URL, and the folder of certificates."""
    folder = tmp_path_factory.mktemp("tls")
    ca = authority(folder / "ca")
    theirs = issue(ca, folder / "server")
    issue(ca, folder / "client")
    issue(authority(folder / "other-ca"), folder / "stranger")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # A bridge of its own: with --bridge=none dockerd would remove the other engine's docker0.
    bridge = f"tls{os.getpid()}"
    for line in (f"link add {bridge} type bridge", f"addr add 10.213.77.1/24 dev {bridge}"):
        subprocess.run(["ip", *line.split()], check=True)
    words = [
        *("dockerd", "--tlsverify", f"--tlscacert={theirs}/ca.pem", f"--tlscert={theirs}/cert.pem"),
        *(f"--tlskey={theirs}/key.pem", f"--host=tcp://127.0.0.1:{port}", f"--bridge={bridge}"),
        *("--iptables=false", "--ip-forward=false", f"--data-root={folder}/data"),
        *(f"--exec-root={folder}/exec", f"--pidfile={folder}/pid", "--storage-driver=vfs"),
    ]
    with (folder / "log").open("wb") as log:
        daemon = subprocess.Popen(words, stdout=log, stderr=log, start_new_session=True)
    try:
        log = (folder / "log").read_bytes
        until(
            lambda: b"API listen on" in log() or daemon.poll() is not None, sign=lambda: len(log())
        )
        assert b"API listen on" in log(), log()[-2000:]
        yield f"tcp://127.0.0.1:{port}", folder
    finally:
        daemon.terminate()
        daemon.wait(20)
        subprocess.run(["ip", "link", "del", bridge], check=True)


def test_tls_by_docker_s_variables(
    cell: Cell, secured: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, folder = secured
    monkeypatch.setenv("DOCKER_HOST", url)
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(folder / "client"))
    engine.forget()
    found = cell("%engine").result.engine
    assert found.url == url
    assert found.info["Version"]
    said = subprocess.run(
        ["docker", "info", "-f", "{{.Driver}}"],
        env={**os.environ, **found.environment}, capture_output=True, text=True,
    )  # fmt: skip
    assert said.stdout.strip() == "vfs", said.stderr


def test_another_bundle_of_authorities_does_not_matter(
    cell: Cell, secured: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """requests itself would take this one instead of ours."""
    url, folder = secured
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(folder / "stranger" / "ca.pem"))
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(folder / "client"))
    assert cell(f"%engine use {url}").result.engine.url == url


def test_tls_by_a_context(cell: Cell, secured: tuple[str, Path]) -> None:
    url, folder = secured
    pem = ",".join(f"{kind}={folder}/client/{kind}.pem" for kind in ("ca", "cert", "key"))
    cell(f"%container context create safe --docker host={url},{pem}")
    cell("%engine use safe")
    assert cell("%container info").result["Driver"] == "vfs"
    theirs = subprocess.run(
        ["docker", "--context", "safe", "info", "-f", "{{.Driver}}"], capture_output=True, text=True
    )
    assert theirs.stdout.strip() == "vfs", theirs.stderr


@pytest.mark.parametrize(
    ("certificates", "words"),
    [
        ("stranger", "is not signed by the ca.pem that we trust"),
        ("nobody", "the files for TLS are not in"),
        ("half", "does not accept our certificate"),
    ],
)
def test_tls_that_does_not_fit_is_one_clear_line(
    fails: Fails,
    secured: tuple[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    certificates: str,
    words: str,
) -> None:
    url, folder = secured
    if certificates == "half" and not (folder / "half").exists():
        # The right authority, and a certificate that another one has signed.
        (folder / "half").mkdir()
        for name, of in (("ca", "client"), ("cert", "stranger"), ("key", "stranger")):
            (folder / "half" / f"{name}.pem").write_bytes(
                (folder / of / f"{name}.pem").read_bytes()
            )
    monkeypatch.setenv("DOCKER_HOST", url)
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(folder / certificates))
    engine.forget()
    error = fails("%container ps")
    assert isinstance(error, EngineError)
    assert words in error.message, str(error)
    assert error.hint


def test_tls_that_was_forgotten(fails: Fails, secured: tuple[str, Path]) -> None:
    error = fails(f"%engine use {secured[0]}")
    assert isinstance(error, EngineError)
    assert "speaks TLS only" in error.message, str(error)


# --- engines that hang ----------------------------------------------------------------------------


class _Hanging:
    """A listener in front of the real engine that can be told to fall silent.

    A fault that the real engine does not make to order: it accepts, and never answers.
    """

    def __init__(self, path: Path, real: str) -> None:
        self.path, self.real = path, real
        self.silent = threading.Event()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(50)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                inside, _ = self.listener.accept()
                outside = socket.socket(socket.AF_UNIX)
                outside.connect(self.real)
                for ends in ((inside, outside), (outside, inside)):
                    threading.Thread(target=self._pass_on, args=ends, daemon=True).start()

    def _pass_on(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                if self.silent.is_set():
                    threading.Event().wait(60)
                    return
                other.sendall(data)


@pytest.fixture
def hanging(here: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[_Hanging]:
    """An engine that hangs as soon as `silent` is set, and little patience with it."""
    monkeypatch.setattr(settings.current(), "patience", 2)
    made = _Hanging(here / "h.sock", engine.current().url.removeprefix("unix://"))
    yield made
    made.listener.close()


def test_an_engine_that_never_answers(fails: Fails, hanging: _Hanging, cell: Cell) -> None:
    hanging.silent.set()
    error = fails(f"%engine use unix://{hanging.path}")
    assert isinstance(error, EngineError)
    assert "does not answer" in error.message, str(error)
    assert cell("%container run --rm course/busybox echo here").result.stdout == "here\n"


@pytest.mark.parametrize(
    "line",
    [
        "ps",
        "run --rm course/busybox true",
        "stop NAME",
    ],
)
def test_an_engine_that_hangs_after_it_has_answered(
    cell: Cell, fails: Fails, hanging: _Hanging, name: str, line: str
) -> None:
    cell(f"%container run -d --name {name} course/busybox sleep 99")
    cell(f"%engine use unix://{hanging.path}")
    hanging.silent.set()
    error = fails(f"%container {line.replace('NAME', name)}")
    assert isinstance(error, EngineError)
    assert "does not answer" in error.message, str(error)
    cell("%engine use unix:///var/run/docker.sock")
    assert name in str(cell(f"%container ps --filter name={name}").result)


def test_a_stream_of_an_engine_that_hangs_ends(
    cell: Cell, fails: Fails, hanging: _Hanging, name: str
) -> None:
    cell(f"%container run -d --name {name} course/busybox sleep 99")
    cell(f"%engine use unix://{hanging.path}")
    timer = threading.Timer(1, hanging.silent.set)
    timer.start()
    try:
        error = fails(f"%container logs -f {name}")
    finally:
        timer.cancel()
    assert isinstance(error, EngineError)
    assert "does not answer any more" in error.message, str(error)


def test_an_answer_may_take_longer_than_the_patience(
    cell: Cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An engine that gives signs of life, but takes long for a list: a fake one, to order."""
    monkeypatch.setattr(settings.current(), "patience", 2)
    with (
        tempfile.TemporaryDirectory() as folder,
        fake_engine(Path(folder), seconds=6, count=3) as (url, _),
    ):
        cell(f"%engine use {url}")
        assert len(cell("%container network ls").result) == 0
        cell("%engine use")


def test_a_stream_that_is_only_silent_goes_on(cell: Cell) -> None:
    run = cell("%container run --rm course/busybox sh -c 'sleep 9; echo late'").result
    assert run.stdout == "late\n"


# --- ssh: what needs no other computer ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "kind", "words"),
    [
        ("ssh://127.0.0.1:1", EngineError, "no sshd answers on 127.0.0.1"),
        ("ssh://no-such-computer.invalid", EngineError, "no computer called"),
        ("ssh://me:secret@there", OptionError, "takes no password"),
        ("ssh://-oProxyCommand=touch", OptionError, "no address for ssh"),
        ("tcp://127.0.0.1:1", EngineError, "does not answer at tcp://127.0.0.1:1"),
        ("tpc://127.0.0.1:1", EngineError, "does not answer"),
        ("unix:///nowhere/docker.sock", EngineError, "does not answer"),
    ],
)
def test_an_address_that_leads_nowhere(fails: Fails, url: str, kind: type, words: str) -> None:
    error = fails(f"%engine use {url}")
    assert type(error) is kind, error
    assert words in str(error)
    assert not list(Path.cwd().glob("*")), "nothing was made"


def test_an_sshd_that_never_answers(
    ip: InteractiveShell, fails: Fails, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings.current(), "patience", 2)
    with socket.socket() as listener:  # a fault injected: it accepts and says nothing
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        error = fails(f"%engine use ssh://127.0.0.1:{listener.getsockname()[1]}")
    assert isinstance(error, EngineError)
    assert "does not answer" in error.message, str(error)


# --- %engine ls --------------------------------------------------------------------------------------


def test_the_engines_that_could_be_used(cell: Cell, hanging: _Hanging) -> None:
    hanging.silent.set()
    for name, host in (
        ("works", engine.current().url),
        ("hangs", f"unix://{hanging.path}"),
        ("gone", "ssh://127.0.0.1:1"),
    ):
        cell(f"%container context create {name} --docker host={host}")
    cell("%engine use works")
    listed = cell("%engine ls").result
    states = {row["name"]: row["state"] for row in listed.rows}
    assert states["works"].startswith("answers (")
    assert states["hangs"].startswith("does not answer")
    assert states["gone"] == "does not answer"
    assert {"default", "embedded"} <= set(states)
    assert [row["name"] for row in listed.rows if row["current"]][-1] == "works"

"""What of the embedded engine needs no engine: where it stands among the others, and its words."""

from __future__ import annotations

import asyncio
import importlib
import itertools
import json
import socket
import subprocess
import sys
import threading
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from course_magics import engine, settings
from course_magics.containers.create import bound_paths
from course_magics.containers.links import links, url
from course_magics.engine import connection, embedded, find
from course_magics.engine.embedded import client
from course_magics.engine.embedded.files import Files
from course_magics.engine.embedded.machine import Machine, Settings
from course_magics.engine.embedded.ports import Port, _of, _of_listed
from course_magics.errors import EngineError, MachineError
from course_magics.widgets.starting import Starting


@pytest.fixture(autouse=True)
def _nobody_has_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COURSE_ENGINE", "DOCKER_HOST", "DOCKER_CONTEXT"):
        monkeypatch.delenv(name, raising=False)


def test_it_comes_last_and_first_when_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(find.contexts, "current_name", lambda: find.contexts.DEFAULT)
    assert [p.name for p in find.places()][-1] == "embedded"
    assert [(p.name, p.explicit) for p in find.places("embedded")] == [("embedded", True)]
    monkeypatch.setenv("COURSE_ENGINE", "embedded")
    assert [p.name for p in find.places()] == ["embedded"]
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere")
    monkeypatch.delenv("COURSE_ENGINE")
    assert [p.name for p in find.places()] == ["DOCKER_HOST"], "what is set is not gone past"


def test_a_near_miss_is_understood() -> None:
    with pytest.raises(EngineError, match="did you mean embedded"):
        list(find.places("embeded"))


def test_where_it_cannot_be_had_the_error_says_what_it_lacks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection, "places", lambda _: [find._embedded("no other")])
    monkeypatch.setattr(embedded, "lacks", lambda: ["qemu-img"])
    with pytest.raises(EngineError) as caught:
        engine.connect()
    assert caught.value.message == "no Docker engine answers"
    assert "embedded: it needs qemu-img" in (caught.value.detail or "")


def test_to_look_for_an_engine_starts_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "places", lambda _: [find._embedded("no other")])
    monkeypatch.setattr(embedded, "start", lambda say: pytest.fail("it was started"))
    assert engine.found() is None


def test_a_state_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EngineError, match="cannot be written to") as caught:
        Files(tmp_path / "file" / "engine")
    assert "COURSE_STATE" in (caught.value.hint or "")


def test_each_state_has_sockets_of_its_own(tmp_path: Path) -> None:
    one, two = Files(tmp_path / "one"), Files(tmp_path / "two")
    assert one.docker != two.docker
    assert all(len(str(p)) < 90 for p in (one.docker, one.control, one.monitor))


def test_a_lock_is_held_by_one(tmp_path: Path) -> None:
    files = Files(tmp_path)
    first = files.lock("keeper", wait=False)
    assert first is not None
    assert files.lock("keeper", wait=False) is None
    first.close()
    again = files.lock("keeper", wait=False)
    assert again is not None
    again.close()


LISTED: dict[str, Any] = {
    "Ports": [
        {"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"},
        {"IP": "::", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"},
        {"PrivatePort": 443, "Type": "tcp"},
        {"IP": "127.0.0.1", "PrivatePort": 53, "PublicPort": 5300, "Type": "udp"},
    ],
    "NetworkSettings": {"Networks": {"none": {"IPAddress": ""}, "n": {"IPAddress": "172.18.0.2"}}},
}


def test_the_ports_of_a_container() -> None:
    wanted = {Port("tcp", 8080, "172.18.0.2", 80), Port("udp", 5300, "172.18.0.2", 53)}
    assert _of_listed(LISTED) == wanted
    ports = {
        "80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}, {"HostIp": "::", "HostPort": "8080"}],
        "443/tcp": None,
        "53/udp": [{"HostIp": "127.0.0.1", "HostPort": "5300"}],
    }
    networks = LISTED["NetworkSettings"]["Networks"]
    assert _of({"NetworkSettings": {"Ports": ports, "Networks": networks}}) == wanted


def test_links_lead_through_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    details = {
        "NetworkSettings": {
            "Ports": {
                "80/tcp": [{"HostPort": "8080"}, {"HostPort": "8080"}],
                "53/udp": [{"HostPort": "5"}],
            }
        }
    }
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.delenv("JUPYTERHUB_SERVICE_PREFIX", raising=False)
    assert links(details) == ["http://localhost:8080/"]
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/ada/")
    assert links(details) == ["/user/ada/proxy/8080/"]
    monkeypatch.delenv("JUPYTERHUB_SERVICE_PREFIX")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    assert links(details) == ["/proxy/8080/"]
    assert links({}) == []
    monkeypatch.setenv("COURSE_PORTS_URL", "https://{port}.ports.example.org/")
    assert links(details) == ["https://8080.ports.example.org/"]
    monkeypatch.delenv("COURSE_PORTS_URL")
    # What a program on this computer uses is another matter.
    assert url(details) == "http://localhost:8080/"
    assert url(details, "fd00::2") == "http://[fd00::2]:8080/"
    assert url({}) == ""


def test_what_the_machine_does_not_see_is_refused() -> None:
    lease: Any = SimpleNamespace(facts={"shared": ["/home", "/work"]})
    ours = connection.Engine("embedded", "unix:///x", "", api=None, lease=lease)  # type: ignore[arg-type]
    for fine in ("/home", "/home/ada/nb", "/work", "/var/run/docker.sock"):
        ours.mountable(fine)
    for wrong in ("/homes", "/etc", "/", "/var/lib"):
        with pytest.raises(EngineError, match="cannot be mounted"):
            ours.mountable(wrong)
    connection.Engine("docker", "unix:///x", "", api=None).mountable("/etc")  # type: ignore[arg-type]


def test_the_paths_that_a_container_binds() -> None:
    host = {
        "Binds": ["/a:/x", "volume:/y"],
        "Mounts": [{"Type": "bind", "Source": "/b"}, {"Type": "volume", "Source": "v"}],
    }
    assert bound_paths({"HostConfig": host}) == ["/a", "/b"]


@pytest.mark.parametrize("said", ["QEMU could not start the machine", ""])
def test_a_keeper_that_ends_before_it_is_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    """The keeper is a socket here: a real one fails too late or too early for this, by chance."""
    files = Files(tmp_path)
    monkeypatch.setattr(Files, "mine", classmethod(lambda cls: files))
    if said:
        files.ended.write_text(json.dumps({"why": said}))
    ours, keepers = socket.socketpair()
    keepers.sendall(b'{"step": "loading the pre-booted machine"}\n')
    keepers.close()
    steps: list[str] = []
    with pytest.raises(EngineError) as caught:
        client.Lease(ours).await_ready(steps.append)
    assert steps == ["loading the pre-booted machine"]
    why = said or "its keeper has ended"
    assert caught.value.message == f"the embedded engine did not start: {why}"
    assert (caught.value.hint or "").startswith("%engine start")


def test_a_start_is_waited_for_as_long_as_the_keeper_says_that_it_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The keeper is a socket here: to be slow, or to hang, is not to be had of a real one."""
    monkeypatch.setattr(settings.current(), "patience", 1)
    ours, keepers = socket.socketpair()

    def keeper() -> None:
        for _ in range(8):
            keepers.sendall(b'{"step": "booting the machine"}\n')
            time.sleep(0.25)
        keepers.sendall(b'{"ready": {"cpus": 2}}\n')

    speaking = threading.Thread(target=keeper)
    speaking.start()
    steps: list[str] = []
    lease = client.Lease(ours)
    lease.await_ready(steps.append)
    speaking.join()
    assert steps == ["booting the machine"], "the same step is told once"
    assert lease.facts == {"cpus": 2}
    with pytest.raises(EngineError, match="its keeper says nothing"):
        client.Lease(ours).await_ready(steps.append)
    with pytest.raises(EngineError, match="does not end"):
        client.Lease(ours).await_end()
    keepers.close()


@pytest.mark.parametrize("moves", [True, False])
def test_the_machine_is_waited_for_as_long_as_it_moves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moves: bool
) -> None:
    """Its signs are made up here: a machine that hangs is not to be had on demand."""
    machine = Machine(Files(tmp_path), Settings(patience=0.8))
    signs = itertools.count()

    async def moved() -> object:
        return next(signs) if moves else 0

    async def answer() -> str:
        await asyncio.sleep(2)
        return "done"

    monkeypatch.setattr(machine.qemu, "moved", moved)
    with ThreadPoolExecutor(1) as thread:  # a browser's test leaves a loop running in this one
        waited = thread.submit(lambda: asyncio.run(machine._patiently(answer())))
        if moves:
            assert waited.result() == "done"
        else:
            with pytest.raises(MachineError, match="does not answer"):
                waited.result()


def _keeper_that_fails(folder: Path, how: str) -> tuple[dict[str, Any], str]:
    """What it leaves for the next kernel, and its log. how: Python that replaces the start."""
    broken = (
        "import sys; from course_magics.engine.embedded import keeper\n"
        f"async def start(self, say): {how}\n"
        "keeper.Machine.start = start\n"
        f"sys.argv[1:] = [{str(folder)!r}, '{{}}']\n"
        "keeper.main()"
    )
    ended = subprocess.run([sys.executable, "-c", broken], capture_output=True, text=True)
    return json.loads(Files(folder).ended.read_text()), ended.stderr


def test_a_keeper_that_fails_as_nobody_foresaw(tmp_path: Path) -> None:
    """It says so where the next kernel looks, and its log has all of it."""
    said, log = _keeper_that_fails(tmp_path, "raise ValueError('no such day')")
    assert said["why"] == "ValueError: no such day"
    assert "Traceback" in log


@pytest.mark.parametrize(
    "how",
    [
        "raise OSError(28, 'No space left on device')",
        # As when qemu-img fails for want of room: nobody matches what it says.
        "keeper._ROOM = 1 << 80; raise keeper.EngineError('qemu-img failed')",
    ],
)
def test_a_full_disk_is_no_reason_to_begin_with_an_empty_engine(tmp_path: Path, how: str) -> None:
    said, _ = _keeper_that_fails(tmp_path, how)
    assert said["why"] == f"cannot write {tmp_path}: no space left on the disk"
    assert "df -h" in said["hint"]


def test_the_view_of_a_start_escapes() -> None:
    view = Starting()
    view("<script>alert(1)</script>\x1b[31m")
    view("second")
    html = view.render()
    assert "<script>" not in html
    assert "\x1b" not in html
    assert html.count("<tr>") == 2


def test_jupyters_server_finds_the_extension() -> None:
    """The file that a wheel puts into etc/jupyter names a module that the server can load."""
    root = Path(engine.__file__).parents[2]
    with (root / "pyproject.toml").open("rb") as file:
        (told,) = tomllib.load(file)["tool"]["setuptools"]["data-files"].values()
    config = json.loads((root / told[0]).read_text())
    (name,) = config["ServerApp"]["jpserver_extensions"]
    module = importlib.import_module(name)
    assert module._jupyter_server_extension_points() == [{"module": name}]
    assert callable(module._load_jupyter_server_extension)

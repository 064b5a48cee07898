"""What containers of the embedded engine reach of this computer: what is published, and no more."""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import ipaddress
import socket
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from course_magics import engine, settings
from course_magics.engine import embedded
from course_magics.engine.embedded import client, guest_side
from course_magics.engine.embedded.files import Files
from course_magics.engine.embedded.machine import Machine, Settings
from course_magics.errors import EngineError
from tests.embedded.conftest import awaited
from tests.embedded.stopped import start

pytestmark = pytest.mark.embedded


class Page(http.server.BaseHTTPRequestHandler):
    """Stands for a notebook server."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"secret\n")

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[http.server.ThreadingHTTPServer]:
    """On all addresses of this computer, as far as the tests go."""
    with http.server.ThreadingHTTPServer(("0.0.0.0", 0), Page) as found:
        threading.Thread(target=found.serve_forever, daemon=True).start()
        yield found
        found.shutdown()


@pytest.fixture
def api(state: Path) -> Iterator[docker.DockerClient]:
    found = start()
    yield found
    found.close()


ASK = """
import sys, urllib.request
for address in sys.argv[1:]:
    try:
        print(urllib.request.urlopen(f"http://{address}/", timeout=5).read().decode().strip())
    except OSError as error:
        print(type(getattr(error, "reason", error)).__name__)
"""


def ask(api: docker.DockerClient, *addresses: str, **options: Any) -> list[str]:
    """What a container gets from each: the page, or the name of an error."""
    words = ["python3", "-c", ASK, *addresses]
    said = api.containers.run("course/python", words, remove=True, **options)
    return str(said.decode()).split()


def own_address() -> str:
    """This computer's address in its network: to the machine it is one like any elsewhere."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])


@pytest.mark.parametrize("network", ["bridge", "host"])
def test_what_listens_on_127_0_0_1_is_out_of_reach(
    api: docker.DockerClient, server: http.server.ThreadingHTTPServer, network: str
) -> None:
    port = server.server_address[1]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
        assert answer.read() == b"secret\n"
    # Each address of QEMU's own network but the machine's leads to 127.0.0.1.
    places = [f"10.0.2.{number}:{port}" for number in (2, 77, 3)]
    assert ask(api, *places, network_mode=network) == ["ConnectionRefusedError"] * 3


def test_the_rest_of_the_world_is_in_reach(
    api: docker.DockerClient, server: http.server.ThreadingHTTPServer
) -> None:
    address = own_address()
    if ipaddress.ip_address(address) in ipaddress.ip_network("172.16.0.0/12"):
        pytest.skip("the machine has networks of its own there")
    assert ask(api, f"{address}:{server.server_address[1]}") == ["secret"]


LOOK_UP = """
import socket
socket.setdefaulttimeout(3)
query = b"\\x12\\x34\\x01\\0\\0\\1" + bytes(6) + b"\\7nothing\\7invalid\\0\\0\\1\\0\\1"
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
    asked.connect(("10.0.2.3", 53))
    asked.send(query)
    try:
        print(len(asked.recv(512)) > 0)
    except TimeoutError:
        print("TimeoutError")
"""


def test_names_are_asked_for(api: docker.DockerClient) -> None:
    """The question gets through; whether this computer has a name server is another matter."""
    said = api.containers.run("course/python", ["python3", "-c", LOOK_UP], remove=True)
    assert said.decode().strip() in ("True", "TimeoutError"), "not refused"


def test_only_what_is_allowed_is_let_through(
    state: Path, server: http.server.ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedded.stop()
    engine.forget()
    port = server.server_address[1]
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        monkeypatch.setattr(settings.current(), "engine_reach", f"{port}")
        api = start()
        try:
            places = [f"10.0.2.2:{port}", f"10.0.2.2:{other.server_address[1]}"]
            assert ask(api, *places) == ["secret", "ConnectionRefusedError"]
        finally:
            api.close()
            embedded.stop()
            other.shutdown()


def test_it_is_closed_before_dockerd_starts_containers_again(
    state: Path, server: http.server.ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the machine boots. The user's own start sets no rules here, so it was the machine's."""
    start().close()  # so that there is a disk: a new one does not boot
    embedded.stop()
    Files.mine().saved_as.unlink()
    engine.forget()
    monkeypatch.setattr(guest_side, "guard", lambda reach: "true")
    machine = Machine(Files.mine(), Settings(folders=False))

    async def boot() -> list[str]:
        await machine.start(print)
        try:
            assert machine.facts["start"] == "booting the machine"
            with_rules = docker.DockerClient(f"unix://{machine.files.docker}", timeout=120)
            with contextlib.closing(with_rules) as found:
                place = f"10.0.2.2:{server.server_address[1]}"
                return await asyncio.to_thread(ask, found, place)
        finally:
            await machine.stop(save=False)

    assert awaited(boot()) == ["ConnectionRefusedError"]


@pytest.mark.parametrize("wrong", ["http", "0", "65536", "5000-6000"])
def test_what_is_no_port_is_refused(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings.current(), "engine_reach", f"80 {wrong}")
    with pytest.raises(EngineError, match=f"engine_reach: {wrong} is no port"):
        client._settings()


def test_no_folder_is_shared_where_none_shall_be(
    state: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "mine").write_text("mine")
    embedded.stop()
    engine.forget()
    monkeypatch.setattr(settings.current(), "engine_folders", False)
    api = start()
    try:
        mount = "mkdir /m && mount -t 9p -o trans=virtio computer /m && ls -A /m | wc -l"
        seen = api.containers.run(
            "course/busybox", ["sh", "-c", mount], privileged=True, remove=True
        ).decode()
        assert seen.strip() == "0", "root in the machine finds an empty folder"
        lease = embedded.held()
        assert lease is not None
        assert lease.facts["shared"] == []
    finally:
        api.close()
        embedded.stop()

"""A name never changes where a request goes: what a real client sends over TCP is looked at."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, ClassVar

import pytest

from course_magics.containers import exec as exec_
from course_magics.containers import images, logs
from course_magics.containers.lifecycle import remove
from course_magics.engine import connection
from course_magics.engine.client import client
from course_magics.engine.routes import route
from course_magics.errors import CourseError, EngineError

if TYPE_CHECKING:
    from docker import APIClient

HOSTILE = ("../x", "../x?force=1", "a/../../x", "./x", "a//b", "..", "", "x/")


class Records(BaseHTTPRequestHandler):
    seen: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.seen.append(f"{self.command} {self.path}")
        self.send_response(404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_DELETE = do_HEAD = do_GET

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[APIClient]:
    server = HTTPServer(("127.0.0.1", 0), Records)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    Records.seen.clear()
    found = client(base_url=f"tcp://127.0.0.1:{server.server_port}", version="1.41")
    monkeypatch.setattr(connection, "_current", connection.Engine("x", "tcp://x", "", found))
    yield found
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_that_would_lead_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(EngineError, match="nothing is called"):
        route("/containers/{}/json", name)


def test_signs_stay_part_of_a_name() -> None:
    assert route("/images/{}/json", "a/b:1") == "/images/a/b:1/json"
    assert route("/networks/{}", "a?b=1#c") == "/networks/a%3Fb%3D1%23c"
    assert route("/networks/{}", "a%2e%2e") == "/networks/a%252e%252e"


@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_else_is_asked_for(name: str, api: APIClient) -> None:
    """Over TCP the client itself would leave out the dots: `rmi ../containers/x` removed x."""
    for ask in (
        lambda: images.history(name, ""),
        lambda: logs.logs(name),
        lambda: exec_.execute(name, ["true"]),
        lambda: remove([name], "", force=True, volumes=False),
        lambda: api.remove_image(name),
        lambda: api.inspect_network(name),
    ):
        with pytest.raises((CourseError, ValueError)):
            ask()
    lists = ("/v1.41/containers/json", "/v1.41/images/json", "/v1.41/networks")  # did you mean …?
    assert [s for s in Records.seen if s.partition("?")[0].split()[1] not in lists] == []

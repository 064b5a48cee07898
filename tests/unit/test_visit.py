"""A page of a server that starts slowly, answers 503 first, has no such page, or never comes."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from urllib.error import HTTPError

import pytest

from course_magics import settings
from course_magics.errors import CourseError
from course_magics.visit import visit


class _Page(BaseHTTPRequestHandler):
    asked = 0

    def do_GET(self) -> None:
        type(self).asked += 1
        status = 404 if self.path == "/gone" else 503 if self.asked < 3 else 200
        self.send_response(status)
        self.end_headers()
        self.wfile.write(b"hello" if status == 200 else b"")

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[HTTPServer]:
    """A server that has its port, and listens as soon as it is told to."""
    monkeypatch.setattr(_Page, "asked", 0)
    # A thread for each connection: others on this computer may knock at the port as well.
    made = ThreadingHTTPServer(("127.0.0.1", 0), _Page, bind_and_activate=False)
    made.server_bind()
    yield made
    made.server_close()


def _url(server: HTTPServer, path: str = "") -> str:
    return f"http://127.0.0.1:{server.server_address[1]}/{path}"


def _serve(server: HTTPServer) -> None:
    server.server_activate()
    server.serve_forever(0.05)


def test_one_that_listens_later_and_refuses_first(server: HTTPServer) -> None:
    def later() -> None:
        time.sleep(0.5)
        _serve(server)

    threading.Thread(target=later, daemon=True).start()
    assert visit(_url(server)) == "hello"
    assert _Page.asked == 3
    server.shutdown()


def test_a_page_that_is_not_there_is_not_waited_for(server: HTTPServer) -> None:
    threading.Thread(target=_serve, args=(server,), daemon=True).start()
    with pytest.raises(HTTPError, match="404"):
        visit(_url(server, "gone"))
    server.shutdown()


def test_a_server_that_never_comes_is_given_up(
    server: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings.current(), "patience", 1)
    with pytest.raises(CourseError, match=r"no page at .*: nothing has moved for 1 s"):
        visit(_url(server))

"""A fake engine, for what a real one does not do on demand: 500 containers, answers that take long.

Usage: python -m tests.fake_engine SOCKET SECONDS COUNT. It answers a ping at once; every list takes
SECONDS. To make it hang, stop its process (SIGSTOP): it still takes connections, as a hung one does.
"""

from __future__ import annotations

import contextlib
import json
import socketserver
import subprocess
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from course_magics.patience import until


class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    seconds = 0.0
    count = 500

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path.endswith("/containers/json"):
            time.sleep(self.seconds)
            self._say(
                [
                    {
                        "Id": f"{i:064x}",
                        "Names": [f"/shop-{i:03}"],
                        "Image": "course/busybox",
                        "State": "running" if i % 2 else "exited",
                        "Status": "Up 3 hours",
                        "Labels": {f"label-{n}": "x" * 50 for n in range(20)},
                    }
                    for i in range(self.count)
                ]
            )
        elif path.endswith("/version"):
            self._say({"Version": "0.0-fake", "ApiVersion": "1.41"})
        elif path.endswith("/_ping"):
            self._say("OK")
        else:
            time.sleep(self.seconds)
            self._say([])

    do_HEAD = do_GET

    def _say(self, answer: object) -> None:
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Api-Version", "1.41")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def address_string(self) -> str:
        return "fake"

    def log_message(self, format: str, *args: object) -> None:
        pass


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


@contextlib.contextmanager
def fake_engine(
    folder: Path, seconds: float = 0, count: int = 500
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The URL and the process of a fake engine."""
    socket = folder / "fake.sock"
    words = [sys.executable, "-m", "tests.fake_engine", str(socket), str(seconds), str(count)]
    with subprocess.Popen(words, cwd=Path(__file__).parent.parent) as process:
        try:
            until(socket.exists, what="the fake engine")
            yield f"unix://{socket}", process
        finally:
            process.kill()


if __name__ == "__main__":
    Answers.seconds, Answers.count = float(sys.argv[2]), int(sys.argv[3])
    with Server(sys.argv[1], Answers) as server:
        server.serve_forever()

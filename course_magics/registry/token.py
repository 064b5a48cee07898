"""Anybody pulls, who knows the password pushes: the server that a registry sends its clients to.

A registry of its own knows only "everything with a password". So it trusts this server's signature:
who asks here gets a token that says what may be done (distribution.github.io/distribution, "Token
Authentication Specification"). docker, podman and containerd ask by themselves.

A process of its own: `python -m course_magics.registry.token FOLDER SOCKET`, the latter the number
of one that listens. It exits when the registry does.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from course_magics import labels, storage
from course_magics.errors import RegistryError

#: The files, in the registry's folder.
USERS, KEY, CERTIFICATE = "users.json", "token.key", "token.crt"
#: Who signs, and for whom, as the registry's configuration has it.
ISSUER, SERVICE = "course-magics", "course-registry"
#: How long a token counts (seconds); a push that takes longer asks again.
_LASTS = 300
_PULL = {"repository": {"pull"}, "registry": {"*"}}
#: Seconds between two looks at whether the registry is still there.
_LOOK = 1.0


def entry(user: str, password: str) -> dict[str, str]:
    """What is kept of a password: a slow hash."""
    salt = secrets.token_bytes(16)
    return {"user": user, "salt": salt.hex(), "hash": _hash(password, salt)}


def _hash(password: str, salt: bytes) -> str:
    return hashlib.scrypt(password.encode(), salt=salt, n=2**14, r=8, p=1).hex()


def make_key(key: Path, certificate: Path) -> None:
    """Make the key and its certificate where they are missing. Raises RegistryError."""
    if key.is_file() and certificate.is_file():
        return
    openssl = shutil.which("openssl")
    if openssl is None:
        raise RegistryError(
            "a password needs the program openssl",
            hint="sudo apt-get install openssl; --open: anybody on this computer may push",
        )
    drafts = [file.with_name(f".{file.name}") for file in (key, certificate)]
    drafts[0].touch(mode=0o600)
    words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650"]
    words += ["-subj", "/CN=course", "-keyout", str(drafts[0]), "-out", str(drafts[1])]
    done = subprocess.run([openssl, *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RegistryError("openssl made no key", detail=done.stderr[-500:])
    for draft, file in zip(drafts, (key, certificate), strict=True):
        storage.sync_file(draft)
        draft.replace(file)


class _Server(ThreadingHTTPServer):
    """One registry's. folder: its files."""

    daemon_threads = True

    def __init__(self, folder: Path, listening: socket.socket) -> None:
        super().__init__(("127.0.0.1", 0), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listening
        self.folder = folder
        self.known = storage.read_json(folder / USERS) or {}
        certificate = (folder / CERTIFICATE).read_text("ascii")
        self.certificate = "".join(line for line in certificate.splitlines() if "-----" not in line)
        #: One hash at a time: each takes memory and time.
        self.checking = threading.Lock()
        self._looked = time.monotonic()

    def service_actions(self) -> None:
        """Exit once the registry has exited: nothing else would end this process."""
        if time.monotonic() < self._looked + _LOOK:
            return
        self._looked = time.monotonic()
        try:
            facts = storage.read_json(self.folder / "registry.json")
        except (OSError, ValueError):
            return
        gone = facts is None or facts.get("token_pid") != os.getpid()
        if facts is not None and (pid := facts.get("pid")):
            gone = gone or labels.started(int(pid)) != facts.get("began")
        if gone:
            threading.Thread(target=self.shutdown, daemon=True).start()

    def may_push(self, header: str) -> bool:
        """Whether an Authorization header has the user's name and password."""
        try:
            word, _, coded = header.partition(" ")
            user, _, password = base64.b64decode(coded).decode().partition(":")
        except ValueError:
            return False
        if word.lower() != "basic":
            return False
        with self.checking:
            same = hmac.compare_digest(
                _hash(password, bytes.fromhex(self.known["salt"])), self.known["hash"]
            )
        return same and hmac.compare_digest(user.encode(), self.known["user"].encode())

    def token(self, access: list[dict[str, Any]], user: str) -> str:
        """A signed list of what may be done."""
        now = int(time.time())
        head = {"typ": "JWT", "alg": "RS256", "x5c": [self.certificate]}
        claims = {
            **{"iss": ISSUER, "aud": SERVICE, "sub": user, "jti": secrets.token_hex(16)},
            **{"nbf": now - 60, "iat": now, "exp": now + _LASTS, "access": access},
        }
        signed = b".".join(_coded(json.dumps(part).encode()) for part in (head, claims))
        done = subprocess.run(
            ["openssl", "dgst", "-sha256", "-binary", "-sign", str(self.folder / KEY)],
            input=signed, capture_output=True, check=True,
        )  # fmt: skip
        return b".".join((signed, _coded(done.stdout))).decode()


def _coded(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def allowed(scopes: list[str], *, push: bool) -> list[dict[str, Any]]:
    """What of the `TYPE:NAME:ACTION,…` asked for is granted: never to delete."""
    found = []
    for scope in " ".join(scopes).split():
        kind, _, rest = scope.partition(":")
        name, _, actions = rest.rpartition(":")
        granted = set(actions.split(",")) & (_PULL.get(kind.partition("(")[0]) or set())
        if push and kind == "repository" and "push" in actions.split(","):
            granted.add("push")
        found.append({"type": kind, "name": name, "actions": sorted(granted)})
    return found


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 30

    def do_GET(self) -> None:
        header = self.headers.get("Authorization", "")
        push = bool(header) and self.server.may_push(header)
        if header and not push:
            self._answer(401, {"errors": [{"code": "UNAUTHORIZED", "message": "wrong password"}]})
            return
        scopes = parse_qs(urlsplit(self.path).query).get("scope", [])
        user = self.server.known["user"] if push else ""
        token = self.server.token(allowed(scopes, push=push), user)
        self._answer(200, {"token": token, "access_token": token, "expires_in": _LASTS})

    def _answer(self, status: int, value: dict[str, Any]) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


def start(folder: Path) -> tuple[subprocess.Popen[bytes], int]:
    """Start it for the registry in `folder`; returns its process and its port of 127.0.0.1.

    It begins when its standard input is closed: its pid has been written down then.
    """
    log_file = folder / "token.log"
    with socket.create_server(("127.0.0.1", 0)) as listening, log_file.open("wb") as log:
        handle = listening.fileno()
        words = [sys.executable, "-m", "course_magics.registry.token", str(folder), str(handle)]
        root = str(Path(__file__).parents[2])
        path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
        process = subprocess.Popen(
            words, pass_fds=[handle], env={**os.environ, "PYTHONPATH": path}, cwd="/",
            stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
        return process, int(listening.getsockname()[1])


def main() -> None:
    """Serve until the registry exits."""
    sys.stdin.read()
    with _Server(Path(sys.argv[1]), socket.socket(fileno=int(sys.argv[2]))) as server:
        server.serve_forever(poll_interval=1)


if __name__ == "__main__":
    main()

"""The guest agent's client, where the agent misbehaves. A plain socket stands for QEMU: a real agent
does none of this on demand. The real one is asked in tests/machine/test_strangers.py."""

from __future__ import annotations

import base64
import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from course_magics.errors import MachineError
from course_magics.guest.agent import Agent
from course_magics.machines import provider, quoted

_KEY = "ssh-ed25519 AAAAkey me@here"
_RUBY = shutil.which("ruby") or "/opt/vagrant/embedded/bin/ruby"

Answer = Callable[[dict[str, Any]], object]
Serve = Callable[..., Path]


class _Guest:
    """An agent that keeps the files written to it."""

    def __init__(self) -> None:
        self.files: dict[str, str] = {}
        self.asked: list[str] = []
        self._open = ""

    def __call__(self, call: dict[str, Any]) -> object:
        name, arguments = call["execute"], call["arguments"]
        self.asked.append(name)
        if name == "guest-sync":
            return {"return": arguments["id"]}
        if name == "guest-file-open":
            self._open = arguments["path"]
            return {"return": 1000}
        if name == "guest-file-write":
            self.files[self._open] = base64.b64decode(arguments["buf-b64"]).decode()
        if name == "guest-ssh-get-authorized-keys":
            text = self.files[f"/home/{arguments['username']}/.ssh/authorized_keys"]
            return {"return": {"keys": text.split("\n")}}
        return {"return": {}}


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Starts a socket that answers; gives its path."""
    with socket.socket(socket.AF_UNIX) as listener:
        path = tmp_path / "agent.sock"
        listener.bind(str(path))
        listener.listen()

        def one(answer: Answer, before: bytes = b"", pause: float = 0) -> Path:
            def work() -> None:
                connection, _ = listener.accept()
                with connection, connection.makefile("rwb") as stream:
                    stream.write(before)
                    stream.flush()
                    for line in stream:
                        time.sleep(pause)
                        reply = answer(json.loads(line))
                        if reply is None:
                            return
                        if reply != "":
                            stream.write(json.dumps(reply).encode() + b"\n")
                            stream.flush()

            threading.Thread(target=work, daemon=True).start()
            return path

        yield one


def test_a_key_is_put_in_and_asked_for_again(serve: Serve) -> None:
    guest = _Guest()
    with Agent(serve(guest)) as agent:
        agent.let_in("vagrant", [_KEY])
    # With an end: a line that somebody adds is one of its own.
    assert guest.files == {"/home/vagrant/.ssh/authorized_keys": "ssh-ed25519 AAAAkey\n"}


def test_what_an_earlier_connection_left_is_no_answer(serve: Serve) -> None:
    left = b'alf an answer"}\n{"return": 1}\n{"return": {"keys": ["of", "others"]}}\n'
    with Agent(serve(_Guest(), before=left)) as agent:
        agent.let_in("vagrant", [_KEY])


def test_a_guest_that_does_not_take_the_key_is_told(serve: Serve) -> None:
    guest = _Guest()

    def stubborn(call: dict[str, Any]) -> object:
        answer = guest(call)
        guest.files = {path: f"{text}ssh-rsa other\n" for path, text in guest.files.items()}
        return answer

    with Agent(serve(stubborn)) as agent, pytest.raises(MachineError, match="did not take"):
        agent.let_in("vagrant", [_KEY])


def test_refusals_and_ends_are_told(serve: Serve, tmp_path: Path) -> None:
    guest = _Guest()

    def refuses(call: dict[str, Any]) -> object:
        if call["execute"] == "guest-sync":
            return guest(call)
        return {"error": {"desc": "no such file"}} if call["execute"] == "guest-file-open" else None

    with Agent(serve(refuses)) as agent:
        with pytest.raises(MachineError, match="refused") as caught:
            agent.write("/etc/x", "y")
        assert caught.value.detail == "no such file"
        with pytest.raises(MachineError, match="went away"):
            agent.command("guest-ping")
    with pytest.raises(MachineError, match="cannot be reached"):
        Agent(tmp_path / "nothing")


def test_a_silent_agent_is_waited_for_as_long_as_the_machine_gets_on(serve: Serve) -> None:
    """Seconds of silence are no fault while something moves; one second of nothing is, here."""
    guest = _Guest()
    signs = iter(range(1000))
    with Agent(serve(guest, pause=1.5), sign=lambda: next(signs), patience=1) as agent:
        assert agent.command("guest-ping") == {}


def test_a_machine_that_stands_still_is_not_waited_for(serve: Serve) -> None:
    with pytest.raises(MachineError, match="does not answer"):
        Agent(serve(lambda call: ""), patience=1)


@pytest.mark.skipif(not Path(_RUBY).exists(), reason="comes with vagrant")
def test_the_providers_client_does_the_same(serve: Serve) -> None:
    guest = _Guest()
    path = serve(guest, before=b'alf an answer"}\n{"return": 1}\n')
    place = Path(provider.__file__).parent / "agent"
    script = (
        f"module CourseQemu; class Broken < StandardError; end; end; require {quoted.ruby(place)}\n"
        f"CourseQemu::Agent.open({quoted.ruby(path)}, -> {{}}) "
        f"{{ |agent| agent.let_in('vagrant', {quoted.ruby(_KEY)}) }}"
    )
    done = subprocess.run([_RUBY, "-e", script], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert guest.files == {"/home/vagrant/.ssh/authorized_keys": "ssh-ed25519 AAAAkey\n"}

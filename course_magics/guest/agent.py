"""A small client of the guest agent, on the unix socket that QEMU makes for it.

https://www.qemu.org/docs/master/interop/qemu-ga-ref.html
"""

from __future__ import annotations

import base64
import json
import secrets
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from course_magics.errors import MachineError
from course_magics.patience import Patience

#: The longest silence between two looks at how far the machine is (seconds).
_LOOK = 0.5


class Agent:
    """One connection. The agent answers as soon as it runs, and what it is asked waits for it."""

    def __init__(
        self,
        path: Path,
        *,
        sign: Callable[[], object] = lambda: None,
        patience: float | None = None,
    ) -> None:
        """Connect to the socket at `path`; MachineError where nobody listens.

        sign: how far the machine is, asked while an answer is waited for. patience: how long it
        may stand still meanwhile (seconds).
        """
        self._sign = sign
        self._patience = patience
        self._rest = b""
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(_LOOK)
        try:
            self._socket.connect(str(path))
            # What an earlier connection has left unread comes before the answer to this.
            number = secrets.randbits(31)
            self._send("guest-sync", {"id": number})
            while self._read().get("return") != number:
                pass
        except OSError as error:
            self.close()
            raise MachineError(
                "The guest agent cannot be reached.", detail=f"{path}: {error}"
            ) from error
        except BaseException:
            self.close()
            raise

    def command(self, name: str, /, **arguments: Any) -> Any:
        """Send one command and return its answer; MachineError where the agent refuses it."""
        try:
            self._send(name, arguments)
            answer = self._read()
        except OSError as error:
            raise MachineError("The guest agent went away.", command=name) from error
        if "error" in answer:
            raise MachineError(
                "The guest agent refused a command.",
                command=name, detail=answer["error"].get("desc"),
            )  # fmt: skip
        return answer.get("return")

    def let_in(self, user: str, keys: Sequence[str]) -> None:
        """Have sshd take these public keys for `user`, and no others. Raises MachineError."""
        lines = [" ".join(key.split()[:2]) for key in keys]
        # Not guest-ssh-add-authorized-keys: its last line has no end, and takes in the next one.
        self.write(f"/home/{user}/.ssh/authorized_keys", "".join(f"{line}\n" for line in lines))
        found = self.command("guest-ssh-get-authorized-keys", username=user)["keys"]
        if sorted(line for line in found if line) != sorted(lines):
            raise MachineError("The guest did not take the key.", detail="\n".join(found))

    def write(self, path: str, text: str) -> None:
        """Write a file of the guest, which has to be there. Raises MachineError."""
        handle = self.command("guest-file-open", path=path, mode="w")
        data = base64.b64encode(text.encode()).decode()
        self.command("guest-file-write", **{"handle": handle, "buf-b64": data})
        self.command("guest-file-close", handle=handle)

    def _send(self, name: str, arguments: dict[str, Any]) -> None:
        message = {"execute": name, "arguments": arguments}
        self._socket.sendall(json.dumps(message).encode() + b"\n")

    def _read(self) -> dict[str, Any]:
        """The next answer. Raises OSError, and MachineError when nothing moves any more."""
        patience = Patience(self._patience)
        while b"\n" not in self._rest:
            try:
                data = self._socket.recv(65536)
            except TimeoutError:
                patience.saw(self._sign())
                if patience.over:
                    raise MachineError(
                        "The guest agent does not answer.",
                        detail=f"nothing has moved for {patience.seconds:.0f} s",
                    ) from None
                continue
            if not data:
                raise ConnectionResetError("QEMU has ended")
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        try:
            answer = json.loads(line.strip(b"\xff"))
        except ValueError:
            return {}  # the end of an answer that nobody has read
        return answer if isinstance(answer, dict) else {}

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

"""A small client of QEMU's monitor protocol (QMP) on a unix socket."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from course_magics.errors import MachineError
from course_magics.patience import Patience


class Qmp:
    """One connection. Commands are answered in order; events are kept aside."""

    def __init__(
        self, path: Path, timeout: float | None = None, answer: float | None = None
    ) -> None:
        """Connect to the socket at `path`, waiting at most `timeout` seconds for it to be there.

        answer: how long a command may take (seconds). Both: the setting `patience` where not given.

        MachineError when nothing answers by then.
        """
        patience = Patience(timeout)
        while True:
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.settimeout(Patience(answer).seconds)
            try:
                self._socket.connect(str(path))
                break
            except OSError as error:
                self._socket.close()
                patience.saw()
                if patience.over:
                    raise MachineError(
                        "QEMU's monitor does not answer.", detail=f"{path}: {error}"
                    ) from error
                time.sleep(0.02)
        self._stream = self._socket.makefile("rwb")
        self.events: list[dict[str, Any]] = []
        try:
            self._read()
            self.command("qmp_capabilities")
        except MachineError:
            self.close()
            raise

    def command(self, name: str, /, **arguments: Any) -> Any:
        """Send one command and return its answer; MachineError where QEMU refuses it."""
        return self._command(name, arguments, [])

    def hand_over(self, name: str, file: int) -> None:
        """Give QEMU an open file (its descriptor), which `fd:NAME` means from then on."""
        self._command("getfd", {"fdname": name}, [file])

    def _command(self, name: str, arguments: dict[str, Any], files: list[int]) -> Any:
        words = {key.replace("_", "-"): value for key, value in arguments.items()}
        message = {"execute": name, "arguments": words} if words else {"execute": name}
        try:
            line = json.dumps(message).encode() + b"\n"
            if files:
                socket.send_fds(self._socket, [line], files)
            else:
                self._socket.sendall(line)
            while True:
                answer = self._read()
                if "event" in answer:
                    self.events.append(answer)
                elif "error" in answer:
                    raise MachineError(
                        "QEMU refused a command.", command=name, detail=answer["error"].get("desc")
                    )
                else:
                    return answer.get("return")
        except OSError as error:
            raise MachineError("QEMU went away.", command=name, detail=str(error)) from error

    def _read(self) -> dict[str, Any]:
        try:
            line = self._stream.readline()
        except TimeoutError:
            raise MachineError("QEMU's monitor does not answer.") from None
        except ConnectionError:  # it ended before it took the connection
            line = b""
        if not line.endswith(b"\n"):
            raise MachineError("QEMU closed its monitor.")
        answer = json.loads(line)
        assert isinstance(answer, dict)
        return answer

    def close(self) -> None:
        with contextlib.suppress(OSError):  # what is still to be written, and nobody reads
            self._stream.close()
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

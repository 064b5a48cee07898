"""A real kernel, as Jupyter starts it, driven cell by cell."""

from __future__ import annotations

import contextlib
import queue
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
#: A cell that shows nothing for so long hangs (seconds).
SILENT = 180


@dataclass
class Cell:
    """What became of a cell. status: "ok", "error", "dead" (its kernel went) or "hangs"."""

    code: str
    status: str = ""
    error: str = ""
    trace: str = ""
    text: str = ""
    seconds: float = 0.0
    outputs: list[str] = field(default_factory=list)

    @property
    def raw_traceback(self) -> bool:
        """Whether Python's own traceback was shown, in place of an error of ours."""
        return "Traceback (most recent call last)" in self.trace

    @property
    def says_what_to_type(self) -> bool:
        """Whether the error is one of ours that ends with what to do next."""
        return not self.raw_traceback and "→" in self.trace


class Kernel:
    """Starts at once; `run` waits for a cell, `begin` and `end` do so apart."""

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self.manager = KernelManager(kernel_name="python3")
        self.manager.start_kernel(
            cwd=str(folder), env=dict(env), extra_arguments=["--IPKernelApp.log_level=ERROR"]
        )
        self.client: BlockingKernelClient = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=300)
        self._asked = ""
        self._cell = Cell("")
        self._begun = 0.0
        self.run("%load_ext course_magics")

    @property
    def pid(self) -> int:
        provisioner: Any = self.manager.provisioner
        return int(provisioner.pid)

    def run(self, code: str) -> Cell:
        """A cell, to its end."""
        self.begin(code)
        return self.end()

    def begin(self, code: str) -> None:
        """Send a cell, and do not wait."""
        self._begun = time.monotonic()
        self._cell = Cell(code)
        self._asked = self.client.execute(code)

    def end(self) -> Cell:
        """Wait for the cell that `begin` has sent."""
        cell, last = self._cell, time.monotonic()
        while not cell.status:
            try:
                message = self.client.get_iopub_msg(timeout=1)
            except queue.Empty:
                if not self.manager.is_alive():
                    cell.status = "dead"
                elif time.monotonic() - last > SILENT:
                    cell.status = "hangs"
                continue
            if message["parent_header"].get("msg_id") != self._asked:
                continue
            last = time.monotonic()
            self._take(cell, message)
        cell.seconds = time.monotonic() - self._begun
        return cell

    @staticmethod
    def _take(cell: Cell, message: dict[str, Any]) -> None:
        kind, content = message["msg_type"], message["content"]
        if kind == "stream":
            cell.text += content["text"]
        elif kind in ("execute_result", "display_data"):
            cell.text += str(content["data"].get("text/plain", "")) + "\n"
        elif kind == "error":
            cell.error = f"{content['ename']}: {content['evalue']}".strip()
            cell.trace = _COLOUR.sub("", "\n".join(content["traceback"]))
        elif kind == "status" and content["execution_state"] == "idle":
            cell.status = "error" if cell.error else "ok"

    def close(self) -> None:
        """End it, whatever state it is in."""
        with contextlib.suppress(Exception):
            self.client.stop_channels()
        with contextlib.suppress(Exception):
            self.manager.shutdown_kernel(now=True)

"""One notebook executed: until a cell fails, and then only what cleans up."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_magics.patience import Patience

if TYPE_CHECKING:
    from nbformat import NotebookNode

#: The tag of a cell that removes what the notebook has made. It runs after a failing cell, too.
CLEAN_UP = "clean-up"
#: A cell is given up when no message of it has come for so long (seconds): no output, no progress.
_PATIENCE = 600
#: How long a kernel may take to start, or to hand over the last output of a cell (seconds).
_HANDING_OVER = 600
#: What an interrupted cell may take to end before its kernel is killed (seconds).
_ENDING = 30

_NAMED = re.compile(r"[A-Za-z_.]+(Error|Exception|Interrupt\w*): ")


@dataclass(frozen=True)
class Failure:
    """The first cell that failed. cell: its number among the code cells, from 1; 0: the kernel.

    line: the first line of its source. error: what went wrong, one line. trace: all of it.
    """

    cell: int
    line: str
    error: str
    trace: str


async def execute(book: NotebookNode, folder: Path, env: dict[str, str]) -> Failure | None:
    """Execute the cells of `book` in place, in a kernel of its own that works in `folder`.

    After a failing cell only those with the tag `clean-up` run; what the others held of an
    earlier run is taken out. Returns what failed, or None.
    """
    from nbclient.exceptions import CellExecutionError, DeadKernelError

    client = _client(book, folder)
    client.reset_execution_trackers()
    failure: Failure | None = None
    number = 0
    dead = False
    try:
        async with client.async_setup_kernel(env=env):
            for index, cell in enumerate(book.cells):
                if cell.cell_type != "code":
                    continue
                number += 1
                cleans = CLEAN_UP in cell.metadata.get("tags", ())
                if dead or (failure is not None and not cleans):
                    cell.outputs, cell.execution_count = [], None
                    continue
                try:
                    await client.until_done(cell, index)
                except CellExecutionError as failed:
                    trace = _plain(failed.traceback)
                    error = client.gave_up or _one_line(trace)
                    failure = failure or Failure(number, _begins(cell), error, trace)
                except (DeadKernelError, RuntimeError) as failed:
                    dead = True
                    error = client.gave_up or "the kernel died"
                    failure = failure or Failure(number, _begins(cell), error, str(failed))
    except (DeadKernelError, RuntimeError, OSError) as failed:  # while it starts or ends
        failure = failure or Failure(0, "", f"no kernel: {_one_line(str(failed))}", str(failed))
    return failure


def _client(book: NotebookNode, folder: Path) -> Any:
    from jupyter_core.utils import ensure_async
    from nbclient import NotebookClient

    class Client(NotebookClient):
        """nbclient's, with a limit on silence in place of one on the whole time of a cell."""

        messages = 0
        gave_up = ""

        def process_message(self, *words: Any, **more: Any) -> Any:
            self.messages += 1
            return super().process_message(*words, **more)

        async def until_done(self, cell: NotebookNode, index: int) -> None:
            self.gave_up = ""
            guard = asyncio.ensure_future(self._guard())
            try:
                count = self.code_cells_executed + 1
                await self.async_execute_cell(cell, index, execution_count=count)
            finally:
                guard.cancel()

        async def _guard(self) -> None:
            """Interrupt a cell that has gone silent; kill a kernel that does not even notice."""
            patience = Patience(_PATIENCE)
            while not patience.over:
                await asyncio.sleep(1)
                patience.saw(self.messages)
            self.gave_up = f"the cell showed nothing for {_PATIENCE} s and was interrupted"
            assert self.km is not None
            await ensure_async(self.km.interrupt_kernel())
            await asyncio.sleep(_ENDING)
            self.gave_up = f"the cell showed nothing for {_PATIENCE} s; its kernel was killed"
            await ensure_async(self.km.shutdown_kernel(now=True))

    return Client(
        book,
        timeout=None,
        startup_timeout=_HANDING_OVER,
        iopub_timeout=_HANDING_OVER,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        store_widget_state=False,
        # Else each kernel warns on the terminal that it talks over loopback TCP.
        extra_arguments=["--IPKernelApp.log_level=ERROR"],
    )


def _begins(cell: NotebookNode) -> str:
    lines = [line for line in str(cell.source).splitlines() if line.strip()]
    return lines[0].strip() if lines else ""


def _plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text).strip()


def _one_line(trace: str) -> str:
    """The line that names the error: the first of ours, the last of a Python traceback."""
    lines = [line.strip() for line in trace.splitlines() if line.strip(" -")]
    if not lines:
        return "it failed without an error message"
    named = [
        line for line in lines if re.match(r"[A-Za-z_.]+(Error|Exception|Interrupt\w*): ", line)
    ]
    if "Traceback" in trace:
        return named[-1] if named else lines[-1]
    return named[0] if named else lines[-1]

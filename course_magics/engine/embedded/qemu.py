"""The QEMU process of the embedded engine: started, watched through its monitor, killed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from pathlib import Path
from typing import Any

from course_magics.engine.embedded import memory
from course_magics.engine.embedded.files import Files
from course_magics.engine.embedded.hardware import agent_of, command
from course_magics.errors import MachineError
from course_magics.guest.launch import free_port
from course_magics.guest.model import Guest
from course_magics.guest.procs import spent
from course_magics.guest.qmp import Qmp
from course_magics.patience import Patience


class Qemu:
    """One QEMU. patience: seconds that a wait goes on while nothing moves."""

    def __init__(self, files: Files, patience: float) -> None:
        self._files = files
        self._patience = patience
        self._process: asyncio.subprocess.Process | None = None
        self._qmp: Qmp | None = None

    async def launch(
        self,
        guest: Guest,
        hardware: dict[str, Any],
        shared: Path,
        state: Path | None,
        *,
        rekey: bool = False,
    ) -> None:
        """Start it and wait until the machine runs.

        shared: the folder that the machine can mount. state: the memory to load, None to boot.
        rekey: the machine asks its agent for a key, though it has one.
        Raises MachineError, of these DoesNotFit when this QEMU cannot load the memory.
        """
        with contextlib.ExitStack() as opened:
            incoming = opened.enter_context(state.open("rb")) if state is not None else None
            log = opened.enter_context(self._files.qemu_log.open("wb"))
            number = incoming.fileno() if incoming is not None else None
            words = command(
                guest, **hardware, disk=self._files.disk, monitor=self._files.monitor,
                console=self._files.console, shared=shared, state=number, rekey=rekey,
            )  # fmt: skip
            # QEMU must not outlive its keeper, however that ends.
            if setpriv := shutil.which("setpriv"):
                words = [setpriv, "--pdeathsig", "KILL", *words]
            self._files.monitor.unlink(missing_ok=True)
            agent_of(self._files.monitor).unlink(missing_ok=True)
            self._process = await asyncio.create_subprocess_exec(
                *words, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, pass_fds=() if number is None else (number,),
            )  # fmt: skip
            try:
                self._qmp = await self._connect()
                await self._await_running(number)
            except MachineError as error:
                # It closes its monitor before it has ended.
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.wait(), 2)
                last = self.last_words()
                if number is not None and self.ended and memory.does_not_fit(last):
                    raise memory.DoesNotFit(error.message, detail=last) from None
                raise MachineError("QEMU did not start the machine", detail=last) from None

    async def _connect(self) -> Qmp:
        patience = Patience(self._patience)
        while True:
            with contextlib.suppress(MachineError):
                found = await asyncio.to_thread(
                    Qmp, self._files.monitor, timeout=0.5, answer=self._patience
                )
                with contextlib.suppress(FileNotFoundError):  # it has ended meanwhile
                    self._files.monitor.chmod(0o600)
                return found
            patience.saw(self.spent())
            if self.ended or patience.over:
                raise MachineError("QEMU does not answer")

    async def _await_running(self, state: int | None) -> None:
        """Until it runs. state: the memory that it reads; how far it has come is seen there."""
        patience = Patience(self._patience)
        while (status := (await self.monitor("query-status"))["status"]) != "running":
            if status == "paused":  # as it was saved
                await self.monitor("cont")
            patience.saw(os.lseek(state, 0, os.SEEK_CUR) if state is not None else status)
            if self.ended or patience.over:
                raise MachineError("QEMU did not load the machine")
            await asyncio.sleep(0.02)

    async def forward(self) -> int:
        """Lead a port of this computer to the machine's sshd; another one where it is taken."""
        said = ""
        for _ in range(20):
            port = free_port()
            line = f"hostfwd_add net0 tcp:127.0.0.1:{port}-:22"
            said = await self.monitor("human-monitor-command", command_line=line) or ""
            if not said.strip():
                return port
        raise MachineError("QEMU gets no port of 127.0.0.1", detail=said.strip())

    # --- while it runs --------------------------------------------------------------------------

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def status(self) -> int | None:
        """What it ended with; None while it runs."""
        assert self._process is not None
        return self._process.returncode

    @property
    def ended(self) -> bool:
        """Whether it does not run, or not yet."""
        return self._process is None or self._process.returncode is not None

    @property
    def qmp(self) -> Qmp:
        """Its monitor, for what may take a while: in a thread of its own."""
        assert self._qmp is not None
        return self._qmp

    async def monitor(self, name: str, /, **arguments: Any) -> Any:
        """One command on its monitor. Raises MachineError."""
        return await asyncio.to_thread(self.qmp.command, name, **arguments)

    async def wait(self) -> None:
        """Until it has ended."""
        assert self._process is not None
        await self._process.wait()

    async def moved(self) -> object:
        """A sign that changes while the machine gets on: it computes, reads, writes, or prints."""
        size, counts = 0, []
        with contextlib.suppress(OSError):
            size = self._files.console.stat().st_size
        with contextlib.suppress(MachineError):
            for disk in await self.monitor("query-blockstats"):
                counts += [disk["stats"]["rd_operations"], disk["stats"]["wr_operations"]]
        return size, counts, self.spent()

    def spent(self) -> int:
        """Processor time that it has used, in steps of 5 s: a machine at rest takes none."""
        with contextlib.suppress(OSError):
            return int(spent(self.pid) / 5)
        return 0

    def last_words(self) -> str:
        """The ends of its log and of the machine's console."""
        words = []
        for file in (self._files.qemu_log, self._files.console):
            with contextlib.suppress(OSError):
                words += file.read_text("utf-8", "replace").strip().splitlines()[-5:]
        return "\n".join(words)

    async def kill(self) -> None:
        """End it at once."""
        if self._qmp is not None:
            self._qmp.close()
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        self._process = self._qmp = None

"""The embedded engine's machine: QEMU, the ssh session into it, and the forwarded docker socket."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from course_magics.engine.embedded import guest_side
from course_magics.engine.embedded.files import Files
from course_magics.engine.embedded.guest_side import Shell
from course_magics.engine.embedded.hardware import CPUS, MEMORY_MB, agent_of, command
from course_magics.engine.embedded.prepare import Prepared, wanted_hash
from course_magics.errors import EngineError, MachineError
from course_magics.guest import keys
from course_magics.guest.acceleration import known_to_work
from course_magics.guest.agent import Agent
from course_magics.guest.launch import free_port, make_overlay
from course_magics.guest.model import Guest
from course_magics.guest.procs import resident, spent
from course_magics.guest.qmp import Qmp
from course_magics.guest.snapshot import save_state

Say = Callable[[str], None]

#: How long the machine may take to load, to boot, and dockerd to answer after that (seconds).
_LOAD, _BOOT, _ANSWER = 60, 240, 120


@dataclass(frozen=True)
class Settings:
    """memory: MiB, cpus: both 0 for the snapshot's own; idle: seconds until it stops unused."""

    memory: int = 0
    cpus: int = 0
    idle: int = 600


class Machine:
    """One run of the machine."""

    def __init__(self, files: Files, settings: Settings) -> None:
        self.files = files
        self.settings = settings
        self.facts: dict[str, Any] = {}
        self._qemu: asyncio.subprocess.Process | None = None
        self._shell: Shell | None = None
        self._qmp: Qmp | None = None
        self._hardware: dict[str, Any] = {}

    # --- start ----------------------------------------------------------------------------------

    async def start(self, say: Say, guest: Guest | None = None) -> None:
        """Start it in the quickest way that there is. Raises CourseError.

        guest: boot it on the disk that is there, which lies on no snapshot (to make one).
        """
        prepared = None if guest else _base(self.files, say)
        if prepared is not None:
            guest = prepared.guest
        assert guest is not None
        self._hardware = {
            "memory_mb": self.settings.memory or MEMORY_MB,
            "cpus": self.settings.cpus or CPUS,
            "kvm": prepared is not None and known_to_work(),
        }
        state, how = self._state(prepared)
        try:
            say(how)
            port = await self._launch(guest, state)
        except MachineError:
            # The memory does not fit this QEMU: the disk is whole all the same.
            if state is None:
                raise
            await self._kill()
            state, how = None, _BOOTING
            say(how)
            port = await self._launch(guest, None)
        # From here on the disk goes its own way, and a memory saved before is of no use.
        self.files.saved.unlink(missing_ok=True)
        self.files.saved_as.unlink(missing_ok=True)
        if state is None:
            await self._await_greeting(port)
        say("logging in")
        self._shell = await self._log_in(prepared, guest, port)
        say("waiting for dockerd")
        await self._await_docker()
        self.facts = {
            "start": how,
            **self._hardware,
            "shared": sorted((await self.run(guest_side.SHARED)).split()),
            "stale": prepared is not None and prepared.hash != wanted_hash(),
        }

    async def run(self, script: str) -> str:
        """Run a shell script in it as root; returns what it printed. Raises MachineError."""
        assert self._shell is not None
        return await self._shell.run(script)

    def _state(self, prepared: Prepared | None) -> tuple[Path | None, str]:
        """What to load into memory, and that in words."""
        if not self.files.disk.exists():
            assert prepared is not None
            self.files.forget_key()  # of a disk that has gone: a new one takes none yet
            make_overlay(prepared.disk, self.files.disk)
            if self._hardware == prepared.hardware:
                return prepared.state, _FRESH
            return None, _BOOTING
        with contextlib.suppress(OSError, ValueError):
            if json.loads(self.files.saved_as.read_text()) == self._hardware:
                return self.files.saved, "going on from the memory saved at the last stop"
        return None, _BOOTING

    async def _launch(self, guest: Guest, state: Path | None) -> int:
        """Start QEMU and wait until it runs; returns the port of the machine's sshd."""
        port = free_port()
        words = command(
            guest, **self._hardware, disk=self.files.disk, monitor=self.files.monitor,
            console=self.files.console, port=port, state=state,
        )  # fmt: skip
        # QEMU must not outlive its keeper, however that ends.
        if setpriv := shutil.which("setpriv"):
            words = [setpriv, "--pdeathsig", "KILL", *words]
        self.files.monitor.unlink(missing_ok=True)
        agent_of(self.files.monitor).unlink(missing_ok=True)
        with self.files.qemu_log.open("wb") as log:
            self._qemu = await asyncio.create_subprocess_exec(
                *words, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        self._qmp = await asyncio.to_thread(self._connect)
        with contextlib.suppress(FileNotFoundError):  # QEMU has ended meanwhile, as is seen below
            self.files.monitor.chmod(0o600)
        end = time.monotonic() + _LOAD
        while (status := (await self.monitor("query-status"))["status"]) != "running":
            if status == "paused":  # as it was saved
                await self.monitor("cont")
            if self._qemu.returncode is not None or time.monotonic() > end:
                raise MachineError("QEMU did not load the machine", detail=self._last_words())
            await asyncio.sleep(0.02)
        return port

    def _connect(self) -> Qmp:
        assert self._qemu is not None
        end = time.monotonic() + _LOAD
        while True:
            try:
                return Qmp(self.files.monitor, timeout=0.5)
            except MachineError:
                if self._qemu.returncode is not None or time.monotonic() > end:
                    raise MachineError(
                        "QEMU could not start the machine", detail=self._last_words()
                    ) from None

    async def _await_greeting(self, port: int) -> None:
        """Until sshd greets: what is sent before a guest can answer is repeated very late."""
        end = time.monotonic() + _BOOT
        while True:
            if self._ended() or time.monotonic() > end:
                raise MachineError("the machine did not boot", detail=self._last_words())
            with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                try:
                    if await asyncio.wait_for(reader.readexactly(4), 1) == b"SSH-":
                        return
                finally:
                    writer.close()
            await asyncio.sleep(0.05)

    async def _log_in(self, prepared: Prepared | None, guest: Guest, port: int) -> Shell:
        """The ssh session, by a key that was made for this disk. A new disk is told it first."""
        new = not self.files.key.exists()
        if new:
            keys.make(self.files.key)
        hosts = "".join(f"engine {line}\n" for line in guest.data["ssh_host_keys"])
        self.files.known_hosts.write_text(hosts)
        self.files.docker.unlink(missing_ok=True)
        try:
            if new:
                await asyncio.to_thread(self._let_in)
            shell = await Shell.open(
                self.files.key, self.files.known_hosts, port, forward=self.files.docker,
                log=self.files.qemu_log,
            )  # fmt: skip
            await shell.run(guest_side.welcome(time.time(), os.urandom(64).hex()))
            if new and prepared is not None:  # a snapshot that is being made still needs it
                await shell.run(guest_side.NO_AGENT)
        except BaseException:
            if new:  # nothing is on the disk yet, and the next start tries again
                self.files.forget_key()
            raise
        return shell

    def _let_in(self) -> None:
        """Tell the machine, which lets nobody in, the user's key. Raises MachineError."""
        qemu = self._qemu
        assert qemu is not None
        with Agent(agent_of(self.files.monitor), sign=lambda: int(spent(qemu.pid) / 5)) as agent:
            agent.write(guest_side.AUTHORIZED, keys.public(self.files.key))

    async def _await_docker(self) -> None:
        end = time.monotonic() + _ANSWER
        while True:
            with contextlib.suppress(OSError, TimeoutError, EngineError):
                if await asyncio.wait_for(self.get("/_ping"), 10) == b"OK":
                    return
            if self._ended() or time.monotonic() > end:
                raise EngineError("dockerd in the machine does not answer", detail=await self.log())
            await asyncio.sleep(0.1)

    # --- while it runs --------------------------------------------------------------------------

    async def monitor(self, name: str, **arguments: Any) -> Any:
        """One command on QEMU's monitor. Raises MachineError."""
        assert self._qmp is not None
        return await asyncio.to_thread(self._qmp.command, name, **arguments)

    async def get(self, path: str) -> bytes:
        """What dockerd answers to GET `path`. Raises OSError, and EngineError when it refuses."""
        reader, writer = await asyncio.open_unix_connection(self.files.docker)
        try:
            writer.write(f"GET {path} HTTP/1.0\r\nHost: engine\r\n\r\n".encode())
            answer = await reader.read(-1)
        finally:
            writer.close()
        head, _, body = answer.partition(b"\r\n\r\n")
        if b" 200 " not in head.partition(b"\r\n")[0]:
            raise EngineError(body.decode("utf-8", "replace").strip() or "no answer")
        return body

    async def log(self) -> str:
        """The last lines that dockerd has written."""
        if self._shell is None:
            return self._last_words()
        with contextlib.suppress(MachineError, TimeoutError):
            return await asyncio.wait_for(self._shell.run(f"tail -n 5 {guest_side.LOG}"), 10)
        return self._last_words()

    async def measured(self) -> dict[str, Any]:
        """What can be measured now, bytes. resident: memory that QEMU takes; disk: used, size."""
        assert self._qemu is not None
        used, free = (await self.run(guest_side.DISK)).split()
        return {"resident": resident(self._qemu.pid), "disk": [int(used), int(used) + int(free)]}

    async def trouble(self) -> str | None:
        """Why it cannot go on, or None."""
        assert self._qemu is not None and self._shell is not None
        if self._shell.ended:  # mostly because QEMU has, which is the better reason
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.wait(), 1)
        status = self._qemu.returncode
        if status is not None:
            by = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
            return f"its QEMU {by}"
        if self._shell.ended:
            return "the ssh session into the machine ended"
        with contextlib.suppress(MachineError):
            if (await self.monitor("query-status"))["status"] == "io-error":
                return "there is no room left on this computer for the machine's disk"
        return None

    async def wait(self) -> None:
        """Until QEMU has ended."""
        assert self._qemu is not None
        await self._qemu.wait()

    def _ended(self) -> bool:
        return self._qemu is None or self._qemu.returncode is not None

    def _last_words(self) -> str:
        words = []
        for file in (self.files.qemu_log, self.files.console):
            with contextlib.suppress(OSError):
                words += file.read_text("utf-8", "replace").strip().splitlines()[-5:]
        return "\n".join(words)

    # --- end ------------------------------------------------------------------------------------

    async def stop(self, *, save: bool) -> None:
        """End it. save: its memory is kept, so that containers go on at the next start."""
        try:
            if save and self._shell is not None and not self._ended():
                if await self._shell.succeeds(guest_side.FAREWELL):
                    await self._save()
                else:  # a container uses a shared folder, and then QEMU can save nothing
                    await asyncio.wait_for(self._shell.succeeds(guest_side.SHUT_DOWN), 60)
        except (MachineError, TimeoutError, OSError):
            pass  # the disk is as after a power cut, and the next start boots from it
        finally:
            await self._kill()
            for file in (self.files.docker, self.files.monitor, agent_of(self.files.monitor)):
                file.unlink(missing_ok=True)

    async def _save(self) -> None:
        new = self.files.saved.with_suffix(".new")
        try:
            assert self._qmp is not None
            await asyncio.to_thread(save_state, self._qmp, new)
            await self.monitor("quit")
            await self.wait()
            new.replace(self.files.saved)
            self.files.saved_as.write_text(json.dumps(self._hardware))
        finally:
            new.unlink(missing_ok=True)

    async def _kill(self) -> None:
        if self._shell is not None:
            await self._shell.close()
        if self._qmp is not None:
            self._qmp.close()
        if self._qemu is not None:
            with contextlib.suppress(ProcessLookupError):
                self._qemu.kill()
            await self._qemu.wait()
        self._shell = self._qmp = self._qemu = None


_FRESH = "loading the pre-booted machine"
_BOOTING = "booting the machine"


def _base(files: Files, say: Say) -> Prepared:
    """The snapshot that the disk lies on; the newest for a new disk. Raises EngineError."""
    if files.disk.exists():
        try:
            return Prepared.load(Path(json.loads(files.base.read_text())["folder"]))
        except (OSError, ValueError, KeyError, MachineError):
            say("the snapshot that the engine's disk lay on has gone: starting with a new one")
            files.forget()
    prepared = Prepared.newest()
    if prepared is None:
        raise EngineError(
            "the embedded engine is not prepared", hint="course-magics engine prepare does it"
        )
    files.base.write_text(json.dumps({"folder": str(prepared.folder)}))
    return prepared

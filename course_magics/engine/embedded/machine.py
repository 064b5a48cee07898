"""The embedded engine's machine: QEMU, the ssh session into it, and the forwarded docker socket."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from course_magics import storage
from course_magics.engine.embedded import disk, guest_side, memory
from course_magics.engine.embedded.files import Files
from course_magics.engine.embedded.guest_side import Shell
from course_magics.engine.embedded.hardware import CPUS, MEMORY_MB, agent_of
from course_magics.engine.embedded.prepare import Prepared, wanted_hash
from course_magics.engine.embedded.qemu import Qemu
from course_magics.errors import EngineError, MachineError
from course_magics.guest import keys
from course_magics.guest.acceleration import known_to_work, usable
from course_magics.guest.agent import Agent
from course_magics.guest.model import Guest
from course_magics.guest.procs import resident
from course_magics.patience import Patience

Say = Callable[[str], None]
T = TypeVar("T")

#: How often dockerd may end before it has answered once.
_TRIES = 5


@dataclass(frozen=True)
class Settings:
    """memory: MiB, cpus: both 0 for the snapshot's own; idle: seconds until it stops unused.

    patience: seconds that a wait goes on while nothing moves. reach: the ports of this computer's
    127.0.0.1 that containers may reach, or "all". folders: whether they may mount its folders.
    """

    memory: int = 0
    cpus: int = 0
    idle: int = 600
    patience: float = 60
    reach: str = ""
    folders: bool = True


class Machine:
    """One run of the machine."""

    def __init__(self, files: Files, settings: Settings) -> None:
        self.files = files
        self.settings = settings
        self.facts: dict[str, Any] = {}
        self.qemu = Qemu(files, settings.patience)
        self._shell: Shell | None = None
        self._hardware: dict[str, Any] = {}

    # --- start ----------------------------------------------------------------------------------

    async def start(self, say: Say, guest: Guest | None = None) -> None:
        """Start it in the quickest way that there is. Raises CourseError.

        guest: boot it on the disk that is there, which lies on no snapshot (to make one). Where it
        fails, disk and saved memory are as they were before.
        """
        loop = asyncio.get_running_loop()

        def tell(line: str) -> None:  # from a thread
            loop.call_soon_threadsafe(say, line)

        prepared, fresh = None, None
        if guest is None:
            prepared, fresh = await asyncio.to_thread(disk.settle, self.files, tell)
            guest = prepared.guest
        try:
            saved = None
            if fresh is None and prepared is not None:
                saved = await asyncio.to_thread(memory.ready, self.files)
            await self._start(say, prepared, guest, fresh, saved or {})
        except BaseException:
            await self._kill()
            if fresh is not None:  # there is nothing on it yet, and it took no key of the user's
                self.files.forget()
            raise

    async def _start(
        self,
        say: Say,
        prepared: Prepared | None,
        guest: Guest,
        fresh: Path | None,
        saved: dict[str, Any],
    ) -> None:
        self._hardware = {
            "memory_mb": self.settings.memory or MEMORY_MB,
            "cpus": self.settings.cpus or CPUS,
            "kvm": prepared is not None and known_to_work(),
        }
        if saved.get("kvm") and usable():  # that it was saved with it is proof as well
            self._hardware["kvm"] = True
        if fresh is not None:
            self.files.forget_key()  # of a disk that has gone: a new one takes none yet
        rekey = fresh is None and prepared is not None and not keys.whole(self.files.key)
        if rekey:
            say("the key to the engine's disk is damaged: the machine boots and gets a new one")
            for file in (self.files.key, keys.public_file(self.files.key)):
                if file.exists():
                    storage.set_aside(file)
        state, how = None, _BOOTING
        if fresh is not None and prepared is not None and self._hardware == prepared.hardware:
            state, how = fresh, _FRESH
        elif saved == self._hardware and not rekey:
            state, how = self.files.saved, _SAVED
        shared = Path("/")
        if not self.settings.folders:
            shared = storage.private_folder(self.files.nothing)
        say(how)
        try:
            await self.qemu.launch(guest, self._hardware, shared, state, rekey=rekey)
        except memory.DoesNotFit:
            await self._kill()
            state, how = None, _REFUSED if state == self.files.saved else _BOOTING
            say(how)
            await self.qemu.launch(guest, self._hardware, shared, None)
        port = await self.qemu.forward()
        if state is None:
            await self._await_greeting(port)
        say("logging in")
        self._shell = await self._patiently(self._log_in(prepared, guest, port))
        if prepared is not None:
            await self._patiently(self._protect())
        say("waiting for dockerd")
        await self._await_docker()
        await asyncio.to_thread(memory.forget, self.files, self.qemu.qmp)
        self.facts = {
            "start": how,
            **self._hardware,
            "port": port,
            "shared": sorted((await self.run(guest_side.SHARED)).split()),
            "stale": prepared is not None and prepared.hash != wanted_hash(),
        }

    async def run(self, script: str) -> str:
        """Run a shell script in it as root; returns what it printed. Raises MachineError."""
        assert self._shell is not None
        return await self._shell.run(script)

    async def _protect(self) -> None:
        """What containers shall not reach of this computer, and then what they may mount."""
        assert self._shell is not None
        if not await self._shell.succeeds(guest_side.guard(self.settings.reach)):
            raise MachineError(
                "the machine could not close the way to this computer's own ports",
                detail=self.qemu.last_words(),
            )
        if self.settings.folders:
            await self._shell.run(guest_side.share())

    async def _await_greeting(self, port: int) -> None:
        """Until sshd greets: what is sent before a guest can answer is repeated very late."""
        patience = Patience(self.settings.patience)
        while True:
            patience.saw(await self.qemu.moved())
            if self.qemu.ended or patience.over:
                raise MachineError("the machine did not boot", detail=self.qemu.last_words())
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
            if new:  # the next start tries again
                self.files.forget_key()
            raise
        return shell

    def _let_in(self) -> None:
        """Tell the machine, which lets nobody in, the user's key. Raises MachineError."""
        with Agent(agent_of(self.files.monitor), sign=self.qemu.spent) as agent:
            agent.write(guest_side.AUTHORIZED, keys.public(self.files.key))

    async def _await_docker(self) -> None:
        patience, begun, asked = Patience(self.settings.patience), set[str](), time.monotonic()
        while True:
            with contextlib.suppress(OSError, TimeoutError, EngineError):
                if await asyncio.wait_for(self.get("/_ping"), 10) == b"OK":
                    return
            patience.saw(await self.qemu.moved())
            # It is started again each time it ends, so it could go on like that for ever.
            if not self.qemu.ended and time.monotonic() > asked + 2:
                begun.update((await self._patiently(self.run(guest_side.DOCKERD))).split())
                asked = time.monotonic()
            if self.qemu.ended or patience.over or len(begun) > _TRIES:
                raise EngineError("dockerd in the machine does not answer", detail=await self.log())
            await asyncio.sleep(0.1)

    # --- while it runs --------------------------------------------------------------------------

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
            return self.qemu.last_words()
        with contextlib.suppress(MachineError, TimeoutError):
            return await asyncio.wait_for(self._shell.run(f"tail -n 5 {guest_side.LOG}"), 10)
        return self.qemu.last_words()

    async def measured(self) -> dict[str, Any]:
        """What can be measured now, bytes. resident: memory that QEMU takes; disk: used, size."""
        used, free = (await self.run(guest_side.DISK)).split()
        return {"resident": resident(self.qemu.pid), "disk": [int(used), int(used) + int(free)]}

    async def trouble(self) -> str | None:
        """Why it cannot go on, or None."""
        assert self._shell is not None
        if self._shell.ended:  # mostly because QEMU has, which is the better reason
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.qemu.wait(), 1)
        status = self.qemu.status
        if status is not None:
            by = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
            return f"its QEMU {by}"
        if self._shell.ended:
            return "the ssh session into the machine ended"
        with contextlib.suppress(MachineError):
            if (await self.qemu.monitor("query-status"))["status"] == "io-error":
                return "there is no room left on this computer for the machine's disk"
        return None

    # --- end ------------------------------------------------------------------------------------

    async def stop(self, *, save: bool) -> None:
        """End it. save: its memory is kept, so that containers go on at the next start."""
        try:
            if save and self._shell is not None and not self.qemu.ended:
                # A container may use a shared folder, and then QEMU can save nothing.
                if await self._patiently(self._shell.succeeds(guest_side.FAREWELL)):
                    await self._save()
                if not self.qemu.ended:
                    await self._patiently(self._shell.succeeds(guest_side.SHUT_DOWN))
        except (MachineError, OSError):
            pass  # the disk is as after a power cut, and the next start boots from it
        finally:
            await self._kill()
            for file in (self.files.docker, self.files.monitor, agent_of(self.files.monitor)):
                file.unlink(missing_ok=True)
            if save:  # QEMU does not wait for this computer's disk
                with contextlib.suppress(OSError):
                    await asyncio.to_thread(storage.sync_file, self.files.disk)

    async def _patiently(self, what: Coroutine[Any, Any, T]) -> T:
        """What a script in the machine gives; MachineError when it does not get on any more."""
        patience, task = Patience(self.settings.patience), asyncio.ensure_future(what)
        try:
            while not (await asyncio.wait({task}, timeout=0.5))[0]:
                patience.saw(await self.qemu.moved())
                if patience.over:
                    raise MachineError("the machine does not answer", detail=self.qemu.last_words())
            return await task
        finally:
            task.cancel()

    async def _save(self) -> None:
        """Save its memory and end it; where that fails (there is no room), it runs on."""
        try:
            count = await asyncio.to_thread(
                memory.save, self.qemu.qmp, self.files, self._hardware, self.settings.patience
            )
            await self.qemu.monitor("quit")
            await self.qemu.wait()
            await asyncio.to_thread(count)
        except (MachineError, OSError):
            with contextlib.suppress(MachineError):
                await self.qemu.monitor("cont")
        finally:
            self.files.saved.with_suffix(".new").unlink(missing_ok=True)

    async def _kill(self) -> None:
        if self._shell is not None:
            await self._shell.close()
        self._shell = None
        await self.qemu.kill()


_FRESH = "loading the pre-booted machine"
_SAVED = "going on from the memory saved at the last stop"
_BOOTING = "booting the machine"
_REFUSED = "booting: this QEMU cannot load the memory saved at the last stop"

"""The embedded engine's machine: QEMU, the ssh session into it, and the forwarded docker socket."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from course_magics import storage
from course_magics.engine.embedded import disk, guest_side, memory
from course_magics.engine.embedded.files import Files
from course_magics.engine.embedded.guest_side import Shell
from course_magics.engine.embedded.hardware import CPUS, MEMORY_MB, agent_of, command
from course_magics.engine.embedded.prepare import Prepared, wanted_hash
from course_magics.errors import EngineError, MachineError
from course_magics.guest import keys
from course_magics.guest.acceleration import known_to_work, usable
from course_magics.guest.agent import Agent
from course_magics.guest.launch import free_port
from course_magics.guest.model import Guest
from course_magics.guest.procs import resident, spent
from course_magics.guest.qmp import Qmp
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
        self._qemu: asyncio.subprocess.Process | None = None
        self._shell: Shell | None = None
        self._qmp: Qmp | None = None
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
            if fresh is None and prepared is not None:
                await asyncio.to_thread(self._mark)
            await self._start(say, prepared, guest, fresh)
        except BaseException:
            await self._kill()
            if fresh is not None:  # there is nothing on it yet, and it took no key of the user's
                self.files.forget()
            elif prepared is not None:
                memory.go_back(self.files)
            raise

    def _mark(self) -> None:
        memory.go_back(self.files)  # from a start that was cut off
        if memory.of(self.files) is not None:
            memory.mark(self.files)

    async def _start(
        self, say: Say, prepared: Prepared | None, guest: Guest, fresh: Path | None
    ) -> None:
        saved = memory.of(self.files) or {}
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
        say(how)
        try:
            await self._launch(guest, state, rekey=rekey)
        except memory.DoesNotFit:
            await self._kill()
            state, how = None, _REFUSED if state == self.files.saved else _BOOTING
            say(how)
            await self._launch(guest, None)
        port = await self._forward()
        if state is None:
            await self._await_greeting(port)
        say("logging in")
        self._shell = await self._patiently(self._log_in(prepared, guest, port))
        if prepared is not None:
            await self._patiently(self._protect())
        say("waiting for dockerd")
        await self._await_docker()
        assert self._qmp is not None
        await asyncio.to_thread(memory.forget, self.files, self._qmp)
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
                detail=self._last_words(),
            )
        if self.settings.folders:
            await self._shell.run(guest_side.share())

    async def _launch(self, guest: Guest, state: Path | None, *, rekey: bool = False) -> None:
        """Start QEMU and wait until it runs. Raises MachineError, DoesNotFit for a wrong memory."""
        shared = Path("/")
        if not self.settings.folders:
            shared = storage.private_folder(self.files.nothing)
        with contextlib.ExitStack() as files:
            incoming = files.enter_context(state.open("rb")) if state is not None else None
            log = files.enter_context(self.files.qemu_log.open("wb"))
            number = incoming.fileno() if incoming is not None else None
            words = command(
                guest, **self._hardware, disk=self.files.disk, monitor=self.files.monitor,
                console=self.files.console, shared=shared, state=number, rekey=rekey,
            )  # fmt: skip
            # QEMU must not outlive its keeper, however that ends.
            if setpriv := shutil.which("setpriv"):
                words = [setpriv, "--pdeathsig", "KILL", *words]
            self.files.monitor.unlink(missing_ok=True)
            agent_of(self.files.monitor).unlink(missing_ok=True)
            self._qemu = await asyncio.create_subprocess_exec(
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
                last = self._last_words()
                if number is not None and self._ended() and memory.does_not_fit(last):
                    raise memory.DoesNotFit(error.message, detail=last) from None
                raise MachineError("QEMU did not start the machine", detail=last) from None

    async def _connect(self) -> Qmp:
        patience = Patience(self.settings.patience)
        while True:
            with contextlib.suppress(MachineError):
                found = await asyncio.to_thread(
                    Qmp, self.files.monitor, timeout=0.5, answer=self.settings.patience
                )
                with contextlib.suppress(FileNotFoundError):  # QEMU has ended meanwhile
                    self.files.monitor.chmod(0o600)
                return found
            patience.saw(self._spent())
            if self._ended() or patience.over:
                raise MachineError("QEMU does not answer")

    async def _await_running(self, state: int | None) -> None:
        """Until it runs. state: the memory that it reads; how far it has come is seen there."""
        patience = Patience(self.settings.patience)
        while (status := (await self.monitor("query-status"))["status"]) != "running":
            if status == "paused":  # as it was saved
                await self.monitor("cont")
            patience.saw(os.lseek(state, 0, os.SEEK_CUR) if state is not None else status)
            if self._ended() or patience.over:
                raise MachineError("QEMU did not load the machine")
            await asyncio.sleep(0.02)

    async def _forward(self) -> int:
        """Lead a port of this computer to the machine's sshd; another one where it is taken."""
        for _ in range(20):
            port = free_port()
            said = await self.monitor(
                "human-monitor-command",
                command_line=f"hostfwd_add net0 tcp:127.0.0.1:{port}-:22",
            )
            if not (said or "").strip():
                return port
        raise MachineError("QEMU gets no port of 127.0.0.1", detail=str(said).strip())

    def _spent(self) -> int:
        """Processor time that QEMU has used, in steps of 5 s: a machine at rest takes none."""
        with contextlib.suppress(OSError, AttributeError):
            return int(spent(self._qemu.pid) / 5)  # type: ignore[union-attr]
        return 0

    async def _moved(self) -> object:
        """A sign that changes while the machine gets on: it computes, reads, writes, or prints."""
        size = 0
        with contextlib.suppress(OSError):
            size = self.files.console.stat().st_size
        try:
            counts = [
                (disk["stats"]["rd_operations"], disk["stats"]["wr_operations"])
                for disk in await self.monitor("query-blockstats")
            ]
        except MachineError:
            counts = []
        return size, counts, self._spent()

    async def _await_greeting(self, port: int) -> None:
        """Until sshd greets: what is sent before a guest can answer is repeated very late."""
        patience = Patience(self.settings.patience)
        while True:
            patience.saw(await self._moved())
            if self._ended() or patience.over:
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
        patience, begun = Patience(self.settings.patience), set[str]()
        while True:
            with contextlib.suppress(OSError, TimeoutError, EngineError):
                if await asyncio.wait_for(self.get("/_ping"), 10) == b"OK":
                    return
            patience.saw(await self._moved())
            if not self._ended() and (number := (await self.run(guest_side.DOCKERD)).strip()):
                begun.add(number)
            # It is started again each time it ends, so it could go on like that for ever.
            if self._ended() or patience.over or len(begun) > _TRIES:
                raise EngineError("dockerd in the machine does not answer", detail=await self.log())
            await asyncio.sleep(0.1)

    # --- while it runs --------------------------------------------------------------------------

    async def monitor(self, name: str, /, **arguments: Any) -> Any:
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
                if await self._patiently(self._shell.succeeds(guest_side.FAREWELL)):
                    await self._save()
                else:  # a container uses a shared folder, and then QEMU can save nothing
                    await self._patiently(self._shell.succeeds(guest_side.SHUT_DOWN))
        except (MachineError, TimeoutError, OSError):
            pass  # the disk is as after a power cut, and the next start boots from it
        finally:
            await self._kill()
            for file in (self.files.docker, self.files.monitor, agent_of(self.files.monitor)):
                file.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # QEMU does not wait for this computer's disk
                storage.sync_file(self.files.disk)

    async def _patiently(self, what: Coroutine[Any, Any, T]) -> T:
        """What a script in the machine gives; MachineError when it does not get on any more."""
        patience, task = Patience(self.settings.patience), asyncio.ensure_future(what)
        try:
            while not (await asyncio.wait({task}, timeout=0.5))[0]:
                patience.saw(await self._moved())
                if patience.over:
                    raise MachineError("the machine does not answer", detail=self._last_words())
            return await task
        finally:
            task.cancel()

    async def _save(self) -> None:
        assert self._qmp is not None
        try:
            count = await asyncio.to_thread(
                memory.save, self._qmp, self.files, self._hardware, self.settings.patience
            )
            await self.monitor("quit")
            await self.wait()
            await asyncio.to_thread(count)
        finally:
            self.files.saved.with_suffix(".new").unlink(missing_ok=True)

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
_SAVED = "going on from the memory saved at the last stop"
_BOOTING = "booting the machine"
_REFUSED = "booting: this QEMU cannot load the memory saved at the last stop"

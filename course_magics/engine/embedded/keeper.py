"""The process that keeps the embedded engine: one for a user, started by whoever needs it first.

It starts QEMU, forwards the engine's socket over ssh, publishes the ports of containers on this
computer, and serves a control socket on which every kernel holds a connection for as long as it
lives. When the last one has gone and an idle time has passed, it saves the machine's memory and
ends. It dies with its QEMU, and QEMU dies with it. Run as `python -m …keeper STATE SETTINGS`.

On the control socket both sides write JSON objects, one a line. The keeper tells of its start
({"step": …}, then {"ready": facts} or {"failed": message, "detail": …}); afterwards it answers each
{"do": …} with {"ok": …} or {"failed": …}.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from course_magics import storage
from course_magics.engine.embedded import guest_side
from course_magics.engine.embedded.files import Files
from course_magics.engine.embedded.machine import Machine, Settings
from course_magics.engine.embedded.ports import Ports
from course_magics.errors import CourseError, EngineError, fault_of

#: How often the machine is looked at; how often who waits is told that it goes on (seconds).
_LOOK = _SIGN = 2.0
#: With less than this the disk of this computer is full: no start can do without (bytes).
_ROOM = 1 << 20


class Keeper:
    """One engine's life."""

    def __init__(self, files: Files, settings: Settings) -> None:
        self.files = files
        self.settings = settings
        self.machine = Machine(files, settings)
        self.ports = Ports(self.machine)
        self.facts: dict[str, Any] | None = None
        self.step = "starting"
        self._clients: set[asyncio.StreamWriter] = set()
        self._idle_since = time.monotonic()
        self._over = asyncio.Event()
        self._save = True

    async def run(self) -> None:
        """Start, serve until it is over, end."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self._over.set)
        self.files.control.unlink(missing_ok=True)
        before = os.umask(0o177)
        server = await asyncio.start_unix_server(self._serve, self.files.control)
        os.umask(before)
        tasks: list[asyncio.Task[Any]] = []
        try:
            if not await self._start():
                return
            tasks = [asyncio.create_task(self._watch()), asyncio.create_task(self.ports.follow())]
            await self._over.wait()
        except Exception as error:  # whatever it is, waiting kernels hear of it
            self._fail(self._cause(error))
            if not isinstance(error, CourseError):  # the log has it whole
                traceback.print_exc()
        finally:
            for task in tasks:
                task.cancel()
            # First of all nobody new comes in: whoever does, starts another keeper after this one.
            self.files.control.unlink(missing_ok=True)
            server.close()
            stop = asyncio.create_task(self.machine.stop(save=self._save))
            while not (await asyncio.wait({stop}, timeout=_SIGN))[0]:
                self._broadcast({"step": "ending"})
            await stop
            for client in self._clients:
                client.close()
            await asyncio.sleep(0)  # so that those who serve them see that

    async def _start(self) -> bool:
        """Start the machine; False when it was told to end meanwhile."""
        self.files.ended.unlink(missing_ok=True)
        begun = time.monotonic()
        start = asyncio.create_task(self.machine.start(self._say))
        over = asyncio.create_task(self._over.wait())
        try:
            while not start.done() and not over.done():
                await asyncio.wait(
                    {start, over}, timeout=_SIGN, return_when=asyncio.FIRST_COMPLETED
                )
                self._broadcast({"step": self.step})  # so that who waits sees that it goes on
            if start.done():
                await start
        finally:
            over.cancel()
            if not start.done():
                start.cancel()
                with contextlib.suppress(asyncio.CancelledError, CourseError):
                    await start
        if self._over.is_set() and self.machine.facts == {}:
            self._fail(EngineError("it was stopped while it started"))
            return False
        self.facts = {**self.machine.facts, "seconds": round(time.monotonic() - begun, 2)}
        self._broadcast({"ready": self.facts})
        return True

    def _say(self, step: str) -> None:
        self.step = step
        self._broadcast({"step": step})

    def _broadcast(self, message: dict[str, Any]) -> None:
        for client in self._clients:
            _send(client, message)

    async def _watch(self) -> None:
        """End when QEMU has ended, or when nobody has needed the engine for long enough."""
        while not self._over.is_set():
            why = await self.machine.trouble()
            if why is not None:
                self._note(why)
                self._save = False
                self._over.set()
            elif self._clients:
                self._idle_since = time.monotonic()
            elif time.monotonic() - self._idle_since > self.settings.idle:
                self._over.set()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.machine.qemu.wait(), _LOOK)

    def _cause(self, error: Exception) -> CourseError:
        """What it was, and what to do. A full disk is why QEMU and its tools fail as well."""
        if storage.is_full(error) or shutil.disk_usage(self.files.folder).free < _ROOM:
            return storage.disk_full(self.files.folder)
        return error if isinstance(error, CourseError) else EngineError(fault_of(error))

    def _fail(self, error: CourseError) -> None:
        # Who hears of it may try again at once, and must not find this keeper.
        self.files.control.unlink(missing_ok=True)
        self._note(error.message, error.detail, error.hint)
        self._broadcast({"failed": error.message, "detail": error.detail, "hint": error.hint})

    def _note(self, why: str, detail: str | None = None, hint: str | None = None) -> None:
        note = {"why": why, "detail": detail, "hint": hint, "at": time.time()}
        with contextlib.suppress(OSError):
            storage.write_json(self.files.ended, note)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients.add(writer)
        _send(writer, {"ready": self.facts} if self.facts else {"step": self.step})
        try:
            while line := await reader.readline():
                try:
                    answer = {"ok": await self._at_work(writer, self._do(json.loads(line)))}
                except CourseError as error:
                    answer = {"failed": error.message, "detail": error.detail}
                except (OSError, ValueError, KeyError, EOFError) as error:
                    answer = {"failed": f"{type(error).__name__}: {error}"}
                _send(writer, answer)
        except (OSError, ValueError, asyncio.CancelledError):
            pass  # the client has gone, or the keeper goes
        finally:
            self._clients.discard(writer)
            self._idle_since = time.monotonic()
            writer.close()

    async def _at_work(self, writer: asyncio.StreamWriter, what: Coroutine[Any, Any, Any]) -> Any:
        """Its result; the client hears now and then that it is being worked on."""
        task = asyncio.ensure_future(what)
        try:
            while not (await asyncio.wait({task}, timeout=_SIGN))[0]:
                _send(writer, {"step": self.step})
            return await task
        finally:
            task.cancel()

    async def _do(self, call: dict[str, Any]) -> Any:
        match call["do"]:
            case "facts":
                return {**(self.facts or {}), **await self.machine.measured()}
            case "publish":
                return await self.ports.settle(call["container"])
            case "make room":
                return await self.machine.run(guest_side.MAKE_ROOM)
            case "keep room":
                return await self.machine.run(guest_side.KEEP_ROOM)
            case "stop":
                # Who asks holds a connection as well.
                if call.get("unused") and len(self._clients) > 1:
                    return False
                self._save = bool(call.get("save", True))
                self._over.set()
                return True
        raise ValueError(f"unknown call {call['do']!r}")


def _send(client: asyncio.StreamWriter, message: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):
        client.write(json.dumps(message).encode() + b"\n")


def main() -> int:
    """Run the keeper, unless there is one already."""
    files = Files(Path(sys.argv[1]))
    lock = files.lock("keeper", wait=False)
    if lock is None:
        return 3
    asyncio.run(Keeper(files, Settings(**json.loads(sys.argv[2]))).run())
    lock.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())

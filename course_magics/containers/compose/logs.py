"""The services' output: a line each, with the service's name in its colour before it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from course_magics.streams import ByLine, Sink

_COLOURS = ("36", "33", "32", "35", "34", "96", "93", "92", "95", "94")
_LINE = re.compile(rb"^(?:\x1b\[2K)?(?P<name>[\w.-]+?) +\| ?(?P<words>.*)$", re.DOTALL)
_OURS = re.compile(rb"^(?:\x1b\[2K)?(Attaching to |Gracefully stopping|$)")
#: Lines are put in order by service while there are no more than this of them (bytes).
_HELD = 4_000_000


class Lines(ByLine):
    """Passes compose's lines on, each with its service's name and colour. A sink; close it after.

    The colours follow the services' order, and all names are padded to the longest: both are the
    same in every run, while compose takes them as the containers come. to: where they go.
    grouped: hold them back until the end, then service by service, for what is no live output.
    prefix: False where compose was told to leave the names out.
    """

    def __init__(
        self,
        to: Sink,
        services: Sequence[str],
        *,
        colour: bool = True,
        grouped: bool = False,
        prefix: bool = True,
    ) -> None:
        self._prefixed = prefix
        self._to = to
        self._services = list(services)
        self._width = max((len(s) + 2 for s in services), default=0)
        self._colour = colour
        self._held: dict[str, list[bytes]] | None = {} if grouped else None
        self._size = 0

    def close(self) -> None:
        """Pass on what is held back."""
        super().close()
        self._release()

    def is_log(self, line: bytes) -> bool:
        """Whether a line comes from a service, not from compose."""
        match = _LINE.match(line)
        if not self._prefixed:
            return not line.startswith((b" ", b"time="))
        return match is not None and self._service(match["name"].decode()) is not None

    def _line(self, line: bytes) -> None:
        match = _LINE.match(line) if self._prefixed else None
        if match is None:
            if not _OURS.match(line):
                self._pass("", line.removeprefix(b"\x1b[2K") + b"\n")
            return
        name = match["name"].decode()
        self._pass(name, self._prefix(name) + match["words"] + b"\n")

    def _service(self, name: str) -> str | None:
        if name in self._services:
            return name
        stem, _, number = name.rpartition("-")
        return stem if number.isdigit() and stem in self._services else None

    def _prefix(self, name: str) -> bytes:
        padded = f"{name.ljust(self._width)} | "
        service = self._service(name)
        if not self._colour or service is None:
            return padded.encode()
        colour = _COLOURS[self._services.index(service) % len(_COLOURS)]
        return f"\x1b[{colour}m{padded}\x1b[0m".encode()

    def _pass(self, name: str, line: bytes) -> None:
        if self._held is None:
            self._to.write(line)
            return
        self._held.setdefault(name, []).append(line)
        self._size += len(line)
        if self._size > _HELD:
            self._release()

    def _release(self) -> None:
        if self._held is not None:
            for name in sorted(self._held):
                self._to.write(b"".join(self._held[name]))
            self._held = None


class Sorter(ByLine):
    """Of compose's standard error, passes the services' lines to one sink, the rest to another."""

    def __init__(self, logs: Lines, rest: Sink) -> None:
        self._logs, self._rest = logs, rest

    def _line(self, line: bytes) -> None:
        (self._logs if self._logs.is_log(line) else self._rest).write(line + b"\n")

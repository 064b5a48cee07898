"""Vagrant's machine-readable output (https://developer.hashicorp.com/vagrant/docs/cli/machine-readable).

A line is `timestamp,target,type,data…`; a comma inside a field is written `%!(VAGRANT_COMMA)`,
a line break `\\n`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Event:
    """One line: which machine it is about ("" for none), its type, and its fields."""

    target: str
    type: str
    data: tuple[str, ...]

    @property
    def value(self) -> str:
        """The first field, "" where there is none."""
        return self.data[0] if self.data else ""


def read(text: str) -> Iterator[Event]:
    """The events of `text`; lines that are none (a plugin's own printing) are passed over."""
    for line in text.splitlines():
        fields = line.split(",")
        if len(fields) < 3 or not fields[0].isdigit():
            continue
        _, target, kind, *data = (_plain(field) for field in fields)
        yield Event(target, kind, tuple(data))


def error(text: str) -> str | None:
    """Vagrant's own words about what failed, or None."""
    for event in read(text):
        if event.type == "error-exit" and len(event.data) > 1:
            return event.data[1]
    return None


def fault(text: str) -> str:
    """The class of Vagrant's error; "" without one."""
    return next((event.value for event in read(text) if event.type == "error-exit"), "")


def _plain(field: str) -> str:
    return field.replace("%!(VAGRANT_COMMA)", ",").replace("\\n", "\n").replace("\\r", "\r")

"""What vagrant lists: snapshots, boxes, ports, every machine of the user, the way in by ssh."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from course_magics.display import Block, Command, Pre, Shown, Table
from course_magics.errors import MachineError
from course_magics.guest.box import vagrant_home
from course_magics.machines import ensure, program
from course_magics.machines.readable import Event


class Text(Shown):
    """Text that vagrant gave, as it is: `text`; empty where it was shown already."""

    def __init__(self, text: str, command: str) -> None:
        self.text = text
        self.command = command

    def blocks(self) -> Sequence[Block]:
        command = Command(self.command)
        return [Pre(self.text), command] if self.text else [command]


def snapshots(folder: Path, machines: Sequence[str] = (), line: str = "") -> Table:
    """The snapshots of a project's machines, oldest first."""
    events = _ask(folder, ["snapshot", "list", *machines], line)
    rows, listed = [], set()
    for event in events:
        words = event.data[-1] if event.data else ""
        if event.type != "ui":
            continue
        if event.value == "output" and words.strip() == f"==> {event.target}:":
            listed.add(event.target)
        elif event.value == "detail" and event.target in listed:
            rows.append({"machine": event.target, "name": words.strip()})
    columns = {"machine": "machine", "snapshot": "name"}
    return Table(columns, rows, command=line, empty="(no snapshots)")


def boxes(line: str = "vagrant box list") -> Table:
    """The boxes that vagrant has."""
    rows = _records(_ask(Path.cwd(), ["box", "list"], line), first="box-name")
    columns = {"box": "box-name", "provider": "box-provider", "version": "box-version"}
    return Table(columns, rows, command=line, empty="(no boxes)")


def ports(folder: Path, words: Sequence[str], line: str = "") -> Table:
    """Which port of this computer leads to which port of the machine.

    With --guest, vagrant answers with a bare number and not as a list: so all are asked for here.
    MachineError where no port leads to that one.
    """
    words, guest = _without_guest(words)
    rows = [
        {"machine": event.target, "guest": int(event.data[0]), "host": int(event.data[1])}
        for event in _ask(folder, ["port", *words], line)
        if event.type == "forwarded_port" and guest in (None, event.data[0])
    ]
    if guest is not None and not rows:
        raise MachineError(
            f"No port of this computer leads to the machine's port {guest}.",
            command=line,
            hint='config.vm.network "forwarded_port", guest: …, host: … in the Vagrantfile',
        )
    columns = {"machine": "machine", "in the machine": "guest", "on this computer": "host"}
    right = ("in the machine", "on this computer")
    return Table(columns, rows, command=line, right=right, empty="(no ports)")


def ssh_config(folder: Path, words: Sequence[str], line: str = "") -> Text:
    """How OpenSSH reaches the machines."""
    events = _ask(folder, ["ssh-config", *words], line)
    return Text("\n".join(e.value.strip() for e in events if e.type == "ssh-config"), line)


def everywhere(words: Sequence[str] = (), line: str = "vagrant global-status") -> Table:
    """The machines of all projects of this user, as vagrant saw them last."""
    rows = _records(_ask(Path.cwd(), ["global-status", *words], line), first="machine-id")
    # Vagrant's machine-readable list lacks the names; its index has them.
    names = {id[:7]: about.get("name", "") for id, about in index().items()}
    for row in rows:
        row["name"] = names.get(row["machine-id"], "")
    columns = {
        "machine": "name",
        "state": "state",
        "provider": "provider-name",
        "folder": "machine-home",
    }
    return Table(columns, rows, command=line, empty="(no machines)")


def index() -> dict[str, dict[str, Any]]:
    """The machines that Vagrant lists for this user, by id; {} where it has no list."""
    with contextlib.suppress(OSError, ValueError, TypeError, AttributeError, KeyError):
        text = (vagrant_home() / "data" / "machine-index" / "index").read_text("utf-8")
        return {id: dict(about) for id, about in json.loads(text)["machines"].items()}
    return {}


def _ask(folder: Path, words: Sequence[str], line: str) -> list[Event]:
    ensure.provider_known()
    return program.ask(folder, words, line)


def _without_guest(words: Sequence[str]) -> tuple[list[str], str | None]:
    """The words of `vagrant port` without --guest, and its value."""
    rest, guest, waiting = [], None, False
    for word in words:
        if waiting or word.startswith("--guest="):
            guest, waiting = word.removeprefix("--guest="), False
        elif word == "--guest":
            waiting = True
        else:
            rest.append(word)
    return rest, guest


def _records(events: Sequence[Event], first: str) -> list[dict[str, Any]]:
    """Rows from events, a new one wherever the type `first` comes."""
    rows: list[dict[str, Any]] = []
    for event in events:
        if event.type == first:
            rows.append({})
        if rows and event.type not in ("ui", "metadata"):
            rows[-1][event.type] = event.value
    return rows

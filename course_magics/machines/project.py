"""A folder with a Vagrantfile: which machines it has, and what state each is in.

Reading a state with `vagrant status` takes a second and more, nearly all of it Ruby's. What cannot
have changed is not asked again: the machines' names while the Vagrantfile is the same. A machine's
state is looked up anew each time: there is none without vagrant's own `id` file, and the bundled
provider's machines are asked themselves (`live.py`). Any other provider's go through vagrant.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from course_magics.guest.box import vagrant_home
from course_magics.machines import live, program
from course_magics.machines.readable import Event

#: A Vagrantfile that looks at something else: its machines may change while it stays the same.
_LOOKS_ELSEWHERE = re.compile(
    rb"\b(ENV|File|IO|Dir|Pathname|YAML|JSON|CSV|require\w*|load|open|eval|exec|system|rand|Time"
    rb"|Vagrant\.(has_plugin|require)\w*)\b|`|%x"
)
_PRIMARY = re.compile(
    r"""^[^#\n]*\.define[\s(]+["':]?([\w.-]+)["']?\s*,[^\n]*\bprimary(?::|\s*=>)\s*true""",
    re.MULTILINE,
)


@dataclass(frozen=True)
class State:
    """A machine of a project. state: vagrant's short name for it ("running", "not_created")."""

    name: str
    state: str
    provider: str
    words: str = ""

    @property
    def human(self) -> str:
        """The state in vagrant's words: "not created"."""
        return self.words or self.state.replace("_", " ")


@dataclass(frozen=True)
class _Seen:
    vagrantfile: bytes
    machines: tuple[State, ...]


_seen: dict[Path, _Seen] = {}


def states(folder: Path, names: Sequence[str] = (), line: str = "") -> list[State]:
    """The machines of the project in `folder` (or those named) as they are now.

    Raises MachineError in vagrant's words: no Vagrantfile, an invalid one, an unknown name.
    """
    folder = folder.resolve()
    known = _quick(folder)
    if known is None:
        known = _ask(folder, line)
    by_name = {machine.name: machine for machine in known}
    if not all(name in by_name for name in names):
        # By id, by pattern (/web.*/), or not at all: vagrant says.
        return _read(program.ask(folder, ["status", *names], line))
    return [by_name[name] for name in names] if names else known


def names(folder: Path) -> list[str] | None:
    """The machines' names where they are known without asking vagrant, else None."""
    seen = _seen.get(folder.resolve())
    if seen is None or seen.vagrantfile != _fingerprint(folder):
        return None
    return [machine.name for machine in seen.machines]


def primary(folder: Path) -> str | None:
    """The machine that the Vagrantfile says words without a name are about, or None.

    Vagrant offers no way to ask for it; only a name that stands in the file itself is found.
    """
    with contextlib.suppress(OSError):
        match = _PRIMARY.search((folder / "Vagrantfile").read_text("utf-8", "replace"))
        return match[1] if match else None
    return None


def data_folder(folder: Path, name: str) -> Path | None:
    """Where vagrant keeps the machine's data: that of the provider that made it, else None."""
    for id in sorted((_dot_vagrant(folder) / "machines" / name).glob("*/id")):
        return id.parent
    return None


def _dot_vagrant(folder: Path) -> Path:
    return folder / os.environ.get("VAGRANT_DOTFILE_PATH", ".vagrant")


def _ask(folder: Path, line: str) -> list[State]:
    before = _fingerprint(folder)
    found = _read(program.ask(folder, ["status"], line))
    if before is not None:
        _seen[folder] = _Seen(before, tuple(found))
    return found


def _quick(folder: Path) -> list[State] | None:
    """The states without vagrant, or None where that would be a guess."""
    seen = _seen.get(folder)
    if seen is None or seen.vagrantfile != _fingerprint(folder):
        return None
    now = []
    for machine in seen.machines:
        data = data_folder(folder, machine.name)
        if data is None:
            # Nothing made yet, so `provider` is the one it would be made with, as seen before.
            if machine.state != "not_created":
                return None
            now.append(machine)
            continue
        state = live.state(data)
        if state is None:
            return None
        now.append(State(machine.name, state, data.name))
    return now


def _fingerprint(folder: Path) -> bytes | None:
    """What the names depend on; None where they may depend on more than the Vagrantfile."""
    for name in ("Vagrantfile", "vagrantfile"):
        try:
            text = (folder / name).read_bytes()
        except OSError:
            continue
        if _LOOKS_ELSEWHERE.search(text):
            return None
        known = {**os.environ, **program.chosen_provider()}
        surroundings = "\0".join(f"{k}={v}" for k, v in known.items() if "VAGRANT" in k)
        with contextlib.suppress(OSError):
            text += (vagrant_home() / "Vagrantfile").read_bytes()
        return hashlib.sha256(text + surroundings.encode()).digest()
    return None


def _read(events: Sequence[Event]) -> list[State]:
    found: dict[str, dict[str, str]] = {}
    for event in events:
        if event.target:
            found.setdefault(event.target, {})[event.type] = event.value
    return [
        State(
            name,
            data["state"],
            data.get("provider-name", ""),
            data.get("state-human-short", ""),
        )
        for name, data in found.items()
        if "state" in data
    ]

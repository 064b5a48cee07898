"""Machines as results: `status`, `up` and all that changes a machine give these."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from course_magics import process
from course_magics.display import Block, Command, Grid, Line, Listed, Shown
from course_magics.display.finished import Finished
from course_magics.errors import MachineError, closest
from course_magics.machines import ensure, program, project, ssh
from course_magics.streams import Stream

#: After these nothing of a kept connection is of use.
_BREAKS = {"up", "halt", "reload", "suspend", "resume", "destroy", "snapshot"}
#: How often `up` is tried where the docker provider trips over somebody else's container.
_TRIES = 4


class Machine(Shown):
    """One machine of a project. state: "running", "not_created", "poweroff", "saved"…"""

    def __init__(self, folder: Path, found: project.State, command: str = "") -> None:
        self.folder = folder
        self.name = found.name
        self.state = found.state
        self.provider = found.provider
        self.command = command
        self._human = found.human

    def up(self) -> Machine:
        """Start it (`vagrant up NAME`); returns it as it is then. Raises MachineError."""
        return self._change("up")

    def halt(self) -> Machine:
        """Shut it down."""
        return self._change("halt")

    def destroy(self) -> Machine:
        """Remove it and its disk."""
        return self._change("destroy", "-f")

    def ssh(self, script: str, *, sudo: bool = False) -> Finished:
        """Run `script` in it with bash. Raises MachineError for a status other than 0."""
        return ssh.run(self.folder, self.name, script, sudo=sudo)

    def refresh(self) -> Machine:
        """It, as it is now."""
        return Machine(self.folder, project.states(self.folder, [self.name])[0], self.command)

    def blocks(self) -> Sequence[Block]:
        line = Line(f"{self.name}: {self._human} ({self.provider})")
        return [line, Command(self.command)] if self.command else [line]

    def _change(self, *words: str) -> Machine:
        return change(self.folder, [*words, self.name], names=[self.name])[0]


class Machines(Listed):
    """The machines of a project: `machines["web"]`, `machines[0]`, or in a loop."""

    def __init__(self, machines: Sequence[Machine], command: str = "") -> None:
        self.machines = list(machines)
        self.command = command

    def __len__(self) -> int:
        return len(self.machines)

    def __iter__(self) -> Iterator[Machine]:
        return iter(self.machines)

    def __getitem__(self, key: int | str) -> Machine:
        if isinstance(key, int):
            return self.machines[key]
        names = [machine.name for machine in self.machines]
        if key not in names:
            near = closest(key, names)
            raise MachineError(
                f"no machine {key!r}", hint=f"did you mean {near}?" if near else ", ".join(names)
            )
        return self.machines[names.index(key)]

    @property
    def rows(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """The same as plain data."""
        return [{"name": m.name, "state": m.state, "provider": m.provider} for m in self.machines]

    def blocks(self) -> Sequence[Block]:
        rows = [(m.name, m._human, m.provider) for m in self.machines]
        grid = Grid(["machine", "state", "provider"], rows, empty="(no machines)")
        return [grid, Command(self.command)] if self.command else [grid]


def status(folder: Path, names: Sequence[str] = (), line: str = "") -> Machines:
    """The machines of the project in `folder` (or those named) as they are now."""
    folder = folder.resolve()
    line = line or program.terminal_line(folder, ["status", *names])
    ensure.provider_known()
    return Machines([Machine(folder, s) for s in project.states(folder, names, line)], line)


def change(
    folder: Path,
    words: Sequence[str],
    *,
    names: Sequence[str] = (),
    out: Stream | None = None,
    line: str = "",
) -> Machines:
    """Run a vagrant word that changes machines (`words`, as typed after `vagrant`).

    names: the machines it is about, empty for all. out: gets vagrant's text as it comes.
    Returns the machines as they are afterwards. Raises MachineError, and Interrupted after ■.
    """
    folder = folder.resolve()
    line = line or program.terminal_line(folder, words)
    ensure.provider_known()
    if words[0] in _BREAKS:
        ssh.drop(folder, names)
    if words[0] == "up":
        ensure.box_known(folder, out or process.Kept())
    for left in reversed(range(_TRIES)):
        try:
            program.stream(folder, words, out, line)
            break
        except MachineError as error:
            if not left or words[0] != "up" or not _lost_a_container(error):
                raise
    return Machines([Machine(folder, s) for s in project.states(folder, names)], line)


def _lost_a_container(error: MachineError) -> bool:
    """Whether Vagrant's docker provider tripped over a container of somebody else's.

    Before it makes one it lists all containers, for their ports, and inspects one after the other;
    it does not expect that one of them goes meanwhile.
    """
    words = error.detail or ""
    return '"docker", "inspect"' in words and "No such object" in words

"""One container as an object: what it is now, and what can be done with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from course_magics import engine
from course_magics.containers.links import links, note, url
from course_magics.display import Block, Command, Facts, Link, Shown

if TYPE_CHECKING:
    from course_magics.display import Table
    from course_magics.display.finished import Finished


def state_of(details: dict[str, Any]) -> str:
    """The state in one word as `docker ps` has it: running, exited (3), created, paused…"""
    state = details.get("State") or {}
    status = str(state.get("Status", "unknown"))
    health = (state.get("Health") or {}).get("Status")
    if status == "exited":
        return f"exited ({state.get('ExitCode')})"
    return f"{status}, {health}" if status == "running" and health else status


class Container(Shown):
    """A container. name, id, image: as given. command: the docker line that made it.

    state is asked anew each time; the methods do what `docker WORD name` does.
    """

    def __init__(self, name: str, id: str, image: str, command: str = "") -> None:
        self.name = name
        self.id = id
        self.image = image
        self.command = command

    def blocks(self) -> Sequence[Block]:
        details = self._details()
        state = "removed" if details is None else state_of(details)
        blocks: list[Block] = [
            Facts([("container", self.name), ("image", self.image), ("state", state)])
        ]
        if details is not None:
            computer = engine.current().address
            blocks += [Link("opens at", u, note(u)) for u in links(details, computer)]
        return [*blocks, Command(self.command)] if self.command else blocks

    @property
    def state(self) -> str:
        """running, exited (3), created, paused… or "removed"."""
        details = self._details()
        return "removed" if details is None else state_of(details)

    def _details(self) -> dict[str, Any] | None:
        """What the engine knows of it; None when it has been removed."""
        from course_magics.errors import NotFound

        try:
            return self.inspect()
        except NotFound:
            return None

    def inspect(self) -> dict[str, Any]:
        """All that the engine knows about it."""
        with engine.talking(f"docker inspect {self.name}") as api:
            return dict(api.inspect_container(self.id))

    @property
    def url(self) -> str:
        """Where this computer's programs reach its first published TCP port; "" without one."""
        return url(self.inspect(), engine.current().address)

    def logs(self, tail: int | None = None) -> str:
        """What it has printed so far, stdout and stderr. tail: only the last lines."""
        with engine.talking(f"docker logs {self.name}") as api:
            lines: Any = "all" if tail is None else tail
            return bytes(api.logs(self.id, tail=lines)).decode("utf-8", "replace")

    def exec(self, command: str | Sequence[str]) -> Finished:
        """Run a command in it and wait. Raises ContainerError for a status other than 0."""
        from course_magics.containers.exec import execute

        words = ["sh", "-c", command] if isinstance(command, str) else list(command)
        return execute(self.id, words)

    def top(self) -> Table:
        """Its processes."""
        from course_magics.containers.inspect import top

        return top(self.name)

    def stop(self) -> None:
        """Ask it to end, and end it after its grace time."""
        with engine.talking(f"docker stop {self.name}") as api:
            api.stop(self.id)

    def start(self) -> None:
        """Start it again."""
        from course_magics.containers.create import start as start_it

        with engine.talking(f"docker start {self.name}") as api:
            start_it(api, self.id)

    def remove(self, *, force: bool = True) -> None:
        """Remove it. force: also when it runs."""
        with engine.talking(f"docker rm -f {self.name}") as api:
            api.remove_container(self.id, force=force)

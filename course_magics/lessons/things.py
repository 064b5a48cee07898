"""What a check sees of containers, images, networks, volumes and machines: plain facts."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from course_magics.machines.machine import Machine as FoundMachine


class Ran(NamedTuple):
    """A command's end. status: None where it could not be run, or did not end in time."""

    status: int | None
    stdout: str


class Answer(NamedTuple):
    """An HTTP server's answer."""

    status: int
    text: str


class Limits(NamedTuple):
    """What a container may use; 0: as much as there is. memory: bytes."""

    memory: int
    cpus: float
    pids: int


class Thing:
    """A network or a volume. raw: what `docker inspect` says."""

    def __init__(self, raw: dict[str, Any]) -> None:
        self.raw = raw
        self.name: str = raw["Name"]
        self.driver: str = raw.get("Driver") or ""
        self.labels: dict[str, str] = raw.get("Labels") or {}

    def __repr__(self) -> str:
        return f"<{type(self).__name__.lower()} {self.name}>"


class Container:
    """A container as it was when it was asked for. raw: what `docker inspect` says.

    state: "running", "exited", "created", "paused"… exit_code: None while it has not ended.
    command: the program and its arguments. image: as named when it was made, without `:latest`.
    """

    def __init__(self, raw: dict[str, Any]) -> None:
        self.raw = raw
        self.name: str = raw["Name"].lstrip("/")
        self.id: str = raw["Id"]
        self.state: str = raw["State"]["Status"]
        self.running: bool = self.state == "running"
        ended = self.state in ("exited", "dead", "stopped")
        self.exit_code: int | None = raw["State"]["ExitCode"] if ended else None
        self.image: str = plain_image(raw["Config"]["Image"])
        self.command: list[str] = [w for w in (raw["Path"], *(raw.get("Args") or ())) if w]
        self.labels: dict[str, str] = raw["Config"].get("Labels") or {}

    @property
    def env(self) -> dict[str, str]:
        """Its environment, the image's variables too."""
        pairs = [e.partition("=") for e in self.raw["Config"].get("Env") or ()]
        return {name: value for name, _, value in pairs}

    @property
    def networks(self) -> list[str]:
        """The names of its networks."""
        return sorted(self.raw["NetworkSettings"].get("Networks") or {})

    @property
    def mounts(self) -> list[dict[str, Any]]:
        """Its mounts: Type, Name, Source, Destination, RW…"""
        return list(self.raw.get("Mounts") or ())

    def mount(self, destination: str) -> dict[str, Any] | None:
        """What is mounted at the path `destination` in it."""
        path = destination.rstrip("/")
        return next((m for m in self.mounts if m["Destination"].rstrip("/") == path), None)

    @property
    def ports(self) -> dict[str, list[int]]:
        """Published ports: {"80/tcp": [8080]}; those asked for where it does not run."""
        now = self.raw["NetworkSettings"].get("Ports") or {}
        if not any(now.values()):
            now = self.raw["HostConfig"].get("PortBindings") or {}
        return {
            port: sorted({int(b["HostPort"]) for b in bindings if b.get("HostPort")})
            for port, bindings in now.items()
            if bindings
        }

    @property
    def limits(self) -> Limits:
        """The most that it may use."""
        host = self.raw["HostConfig"]
        cpus = (host.get("NanoCpus") or 0) / 1e9
        if not cpus and (host.get("CpuQuota") or 0) > 0:
            cpus = host["CpuQuota"] / (host.get("CpuPeriod") or 100_000)
        return Limits(host.get("Memory") or 0, cpus, max(host.get("PidsLimit") or 0, 0))

    @property
    def health(self) -> str:
        """ "healthy", "unhealthy", "starting"; "" without a health check."""
        return str((self.raw["State"].get("Health") or {}).get("Status") or "")

    @property
    def restart(self) -> str:
        """Its restart policy: "no", "always", "on-failure", "unless-stopped"."""
        return self.raw["HostConfig"].get("RestartPolicy", {}).get("Name") or "no"

    def __repr__(self) -> str:
        return f"<container {self.name}: {self.state}>"


class Image:
    """An image. raw: what `docker inspect` says. layers: how many there are. size: bytes."""

    def __init__(self, raw: dict[str, Any], history: Callable[[], list[dict[str, Any]]]) -> None:
        self.raw = raw
        self.id: str = raw["Id"]
        self.size: int = raw["Size"]
        self.layers: int = len(raw.get("RootFS", {}).get("Layers") or ())
        self.config: dict[str, Any] = raw.get("Config") or {}
        self.labels: dict[str, str] = self.config.get("Labels") or {}
        self.digests: list[str] = raw.get("RepoDigests") or []
        self.names: list[str] = sorted(plain_image(t) for t in raw.get("RepoTags") or ())
        self._history = history

    @cached_property
    def history(self) -> list[dict[str, Any]]:
        """Its layers with the instruction of each (CreatedBy), newest first."""
        return self._history()

    def __repr__(self) -> str:
        return f"<image {', '.join(self.names) or self.id}>"


class Machine:
    """A machine of a Vagrant project. state: vagrant's word: "running", "not_created"…"""

    def __init__(self, found: FoundMachine) -> None:
        self._found = found
        self.name: str = found.name
        self.state: str = found.state
        self.running: bool = found.state == "running"
        self.provider: str = found.provider

    @cached_property
    def snapshots(self) -> list[str]:
        """The names of its snapshots, oldest first (asks vagrant: a second or two)."""
        from course_magics.machines import lists

        if self.state == "not_created":
            return []
        rows = lists.snapshots(self._found.folder, [self.name]).rows
        return [str(row["name"]) for row in rows]

    def ssh(self, script: str) -> Ran:
        """Run `script` in it. status: None where it does not run or does not answer."""
        from course_magics.errors import MachineError

        if not self.running:
            return Ran(None, "")
        try:
            done = self._found.ssh(script)
        except MachineError as error:
            failed = error.result
            if failed is None or failed.exit_code == 255:  # ssh's own: there was no connection
                return Ran(None, "")
            done = failed
        return Ran(done.exit_code, done.stdout)

    def __repr__(self) -> str:
        return f"<machine {self.name}: {self.state}>"


def plain_image(name: str) -> str:
    """A name of an image without what docker and Podman add to it."""
    if name.startswith("sha256:"):
        return name
    for registry in ("docker.io/library/", "docker.io/", "localhost/"):
        name = name.removeprefix(registry)
    return name.removesuffix(":latest")

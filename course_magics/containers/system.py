"""`docker info` and `docker version`: what the engine is."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from course_magics import engine
from course_magics.containers.listing import formatted
from course_magics.display import Block, Command, Facts, Line, Shown
from course_magics.engine.stream import request
from course_magics.units import show_bytes


class Info(Shown):
    """What `docker info` says. data: the engine's own JSON; info["NCPU"] one value of it."""

    def __init__(self, data: dict[str, Any], command: str) -> None:
        self._data = data
        self.command = command

    @property
    def data(self) -> dict[str, Any]:
        """What the engine said."""
        return self._data

    def __getitem__(self, key: str) -> Any:
        return self.data[key]

    def blocks(self) -> Sequence[Block]:
        d = self.data
        plugins = d.get("Plugins") or {}
        swarm = d.get("Swarm") or {}
        facts: list[tuple[str, object]] = [
            ("name", d.get("Name", "")),
            ("version", d.get("ServerVersion", "")),
            (
                "containers",
                f"{d.get('Containers', 0)} ({d.get('ContainersRunning', 0)} running, "
                f"{d.get('ContainersPaused', 0)} paused, {d.get('ContainersStopped', 0)} stopped)",
            ),
            ("images", d.get("Images", 0)),
            ("storage", d.get("Driver", "")),
            ("logging", d.get("LoggingDriver", "")),
            ("cgroups", f"{d.get('CgroupDriver', '')}, version {d.get('CgroupVersion', '1')}"),
            ("volumes", ", ".join(plugins.get("Volume") or ())),
            ("networks", ", ".join(plugins.get("Network") or ())),
            ("swarm", swarm.get("LocalNodeState", "")),
            ("runtimes", ", ".join(sorted(d.get("Runtimes") or ()))),
            ("security", ", ".join(_security(d))),
            ("system", f"{d.get('OperatingSystem', '')}, kernel {d.get('KernelVersion', '')}"),
            ("processor", f"{d.get('NCPU', 0)} × {d.get('Architecture', '')}"),
            ("memory", show_bytes(d.get("MemTotal", 0))),
            ("folder", d.get("DockerRootDir", "")),
            ("mirrors", ", ".join((d.get("RegistryConfig") or {}).get("Mirrors") or ())),
            ("insecure registries", ", ".join(_insecure(d))),
        ]
        warnings = [Line(w, "warn") for w in d.get("Warnings") or ()]
        return [Facts([(n, v) for n, v in facts if v != ""]), *warnings, Command(self.command)]


def _security(data: dict[str, Any]) -> list[str]:
    """ "name=seccomp,profile=default" → seccomp."""
    words = (part for option in data.get("SecurityOptions") or () for part in option.split(","))
    return [w.removeprefix("name=") for w in words if w.startswith("name=")]


def _insecure(data: dict[str, Any]) -> list[str]:
    config = data.get("RegistryConfig") or {}
    named = [n for n, c in (config.get("IndexConfigs") or {}).items() if not c.get("Secure", True)]
    return sorted([*(config.get("InsecureRegistryCIDRs") or ()), *named])


def info(line: str, *, template: str | None = None) -> Shown:
    """What the engine says of itself and of the computer that it runs on."""
    with engine.talking(line) as api:
        data = dict(request(api, "GET", "/info").json())
    data["ClientInfo"] = _client()
    return formatted([data], template, line) if template else Info(data, line)


class Version(Shown):
    """Both sides: client (this package) and server (the engine), as `docker version` has them."""

    def __init__(self, client: dict[str, Any], server: dict[str, Any], command: str) -> None:
        self.client = client
        self.server = server
        self.command = command

    def blocks(self) -> Sequence[Block]:
        c, s = self.client, self.server
        parts = [(p["Name"], p["Version"]) for p in s.get("Components") or ()]
        return [
            Line("client"),
            Facts(
                [
                    ("course-magics", c["Version"]),
                    ("docker SDK", c["SDK"]),
                    ("Python", c["Python"]),
                    ("API", c["ApiVersion"]),
                ]
            ),
            Line("engine"),
            Facts(
                [
                    ("version", s.get("Version", "")),
                    ("API", f"{s.get('ApiVersion')} (from {s.get('MinAPIVersion', '?')} on)"),
                    ("runs on", f"{s.get('Os')}/{s.get('Arch')}, kernel {s.get('KernelVersion')}"),
                    *[(name, version) for name, version in parts if name != "Engine"],
                ]
            ),
            Command(self.command),
        ]


def _client() -> dict[str, Any]:
    import platform
    from importlib.metadata import version

    import docker

    current = engine.current()
    return {
        "Platform": {"Name": "course-magics"},
        "Version": version("course-magics"),
        "SDK": docker.__version__,
        "Python": platform.python_version(),
        "ApiVersion": current.api.api_version,
        "DefaultAPIVersion": docker.constants.DEFAULT_DOCKER_API_VERSION,
        "Os": sys.platform,
        "Arch": platform.machine(),
        "Context": current.name,
    }


def version(line: str, *, template: str | None = None) -> Shown:
    """The versions of this package's client and of the engine."""
    with engine.talking(line) as api:
        server = dict(request(api, "GET", "/version").json())
    client = _client()
    if template:
        return formatted([{"Client": client, "Server": server}], template, line)
    return Version(client, server, line)

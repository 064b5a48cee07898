"""What `docker run` and `docker create` take, and how it is said to the engine.

The rules are those of the docker CLI (https://docs.docker.com/reference/cli/docker/container/run/).
"""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from course_magics.errors import OptionError, closest


@dataclass
class RunOptions:
    """The flags of `docker run`, by their long names. Sizes in bytes, times in seconds."""

    name: str | None = None
    rm: bool = False
    interactive: bool = False
    tty: bool = False
    env: list[str] = field(default_factory=list)
    env_file: list[str] = field(default_factory=list)
    publish: list[str] = field(default_factory=list)
    publish_all: bool = False
    expose: list[str] = field(default_factory=list)
    volume: list[str] = field(default_factory=list)
    volumes_from: list[str] = field(default_factory=list)
    mount: list[str] = field(default_factory=list)
    tmpfs: list[str] = field(default_factory=list)
    workdir: str | None = None
    user: str | None = None
    group_add: list[str] = field(default_factory=list)
    entrypoint: str | None = None
    hostname: str | None = None
    domainname: str | None = None
    network: list[str] = field(default_factory=list)
    network_alias: list[str] = field(default_factory=list)
    ip: str | None = None
    add_host: list[str] = field(default_factory=list)
    dns: list[str] = field(default_factory=list)
    link: list[str] = field(default_factory=list)
    memory: int | None = None
    memory_reservation: int | None = None
    memory_swap: str | None = None
    cpus: float | None = None
    cpu_shares: int | None = None
    cpuset_cpus: str | None = None
    pids_limit: int | None = None
    shm_size: int | None = None
    ulimit: list[str] = field(default_factory=list)
    sysctl: list[str] = field(default_factory=list)
    device: list[str] = field(default_factory=list)
    read_only: bool = False
    privileged: bool = False
    cap_add: list[str] = field(default_factory=list)
    cap_drop: list[str] = field(default_factory=list)
    security_opt: list[str] = field(default_factory=list)
    init: bool = False
    pid: str | None = None
    ipc: str | None = None
    userns: str | None = None
    uts: str | None = None
    restart: str | None = None
    stop_signal: str | None = None
    stop_timeout: int | None = None
    label: list[str] = field(default_factory=list)
    label_file: list[str] = field(default_factory=list)
    log_driver: str | None = None
    log_opt: list[str] = field(default_factory=list)
    health_cmd: str | None = None
    health_interval: float | None = None
    health_timeout: float | None = None
    health_start_period: float | None = None
    health_retries: int | None = None
    no_healthcheck: bool = False
    platform: str | None = None
    pull: str = "missing"
    runtime: str | None = None

    @classmethod
    def from_flags(cls, flags: Mapping[str, Any]) -> RunOptions:
        """From a cell's flags; flags that are not run's own are left out."""
        known = {f.name for f in fields(cls)}
        return cls(**{k: v for k, v in flags.items() if k in known})


def config(image: str, command: list[str], options: RunOptions) -> dict[str, Any]:
    """The body of the engine's "create container" request. Raises OptionError for a bad value."""
    o = options
    if o.restart not in (None, "no") and o.rm:
        raise OptionError("--restart and --rm exclude each other", hint="leave one of them out")
    exposed: dict[str, Any] = {p if "/" in p else f"{p}/tcp": {} for p in o.expose}
    bindings = _ports(o.publish)
    body: dict[str, Any] = {
        "Image": image,
        "Cmd": command or None,
        "Entrypoint": None if o.entrypoint is None else [o.entrypoint] if o.entrypoint else [""],
        "Env": environment(o.env, o.env_file),
        "WorkingDir": o.workdir or "",
        "User": o.user or "",
        "Hostname": o.hostname or "",
        "Domainname": o.domainname or "",
        "Labels": _pairs(o.label, o.label_file, "--label"),
        "Tty": o.tty,
        "OpenStdin": o.interactive,
        "StdinOnce": o.interactive,
        "AttachStdin": o.interactive,
        "ExposedPorts": {**exposed, **{port: {} for port in bindings}},
        "StopSignal": o.stop_signal or "",
        "HostConfig": _host(o, bindings),
    }
    if o.stop_timeout is not None:
        body["StopTimeout"] = o.stop_timeout
    if health := _health(o):
        body["Healthcheck"] = health
    if o.network and not o.network[0].startswith("container:"):
        endpoint = {
            "Aliases": o.network_alias or None,
            "IPAMConfig": {"IPv4Address": o.ip} if o.ip else None,
        }
        body["NetworkingConfig"] = {"EndpointsConfig": {o.network[0]: endpoint}}
    return body


def _host(o: RunOptions, bindings: dict[str, list[dict[str, str]]]) -> dict[str, Any]:
    host: dict[str, Any] = {
        "AutoRemove": o.rm,
        "Binds": [_bind(v) for v in o.volume if ":" in v],
        "VolumesFrom": o.volumes_from,
        "Mounts": [_mount(m) for m in o.mount] + [_anonymous(v) for v in o.volume if ":" not in v],
        "Tmpfs": dict(_tmpfs(t) for t in o.tmpfs),
        "PortBindings": bindings,
        "PublishAllPorts": o.publish_all,
        "NetworkMode": o.network[0] if o.network else "default",
        "ExtraHosts": [_checked(h, r"[^:]+[:=].+", "--add-host", "NAME:IP") for h in o.add_host],
        "Dns": o.dns,
        "Links": o.link,
        "GroupAdd": o.group_add,
        "ReadonlyRootfs": o.read_only,
        "Privileged": o.privileged,
        "CapAdd": o.cap_add,
        "CapDrop": o.cap_drop,
        "SecurityOpt": [_security(s) for s in o.security_opt],
        "PidMode": o.pid or "",
        "IpcMode": o.ipc or "",
        "UsernsMode": o.userns or "",
        "UTSMode": o.uts or "",
        "Memory": o.memory or 0,
        "MemoryReservation": o.memory_reservation or 0,
        "MemorySwap": _swap(o.memory_swap),
        "CpuShares": o.cpu_shares or 0,
        "CpusetCpus": o.cpuset_cpus or "",
        "PidsLimit": o.pids_limit,
        "Ulimits": [_ulimit(u) for u in o.ulimit],
        "Sysctls": _pairs(o.sysctl, [], "--sysctl"),
        "Devices": [_device(d) for d in o.device],
        "RestartPolicy": _restart(o.restart),
    }
    if o.cpus is not None:
        if o.cpus < 0:
            raise OptionError("--cpus takes a number of CPUs such as 0.5, not a negative one")
        host["NanoCpus"] = round(o.cpus * 1e9)
    if o.init:
        host["Init"] = True
    if o.shm_size is not None:
        host["ShmSize"] = o.shm_size
    if o.runtime:
        host["Runtime"] = o.runtime
    if o.log_driver or o.log_opt:
        host["LogConfig"] = {
            "Type": o.log_driver or "",
            "Config": _pairs(o.log_opt, [], "--log-opt"),
        }
    return host


def environment(env: list[str], files: list[str]) -> list[str]:
    """`-e` and `--env-file` as the engine takes them; a bare NAME is read from our environment."""
    values: list[str] = []
    for name in files:
        for line in _lines(name, "--env-file"):
            values += _variable(line, f"--env-file {name}")
    for item in env:
        values += _variable(item, "-e")
    return values


def _variable(item: str, where: str) -> list[str]:
    name, equals, _ = item.partition("=")
    if not name or any(c.isspace() for c in name):
        raise OptionError(f"{where} takes NAME=VALUE or NAME, not {item!r}")
    if equals:
        return [item]
    return [f"{name}={os.environ[name]}"] if name in os.environ else []


def _lines(name: str, flag: str) -> list[str]:
    try:
        text = Path(name).expanduser().read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise OptionError(f"{flag}: cannot read {name}: {reason}") from None
    lines = (line.lstrip() for line in text.removeprefix("\ufeff").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _pairs(items: list[str], files: list[str], flag: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for item in [*(line for f in files for line in _lines(f, f"{flag}-file")), *items]:
        name, _, value = item.partition("=")
        if not name:
            raise OptionError(f"{flag} takes NAME=VALUE, not {item!r}")
        found[name] = value
    return found


def _checked(value: str, pattern: str, flag: str, form: str) -> str:
    if not re.fullmatch(pattern, value, re.DOTALL):
        raise OptionError(f"{flag} takes {form}, not {value!r}")
    return value


def _ports(published: list[str]) -> dict[str, list[dict[str, str]]]:
    """`-p [IP:][HOST:]CONTAINER[/PROTOCOL]`, each part also a range."""
    from docker.utils.ports import split_port

    form = "[IP:][HOST:]CONTAINER[/tcp|udp|sctp], such as 8080:80"
    found: dict[str, list[dict[str, str]]] = {}
    for item in published:
        numbers = [int(n) for n in re.findall(r"(?<![\d.\[])\d+(?![\d.])", item.partition("/")[0])]
        protocol = item.partition("/")[2] or "tcp"
        try:
            inside, outside = split_port(item)
        except ValueError:
            raise OptionError(f"-p takes {form}, not {item!r}") from None
        if protocol not in ("tcp", "udp", "sctp") or any(n > 65535 for n in numbers):
            raise OptionError(f"-p takes {form}, with ports up to 65535, not {item!r}")
        for port, where in zip(inside, outside or [None] * len(inside), strict=True):
            ip, number = where if isinstance(where, tuple) else ("", where)
            key = port if "/" in port else f"{port}/tcp"
            found.setdefault(key, []).append({"HostIp": ip or "", "HostPort": str(number or "")})
    return found


def host_path(text: str) -> str:
    """A path of this computer as a shell would read it: `~`, `$PWD`, `$(pwd)`, `./` work."""
    text = text.replace("$(pwd)", str(Path.cwd())).replace("`pwd`", str(Path.cwd()))
    text = os.path.expandvars(text.replace("$PWD", str(Path.cwd())))
    return str(Path(os.path.abspath(Path(text).expanduser())))  # noqa: PTH100 - keeps symlinks


def _is_path(source: str) -> bool:
    return source.startswith(("/", ".", "~", "$", "`")) or bool(re.match(r"[A-Za-z]:[\\/]", source))


def _bind(item: str) -> str:
    """`-v SOURCE:TARGET[:MODE]`: a path of this computer, or a volume's name."""
    drive = re.match(r"[A-Za-z]:[\\/]", item)
    head = item[:2] if drive else ""
    parts = item[len(head) :].split(":")
    parts[0] = head + parts[0]
    if len(parts) not in (2, 3) or not all(parts) or not parts[1].startswith(("/", "C:", "c:")):
        raise OptionError(
            f"-v takes SOURCE:/PATH/IN/CONTAINER[:ro], not {item!r}",
            hint="the path in the container begins with /",
        )
    if _is_path(parts[0]):
        parts[0] = host_path(parts[0])
    elif not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]+", parts[0]):
        raise OptionError(
            f"-v: {parts[0]!r} is no volume name (letters, digits, _ . -)",
            hint=f"for a folder of this computer write ./{parts[0]}",
        )
    return ":".join(parts)


def _anonymous(target: str) -> dict[str, Any]:
    if not target.startswith("/"):
        raise OptionError(f"-v takes SOURCE:/PATH/IN/CONTAINER[:ro], not {target!r}")
    return {"Type": "volume", "Target": target}


_MOUNT_KEYS = {
    "type": "Type",
    "source": "Source",
    "src": "Source",
    "target": "Target",
    "dst": "Target",
    "destination": "Target",
    "readonly": "ReadOnly",
    "ro": "ReadOnly",
    "bind-propagation": "BindOptions.Propagation",
    "volume-nocopy": "VolumeOptions.NoCopy",
    "tmpfs-size": "TmpfsOptions.SizeBytes",
    "tmpfs-mode": "TmpfsOptions.Mode",
}


def _mount(item: str) -> dict[str, Any]:
    """`--mount type=bind,source=…,target=…[,readonly]`."""
    from course_magics.units import read_bytes

    mount: dict[str, Any] = {"Type": "volume"}
    for part in next(csv.reader([item]), []):
        key, equals, value = part.strip().partition("=")
        if key not in _MOUNT_KEYS:
            near = closest(key, _MOUNT_KEYS)
            allowed = f"did you mean {near}?" if near else f"allowed: {', '.join(_MOUNT_KEYS)}"
            raise OptionError(f"--mount: unknown key {key!r}", hint=allowed)
        parsed: Any = value
        try:
            if key in ("readonly", "ro", "volume-nocopy"):
                parsed = value in ("", "true", "1")
            elif key == "tmpfs-size":
                parsed = read_bytes(value)
            elif key == "tmpfs-mode":
                parsed = int(value, 8)
            elif not equals or not value:
                raise ValueError("a value")
        except ValueError as error:
            raise OptionError(f"--mount: {key} takes {error}, not {value!r}") from None
        group, _, name = _MOUNT_KEYS[key].rpartition(".")
        (mount.setdefault(group, {}) if group else mount)[name] = parsed
    if mount["Type"] not in ("bind", "volume", "tmpfs", "npipe", "cluster"):
        raise OptionError(f"--mount: type is bind, volume or tmpfs, not {mount['Type']!r}")
    if "Target" not in mount:
        raise OptionError("--mount: target is missing", hint="add target=/path/in/the/container")
    if mount["Type"] == "bind":
        if "Source" not in mount:
            raise OptionError("--mount: a bind needs source=/path/on/this/computer")
        mount["Source"] = host_path(mount["Source"])
    return mount


def _tmpfs(item: str) -> tuple[str, str]:
    path, _, how = item.partition(":")
    if not path.startswith("/"):
        raise OptionError(f"--tmpfs takes /PATH[:OPTIONS], not {item!r}")
    return path, how


def _security(item: str) -> str:
    """A seccomp profile travels as text: the CLI reads the file, so we do."""
    name, _, value = item.replace(":", "=", 1).partition("=")
    if name != "seccomp" or value in ("unconfined", ""):
        return item
    try:
        return f"seccomp={json.dumps(json.loads(Path(value).expanduser().read_text()))}"
    except (OSError, ValueError) as error:
        raise OptionError(f"--security-opt: cannot read the profile {value}: {error}") from None


def _swap(text: str | None) -> int:
    from course_magics.units import read_bytes

    if text in (None, "-1"):
        return 0 if text is None else -1
    try:
        return read_bytes(text or "")
    except ValueError as error:
        raise OptionError(f"--memory-swap takes {error} or -1, not {text!r}") from None


def _ulimit(item: str) -> dict[str, Any]:
    match = re.fullmatch(r"([a-z]+)=(-?\d+)(?::(-?\d+))?", item)
    if not match:
        raise OptionError(f"--ulimit takes NAME=SOFT[:HARD], such as nofile=1024, not {item!r}")
    return {"Name": match[1], "Soft": int(match[2]), "Hard": int(match[3] or match[2])}


def _device(item: str) -> dict[str, str]:
    parts = item.split(":")
    rights = parts.pop() if len(parts) > 1 and re.fullmatch("[rwm]{1,3}", parts[-1]) else "rwm"
    if len(parts) > 2 or not parts[0]:
        raise OptionError(f"--device takes /dev/HERE[:/dev/THERE[:rwm]], not {item!r}")
    return {
        "PathOnHost": parts[0],
        "PathInContainer": parts[-1],
        "CgroupPermissions": rights,
    }


def _restart(text: str | None) -> dict[str, Any]:
    name, _, count = (text or "no").partition(":")
    allowed = ("no", "always", "unless-stopped", "on-failure")
    if name not in allowed or (count and (name != "on-failure" or not count.isdigit())):
        raise OptionError(
            f"--restart takes no, always, unless-stopped or on-failure[:TIMES], not {text!r}"
        )
    return {"Name": name, "MaximumRetryCount": int(count or 0)}


def _health(o: RunOptions) -> dict[str, Any]:
    if o.no_healthcheck:
        return {"Test": ["NONE"]}
    found: dict[str, Any] = {}
    if o.health_cmd is not None:
        found["Test"] = ["CMD-SHELL", o.health_cmd]
    for name, seconds in (
        ("Interval", o.health_interval),
        ("Timeout", o.health_timeout),
        ("StartPeriod", o.health_start_period),
    ):
        if seconds is not None:
            found[name] = round(seconds * 1e9)
    if o.health_retries is not None:
        found["Retries"] = o.health_retries
    return found

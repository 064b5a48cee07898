"""What `docker run` and `docker create` take, and how it is said to the engine.

The rules are those of the docker CLI (https://docs.docker.com/reference/cli/docker/container/run/).
"""

from __future__ import annotations

import ipaddress
import json
import os
import re
from collections.abc import Mapping, Set
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from course_magics.containers import devices, mounts, ports
from course_magics.containers.endpoints import Endpoint, endpoints
from course_magics.containers.naming import name_only
from course_magics.errors import OptionError


@dataclass
class RunOptions:
    """The flags of `docker run`, by their long names. Sizes in bytes, times in seconds."""

    name: str | None = None
    rm: bool = False
    attach: list[str] = field(default_factory=list)
    sig_proxy: bool = True
    cidfile: str | None = None
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
    ip6: str | None = None
    link_local_ip: list[str] = field(default_factory=list)
    mac_address: str | None = None
    dns: list[str] = field(default_factory=list)
    dns_search: list[str] = field(default_factory=list)
    dns_option: list[str] = field(default_factory=list)
    link: list[str] = field(default_factory=list)
    memory: int | None = None
    memory_reservation: int | None = None
    memory_swap: str | None = None
    cpus: float | None = None
    cpu_shares: int | None = None
    cpuset_cpus: str | None = None
    cpuset_mems: str | None = None
    cpu_period: int | None = None
    cpu_quota: int | None = None
    cpu_rt_period: int | None = None
    cpu_rt_runtime: int | None = None
    cpu_count: int | None = None
    cpu_percent: int | None = None
    io_maxbandwidth: int | None = None
    io_maxiops: int | None = None
    kernel_memory: int | None = None
    isolation: str | None = None
    blkio_weight: int | None = None
    blkio_weight_device: list[str] = field(default_factory=list)
    device_read_bps: list[str] = field(default_factory=list)
    device_write_bps: list[str] = field(default_factory=list)
    device_read_iops: list[str] = field(default_factory=list)
    device_write_iops: list[str] = field(default_factory=list)
    memory_swappiness: int | None = None
    oom_kill_disable: bool = False
    oom_score_adj: int | None = None
    cgroupns: str | None = None
    cgroup_parent: str | None = None
    device_cgroup_rule: list[str] = field(default_factory=list)
    storage_opt: list[str] = field(default_factory=list)
    volume_driver: str | None = None
    pids_limit: int | None = None
    shm_size: int | None = None
    ulimit: list[str] = field(default_factory=list)
    sysctl: list[str] = field(default_factory=list)
    device: list[str] = field(default_factory=list)
    gpus: str | None = None
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
    annotation: list[str] = field(default_factory=list)
    log_driver: str | None = None
    log_opt: list[str] = field(default_factory=list)
    health_cmd: str | None = None
    health_interval: float | None = None
    health_timeout: float | None = None
    health_start_period: float | None = None
    health_start_interval: float | None = None
    health_retries: int | None = None
    no_healthcheck: bool = False
    platform: str | None = None
    pull: str = "missing"
    runtime: str | None = None

    @property
    def publishes(self) -> bool:
        """Whether it publishes ports."""
        return bool(self.publish) or self.publish_all

    def attaches(self, stream: str) -> bool:
        """Whether a foreground run has this stream: stdin, stdout or stderr."""
        wanted = [s.lower() for s in self.attach]
        return stream in wanted if wanted else stream != "stdin" or self.interactive

    @classmethod
    def from_flags(cls, flags: Mapping[str, Any]) -> RunOptions:
        """From a cell's flags. Raises TypeError for one that would be lost."""
        return cls(**chosen(cls, flags, _NO_OPTIONS))


#: Flags of run and create that are not the container's: the magic's own, and those without effect.
_NO_OPTIONS = frozenset(
    {"detach", "quiet", "detach_keys", "disable_content_trust", "help", "no_raise", "output"}
)


def chosen(kind: type, flags: Mapping[str, Any], others: Set[str]) -> dict[str, Any]:
    """The flags that the dataclass `kind` has a field for.

    others: those that it need not have one for. Raises TypeError for any other.
    """
    known = {f.name for f in fields(kind)}
    if lost := flags.keys() - known - others:
        raise TypeError(f"{kind.__name__} has no field for {', '.join(sorted(lost))}")
    return {name: value for name, value in flags.items() if name in known}


def config(image: str, command: list[str], options: RunOptions) -> dict[str, Any]:
    """The body of the engine's "create container" request. Raises OptionError for a bad value."""
    o = options
    _check(o)
    bindings = ports.published(o.publish)
    first = endpoints(o)[0]
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
        "ExposedPorts": {port: {} for port in (*ports.exposed(o.expose), *bindings)},
        "Volumes": {mounts.anonymous(v): {} for v in o.volume if ":" not in v},
        "StopSignal": o.stop_signal or "",
        "HostConfig": _host(o, bindings, first),
    }
    if first.mac:
        body["MacAddress"] = first.mac
    if o.stop_timeout is not None:
        body["StopTimeout"] = o.stop_timeout
    if health := _health(o):
        body["Healthcheck"] = health
    # Podman takes no settings of an address for "none" and "host", and docker needs none there.
    if o.network and first.name.partition(":")[0] not in ("container", "none", "host"):
        body["NetworkingConfig"] = {"EndpointsConfig": {first.name: first.body()}}
    return body


def _check(o: RunOptions) -> None:
    """What does not go together. Raises OptionError."""
    if o.restart not in (None, "no") and o.rm:
        raise OptionError("--restart and --rm exclude each other", hint="leave one of them out")
    if o.no_healthcheck and (o.health_cmd is not None or o.health_interval is not None):
        raise OptionError("--no-healthcheck and --health-… exclude each other")
    for stream in o.attach:
        if stream.lower() not in ("stdin", "stdout", "stderr"):
            raise OptionError(f"-a takes stdin, stdout or stderr, not {stream!r}")
    for address in o.dns:
        try:
            ipaddress.ip_address(address)
        except ValueError:
            raise OptionError(f"--dns takes an IP address, not {address!r}") from None


def _host(
    o: RunOptions, bindings: dict[str, list[dict[str, str]]], first: Endpoint
) -> dict[str, Any]:
    host: dict[str, Any] = {
        "AutoRemove": o.rm,
        "ContainerIDFile": o.cidfile or "",
        "Binds": [mounts.bind(v) for v in o.volume if ":" in v],
        "VolumesFrom": o.volumes_from,
        "Mounts": [mounts.mount(m) for m in o.mount],
        "Tmpfs": dict(mounts.tmpfs(t) for t in o.tmpfs),
        "PortBindings": bindings,
        "PublishAllPorts": o.publish_all,
        "NetworkMode": first.name,
        "ExtraHosts": [_checked(h, r"[^:]+[:=].+", "--add-host", "NAME:IP") for h in o.add_host],
        "Dns": o.dns,
        "DnsSearch": o.dns_search,
        "DnsOptions": o.dns_option,
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
        "MemorySwap": swap(o.memory_swap),
        "CpuShares": o.cpu_shares or 0,
        "CpusetCpus": o.cpuset_cpus or "",
        "CpusetMems": o.cpuset_mems or "",
        "CpuPeriod": o.cpu_period or 0,
        "CpuQuota": o.cpu_quota or 0,
        "CpuRealtimePeriod": o.cpu_rt_period or 0,
        "CpuRealtimeRuntime": o.cpu_rt_runtime or 0,
        "CpuCount": o.cpu_count or 0,
        "CpuPercent": o.cpu_percent or 0,
        "IOMaximumBandwidth": o.io_maxbandwidth or 0,
        "IOMaximumIOps": o.io_maxiops or 0,
        "KernelMemory": o.kernel_memory or 0,
        "Isolation": o.isolation or "",
        "BlkioWeight": o.blkio_weight or 0,
        "BlkioWeightDevice": devices.weights(o.blkio_weight_device),
        "BlkioDeviceReadBps": devices.rates(o.device_read_bps, "--device-read-bps", sizes=True),
        "BlkioDeviceWriteBps": devices.rates(o.device_write_bps, "--device-write-bps", sizes=True),
        "BlkioDeviceReadIOps": devices.rates(o.device_read_iops, "--device-read-iops", sizes=False),
        "BlkioDeviceWriteIOps": devices.rates(
            o.device_write_iops, "--device-write-iops", sizes=False
        ),
        "MemorySwappiness": o.memory_swappiness,
        "OomKillDisable": o.oom_kill_disable,
        "OomScoreAdj": o.oom_score_adj or 0,
        "CgroupnsMode": o.cgroupns or "",
        "CgroupParent": o.cgroup_parent or "",
        "DeviceCgroupRules": o.device_cgroup_rule,
        "StorageOpt": _pairs(o.storage_opt, [], "--storage-opt"),
        "VolumeDriver": o.volume_driver or "",
        "PidsLimit": o.pids_limit or 0,  # Podman takes null for its own limit
        "Ulimits": [devices.ulimit(u) for u in o.ulimit],
        "Sysctls": _pairs(
            [_checked(s, r"[^=]+=.*", "--sysctl", "NAME=VALUE") for s in o.sysctl], [], "--sysctl"
        ),
        "Devices": [devices.device(d) for d in o.device],
        "RestartPolicy": restart_policy(o.restart),
    }
    if o.cpus is not None:
        if o.cpus < 0:
            raise OptionError("--cpus takes a number of CPUs such as 0.5, not a negative one")
        host["NanoCpus"] = round(o.cpus * 1e9)
    if o.gpus:
        host["DeviceRequests"] = [devices.gpus(o.gpus)]
    if o.annotation:
        host["Annotations"] = _pairs(o.annotation, [], "--annotation")
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
    values: dict[str, str] = {}
    for name in files:
        for number, line in _lines(name, "--env-file"):
            key, value = _variable(line, f"--env-file {name}, line {number}:")
            if value is not None:
                values[key] = f"{key}={value}"
    for item in env:
        key, value = _variable(item, "-e takes")
        # A bare name that we do not have either takes the image's variable away.
        values[key] = key if value is None else f"{key}={value}"
    return list(values.values())


def _variable(item: str, where: str) -> tuple[str, str | None]:
    name, equals, value = item.partition("=")
    if not name or any(c.isspace() for c in name):
        raise OptionError(f"{where} NAME=VALUE or NAME, not {name_only(item)}")
    return name, value if equals else os.environ.get(name)


def _lines(name: str, flag: str) -> list[tuple[int, str]]:
    """The lines of a file that say something, with their numbers. Raises OptionError."""
    try:
        text = Path(name).expanduser().read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise OptionError(f"{flag}: cannot read {name}: {reason}") from None
    lines = (line.lstrip() for line in text.removeprefix("\ufeff").splitlines())
    return [(n, line) for n, line in enumerate(lines, 1) if line and not line.startswith("#")]


def _pairs(items: list[str], files: list[str], flag: str) -> dict[str, str]:
    given = [
        (f"{flag}-file {file}, line {number}:", line)
        for file in files
        for number, line in _lines(file, f"{flag}-file")
    ]
    found: dict[str, str] = {}
    for where, item in [*given, *((f"{flag} takes", item) for item in items)]:
        name, _, value = item.partition("=")
        if not name:
            raise OptionError(f"{where} NAME=VALUE, not {name_only(item)}")
        found[name] = value
    return found


def _checked(value: str, pattern: str, flag: str, form: str) -> str:
    if not re.fullmatch(pattern, value, re.DOTALL):
        shown = name_only(value) if form == "NAME=VALUE" else repr(value)
        raise OptionError(f"{flag} takes {form}, not {shown}")
    return value


def _security(item: str) -> str:
    """A seccomp profile travels as text: the CLI reads the file, so we do."""
    name, _, value = item.replace(":", "=", 1).partition("=")
    if name != "seccomp" or value in ("unconfined", ""):
        return item
    try:
        return f"seccomp={json.dumps(json.loads(Path(value).expanduser().read_text()))}"
    except (OSError, ValueError) as error:
        raise OptionError(f"--security-opt: cannot read the profile {value}: {error}") from None


def swap(text: str | None) -> int:
    """`--memory-swap` in bytes; -1: no limit; 0: not said. Raises OptionError."""
    from course_magics.units import read_bytes

    if text in (None, "-1"):
        return 0 if text is None else -1
    try:
        return read_bytes(text or "")
    except ValueError as error:
        raise OptionError(f"--memory-swap takes {error} or -1, not {text!r}") from None


def restart_policy(text: str | None) -> dict[str, Any]:
    """`--restart` as the engine takes it. Raises OptionError."""
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
        ("StartInterval", o.health_start_interval),
    ):
        if seconds is not None:
            found[name] = round(seconds * 1e9)
    if o.health_retries is not None:
        found["Retries"] = o.health_retries
    return found

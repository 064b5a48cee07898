"""A service as the engine takes it, made of docker's flags; `update` changes one with the same.

Two tables say where each flag's value goes; `create` and `update` both read them, so a flag of the
one works in the other: a list is `--env` when a service is made, `--env-add` and `--env-rm` later.
"""

from __future__ import annotations

import csv
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from course_magics.containers import devices, mounts, options, ports
from course_magics.containers.naming import name_only
from course_magics.errors import OptionError, closest

_BOX = "TaskTemplate.ContainerSpec."
_TASK = "TaskTemplate."


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)


def _same(value: Any) -> Any:
    return value


#: Flag → where its value goes, and how it is written there.
SCALARS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "image": (f"{_BOX}Image", _same),
    "hostname": (f"{_BOX}Hostname", _same),
    "user": (f"{_BOX}User", _same),
    "workdir": (f"{_BOX}Dir", _same),
    "stop_signal": (f"{_BOX}StopSignal", _same),
    "stop_grace_period": (f"{_BOX}StopGracePeriod", _ns),
    "tty": (f"{_BOX}TTY", _same),
    "read_only": (f"{_BOX}ReadOnly", _same),
    "init": (f"{_BOX}Init", _same),
    "isolation": (f"{_BOX}Isolation", _same),
    "entrypoint": (f"{_BOX}Command", shlex.split),
    "args": (f"{_BOX}Args", shlex.split),
    "health_cmd": (f"{_BOX}Healthcheck.Test", lambda v: ["CMD-SHELL", v]),
    "health_interval": (f"{_BOX}Healthcheck.Interval", _ns),
    "health_timeout": (f"{_BOX}Healthcheck.Timeout", _ns),
    "health_start_period": (f"{_BOX}Healthcheck.StartPeriod", _ns),
    "health_retries": (f"{_BOX}Healthcheck.Retries", _same),
    "limit_cpu": (f"{_TASK}Resources.Limits.NanoCPUs", _ns),
    "limit_memory": (f"{_TASK}Resources.Limits.MemoryBytes", _same),
    "limit_pids": (f"{_TASK}Resources.Limits.Pids", _same),
    "reserve_cpu": (f"{_TASK}Resources.Reservations.NanoCPUs", _ns),
    "reserve_memory": (f"{_TASK}Resources.Reservations.MemoryBytes", _same),
    "restart_condition": (f"{_TASK}RestartPolicy.Condition", _same),
    "restart_delay": (f"{_TASK}RestartPolicy.Delay", _ns),
    "restart_max_attempts": (f"{_TASK}RestartPolicy.MaxAttempts", _same),
    "restart_window": (f"{_TASK}RestartPolicy.Window", _ns),
    "replicas_max_per_node": (f"{_TASK}Placement.MaxReplicas", _same),
    "log_driver": (f"{_TASK}LogDriver.Name", _same),
    "endpoint_mode": ("EndpointSpec.Mode", _same),
    **{
        f"{flag}_{key}": (f"{group}.{name}", written)
        for flag, group in (("update", "UpdateConfig"), ("rollback", "RollbackConfig"))
        for key, name, written in (
            ("parallelism", "Parallelism", _same),
            ("delay", "Delay", _ns),
            ("monitor", "Monitor", _ns),
            ("failure_action", "FailureAction", _same),
            ("max_failure_ratio", "MaxFailureRatio", _same),
            ("order", "Order", _same),
        )
    },
}


@dataclass(frozen=True)
class Items:
    """A flag that may be given many times. path: the list's place; read: one item as typed;
    key: what `--NAME-rm` takes for it. pairs: the place holds names and values."""

    path: str
    read: Callable[[str], Any]
    key: Callable[[Any], str] = str
    pairs: bool = False


def _pair(flag: str) -> Callable[[str], tuple[str, str]]:
    def read(item: str) -> tuple[str, str]:
        name, _, value = item.partition("=")
        if not name:
            raise OptionError(f"{flag} takes NAME=VALUE, not {name_only(item)}")
        return name, value

    return read


def _host(item: str) -> str:
    name, colon, address = item.partition(":")
    if not name or not colon or not address:
        raise OptionError(f"--host takes NAME:IP, not {item!r}")
    return f"{address} {name}"


def _constraint(item: str) -> str:
    if not re.fullmatch(r"\s*[\w.-]+\s*(==|!=)\s*.+", item):
        raise OptionError(
            f"--constraint takes WHAT==VALUE or WHAT!=VALUE, not {item!r}",
            hint="for instance node.role==worker or node.hostname!=swarm-1",
        )
    return item


def _preference(item: str) -> dict[str, Any]:
    how, _, what = item.partition("=")
    if how != "spread" or not what:
        raise OptionError(f"--placement-pref takes spread=WHAT, not {item!r}")
    return {"Spread": {"SpreadDescriptor": what}}


def fields(item: str, flag: str, allowed: Mapping[str, str], first: str = "") -> dict[str, str]:
    """`name=value,name=value` of one flag. first: what a word alone means. Raises OptionError."""
    found: dict[str, str] = {}
    for part in next(csv.reader([item]), []):
        key, equals, value = part.strip().partition("=")
        if not equals and first and not found:
            key, value = first, key
        if key not in allowed or not value:
            near = closest(key, allowed)
            hint = f"did you mean {near}=…?" if near else f"allowed: {', '.join(allowed)}"
            raise OptionError(f"{flag}: cannot read {name_only(part)}", hint=hint)
        found[allowed[key]] = value
    return found


def _file(kind: str) -> Callable[[str], dict[str, Any]]:
    keys = {
        **{"source": "source", "src": "source", "target": "Name", "dst": "Name"},
        **{"uid": "UID", "gid": "GID", "mode": "Mode"},
    }

    def read(item: str) -> dict[str, Any]:
        found = fields(item, f"--{kind}", keys, "source")
        source = found.get("source")
        if not source:
            raise OptionError(f"--{kind}: source is missing: {item!r}")
        target = found.get("Name") or (source if kind == "secret" else f"/{source}")
        try:
            mode = int(found.get("Mode", "444"), 8)
        except ValueError:
            raise OptionError(f"--{kind}: mode is octal, such as 0400: {item!r}") from None
        file = {"Name": target, "UID": found.get("UID", "0"), "GID": found.get("GID", "0")}
        return {f"{kind.capitalize()}Name": source, "File": {**file, "Mode": mode}}

    return read


def published(item: str) -> list[dict[str, Any]]:
    """`--publish`: 8080:80[/udp], or target=80,published=8080,mode=host. Raises OptionError."""
    if "=" not in item:
        found = []
        for inside, bindings in ports.published([item]).items():
            port, _, protocol = inside.partition("/")
            for binding in bindings:
                if binding["HostIp"]:
                    raise OptionError(
                        f"--publish: a service has a port on every node, no address: {item!r}"
                    )
                entry: dict[str, Any] = {"TargetPort": int(port), "Protocol": protocol}
                if binding["HostPort"]:
                    if not binding["HostPort"].isdigit():
                        raise OptionError(f"--publish: the two ranges differ: {item!r}")
                    entry["PublishedPort"] = int(binding["HostPort"])
                found.append({**entry, "PublishMode": "ingress"})
        return found
    keys = {"target": "TargetPort", "published": "PublishedPort", "protocol": "Protocol"}
    given = fields(item, "--publish", {**keys, "mode": "PublishMode"})
    made: dict[str, Any] = {"Protocol": "tcp", "PublishMode": "ingress", **given}
    for key in ("TargetPort", "PublishedPort"):
        if key in made:
            if not made[key].isdigit() or not 0 < int(made[key]) < 65536:
                raise OptionError(f"--publish: a port is 1 to 65535: {item!r}")
            made[key] = int(made[key])
    if "TargetPort" not in made:
        raise OptionError(f"--publish: target=PORT is missing: {item!r}")
    for key, allowed in (
        ("PublishMode", ("ingress", "host")),
        ("Protocol", ("tcp", "udp", "sctp")),
    ):
        if made[key] not in allowed:
            raise OptionError(f"--publish: {made[key]!r} is none of {', '.join(allowed)}")
    return [made]


def _network(item: str) -> dict[str, Any]:
    if "=" not in item:
        return {"Target": item}
    found = fields(item, "--network", {"name": "Target", "alias": "Aliases"})
    return {"Target": found.get("Target", ""), "Aliases": [found["Aliases"]]}


LISTS: dict[str, Items] = {
    "env": Items(
        f"{_BOX}Env", lambda v: options.environment([v], [])[0], lambda v: v.partition("=")[0]
    ),
    "label": Items("Labels", _pair("--label"), pairs=True),
    "container_label": Items(f"{_BOX}Labels", _pair("--container-label"), pairs=True),
    "sysctl": Items(f"{_BOX}Sysctls", _pair("--sysctl"), pairs=True),
    "log_opt": Items(f"{_TASK}LogDriver.Options", _pair("--log-opt"), pairs=True),
    "constraint": Items(f"{_TASK}Placement.Constraints", _constraint),
    "placement_pref": Items(
        f"{_TASK}Placement.Preferences",
        _preference,
        lambda v: f"spread={v['Spread']['SpreadDescriptor']}",
    ),
    "mount": Items(f"{_BOX}Mounts", mounts.mount, lambda v: str(v["Target"])),
    "secret": Items(f"{_BOX}Secrets", _file("secret"), lambda v: str(v["SecretName"])),
    "config": Items(f"{_BOX}Configs", _file("config"), lambda v: str(v["ConfigName"])),
    "network": Items(f"{_TASK}Networks", _network, lambda v: str(v["Target"])),
    "publish": Items("EndpointSpec.Ports", published, lambda v: str(v["TargetPort"])),
    "group": Items(f"{_BOX}Groups", str),
    "host": Items(f"{_BOX}Hosts", _host, lambda v: ":".join(reversed(v.split(" ", 1)))),
    "dns": Items(f"{_BOX}DNSConfig.Nameservers", str),
    "dns_search": Items(f"{_BOX}DNSConfig.Search", str),
    "dns_option": Items(f"{_BOX}DNSConfig.Options", str),
    "ulimit": Items(f"{_BOX}Ulimits", devices.ulimit, lambda v: str(v["Name"])),
    "cap_add": Items(f"{_BOX}CapabilityAdd", lambda v: f"CAP_{v.upper().removeprefix('CAP_')}"),
    "cap_drop": Items(f"{_BOX}CapabilityDrop", lambda v: f"CAP_{v.upper().removeprefix('CAP_')}"),
}
MODES = ("replicated", "global", "replicated-job", "global-job")


def _inner(spec: dict[str, Any], path: str) -> tuple[dict[str, Any], str]:
    *groups, name = path.split(".")
    for group in groups:
        if spec.get(group) is None:
            spec[group] = {}
        spec = spec[group]
    return spec, name


def create(
    image: str, args: list[str], flags: Mapping[str, Any], given: frozenset[str]
) -> dict[str, Any]:
    """A new service's specification. given: the flags that were typed. Raises OptionError."""
    spec: dict[str, Any] = {"Mode": _mode(flags, given)}
    if flags.get("name"):
        spec["Name"] = flags["name"]
    apply(spec, {**flags, "image": image}, given | {"image"}, adding="")
    if args:
        spec["TaskTemplate"]["ContainerSpec"]["Args"] = args
    return spec


def _mode(flags: Mapping[str, Any], given: frozenset[str]) -> dict[str, Any]:
    mode = flags.get("mode") or "replicated"
    if mode.startswith("global"):
        if "replicas" in given:
            raise OptionError(
                f"--replicas and --mode {mode} exclude each other: global is one on each node"
            )
        return {"Global": {}} if mode == "global" else {"GlobalJob": {}}
    count = flags.get("replicas")
    count = 1 if count is None else count
    if count < 0:
        raise OptionError(f"--replicas takes 0 or more, not {count}")
    if mode == "replicated":
        return {"Replicated": {"Replicas": count}}
    most = flags.get("max_concurrent") or count
    return {"ReplicatedJob": {"TotalCompletions": count, "MaxConcurrent": most}}


def scale(spec: dict[str, Any], count: int) -> None:
    """Change the number of replicas. Raises OptionError for a service that has none."""
    if count < 0:
        raise OptionError(f"a service has 0 or more replicas, not {count}")
    if "Replicated" not in spec["Mode"]:
        raise OptionError(
            f"{spec['Name']} has no number of replicas: it runs once on each node (global)"
        )
    spec["Mode"]["Replicated"]["Replicas"] = count


def apply(
    spec: dict[str, Any], flags: Mapping[str, Any], given: frozenset[str], *, adding: str
) -> None:
    """Write the given flags into `spec`. adding: "" for create, "_add" for update's lists."""
    for key, (path, written) in SCALARS.items():
        if key in given:
            inner, name = _inner(spec, path)
            try:
                inner[name] = written(flags[key])
            except ValueError as error:
                raise OptionError(f"--{key.replace('_', '-')}: {error}") from None
    for key, items in LISTS.items():
        plain = key.startswith("cap_") or key == "log_opt"  # update has no -add and -rm for these
        more = flags.get(key if plain else key + adding) or []
        gone = set(flags.get(f"{key}_rm") or ()) if adding else set()
        if more or gone:
            _edit(spec, items, more, gone)
    if flags.get("env_file"):
        inner, name = _inner(spec, f"{_BOX}Env")
        inner[name] = [*options.environment([], flags["env_file"]), *(inner.get(name) or [])]
    if "no_healthcheck" in given and flags["no_healthcheck"]:
        if any(key.startswith("health_") for key in given):
            raise OptionError("--no-healthcheck and --health-… exclude each other")
        spec["TaskTemplate"]["ContainerSpec"]["Healthcheck"] = {"Test": ["NONE"]}
    if flags.get("force"):
        task = spec["TaskTemplate"]
        task["ForceUpdate"] = (task.get("ForceUpdate") or 0) + 1
    if adding and "replicas" in given:
        scale(spec, flags["replicas"])


def _edit(spec: dict[str, Any], items: Items, more: list[str], gone: set[str]) -> None:
    inner, name = _inner(spec, items.path)
    made: list[Any] = []
    for item in more:
        read = items.read(item)
        made += read if isinstance(read, list) else [read]
    if items.pairs:
        old = {k: v for k, v in (inner.get(name) or {}).items() if k not in gone}
        inner[name] = {**old, **dict(made)}
        return
    gone = gone | {items.key(m) for m in made}
    inner[name] = [*(v for v in inner.get(name) or () if items.key(v) not in gone), *made]

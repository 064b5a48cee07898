"""The values that keys of a compose file may have, for completion.

The facts follow the Compose Specification (https://github.com/compose-spec/compose-spec).
"""

from __future__ import annotations

_SWITCH = (("true", "yes"), ("false", "no"))
_ORDER = (("stop-first", "the old one ends first"), ("start-first", "the new one starts first"))
#: The values that a key may have, each with what it means.
VALUES: dict[str, tuple[tuple[str, str], ...]] = {
    "/services/*/restart": (
        ('"no"', "never (the default)"),
        ("always", "whenever it ends"),
        ("unless-stopped", "whenever it ends, unless somebody stopped it"),
        ("on-failure", "when its status is not 0"),
    ),
    "/services/*/depends_on/*/condition": (
        ("service_started", "it has started"),
        ("service_healthy", "its health check passes"),
        ("service_completed_successfully", "it has ended with status 0"),
    ),
    "/services/*/pull_policy": (
        ("missing", "when it is not here (the default)"),
        ("always", "each time"),
        ("never", "never"),
        ("build", "never: build it"),
        ("daily", "once a day"),
        ("weekly", "once a week"),
    ),
    "/services/*/network_mode": (
        ("bridge", "docker's own network"),
        ("host", "the computer's own network"),
        ("none", "no network but loopback"),
        ("service:", "another service's network"),
        ("container:", "another container's network"),
    ),
    "/services/*/deploy/mode": (
        ("replicated", "so many containers as `replicas` says"),
        ("global", "one on every node"),
        ("replicated-job", "so many containers, each ends"),
        ("global-job", "one on every node, each ends"),
    ),
    "/services/*/deploy/endpoint_mode": (
        ("vip", "one address for all containers"),
        ("dnsrr", "each container's address in turn"),
    ),
    "/services/*/deploy/restart_policy/condition": (
        ("none", "never"),
        ("on-failure", "when its status is not 0"),
        ("any", "whenever it ends"),
    ),
    "/services/*/deploy/update_config/order": _ORDER,
    "/services/*/deploy/rollback_config/order": _ORDER,
    "/services/*/deploy/update_config/failure_action": (
        ("pause", "stop there (the default)"),
        ("continue", "go on"),
        ("rollback", "go back"),
    ),
    "/services/*/ports[]/protocol": (("tcp", "TCP (the default)"), ("udp", "UDP")),
    "/services/*/ports[]/mode": (
        ("ingress", "on every node of a swarm"),
        ("host", "on the node of the container"),
    ),
    "/services/*/volumes[]/type": (
        ("volume", "a volume, kept by docker"),
        ("bind", "a folder or file of this computer"),
        ("tmpfs", "memory, gone at the end"),
        ("image", "the files of an image"),
    ),
    "/services/*/cgroup": (("private", "its own"), ("host", "the computer's")),
    "/services/*/develop/watch[]/action": (
        ("sync", "copy changed files into the container"),
        ("rebuild", "build the image and replace the container"),
        ("restart", "restart the container"),
        ("sync+restart", "copy, then restart"),
        ("sync+exec", "copy, then run a command"),
    ),
    "/networks/*/driver": (
        ("bridge", "on one computer"),
        ("overlay", "over the nodes of a swarm"),
        ("macvlan", "addresses of the real network"),
        ("ipvlan", "the same with one MAC address"),
    ),
    "/volumes/*/driver": (("local", "on the engine's disk"),),
    "/services/*/logging/driver": (
        ("json-file", "files that `logs` reads"),
        ("local", "smaller files that `logs` reads"),
        ("journald", "systemd's journal"),
        ("none", "nowhere"),
    ),
    **{
        f"/services/*/{key}": _SWITCH
        for key in ("init", "tty", "stdin_open", "read_only", "privileged", "oom_kill_disable")
    },
    "/services/*/depends_on/*/restart": _SWITCH,
    "/services/*/depends_on/*/required": _SWITCH,
    "/services/*/healthcheck/disable": _SWITCH,
    "/services/*/build/no_cache": _SWITCH,
    "/services/*/build/pull": _SWITCH,
    "/services/*/volumes[]/read_only": _SWITCH,
    "/networks/*/external": _SWITCH,
    "/networks/*/internal": _SWITCH,
    "/networks/*/attachable": _SWITCH,
    "/volumes/*/external": _SWITCH,
    "/configs/*/external": _SWITCH,
    "/secrets/*/external": _SWITCH,
}

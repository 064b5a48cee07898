"""The words of `%container network`."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from course_magics.containers import inspect, networks, prune
from course_magics.magics.container.flags import FILTER, FORCE, FORMAT
from course_magics.magics.grammar import Call, Flag, Word


def _create(call: Call) -> Any:
    known = {f.name for f in fields(networks.NetworkOptions)}
    given = {key: value for key, value in call.flags.items() if key in known and value is not None}
    return networks.create(call.args[0], networks.NetworkOptions(**given), line=call.line)


def _connect(call: Call) -> Any:
    network, container = call.args
    return networks.connect(
        network,
        container,
        call.line,
        ip=call.ip or "",
        ip6=call.ip6 or "",
        alias=call.alias,
        link=call.link,
        link_local_ip=call.link_local_ip,
        driver_opt=call.driver_opt,
    )


def _disconnect(call: Call) -> Any:
    network, container = call.args
    return networks.disconnect(network, container, call.line, force=call.force)


def _inspect(call: Call) -> Any:
    return inspect.inspect(
        call.args, call.line, kind="network", template=call.format, verbose=call.verbose
    )


def _ls(call: Call) -> Any:
    return networks.ls(
        filter=call.filter,
        full=call.no_trunc,
        quiet=call.quiet,
        template=call.format,
        line=call.line,
    )


def _rm(call: Call) -> Any:
    return networks.remove(call.args, call.line, force=call.force)


def _prune(call: Call) -> Any:
    return prune.prune(["networks"], call.line, filter=call.filter, force=call.force)


WORDS = (
    Word(
        "network create",
        "make a network",
        "NETWORK",
        (
            Flag("--attachable", "containers that no service owns may join (overlay)"),
            Flag("--aux-address", "an address that is taken already", "list", "NAME=ADDRESS"),
            Flag("--config-from", "the network to copy the configuration from", "text", "NETWORK"),
            Flag("--config-only", "only a configuration, for --config-from"),
            Flag("-d --driver", "bridge, overlay, macvlan, ipvlan…", "text", "DRIVER", "bridge"),
            Flag("--gateway", "the gateway's address in a subnet", "list", "ADDRESS"),
            Flag("--ingress", "the routing mesh of a Swarm"),
            Flag("--internal", "no way out of it"),
            Flag("--ip-range", "containers get their addresses out of this part", "list", "CIDR"),
            Flag("--ipam-driver", "who gives out addresses", "text", "DRIVER", "default"),
            Flag("--ipam-opt", "option of that driver", "list", "NAME=VALUE"),
            Flag("--ipv6", "with IPv6"),
            Flag("--label", "label", "list", "NAME=VALUE"),
            Flag("-o --opt", "option of the driver", "list", "NAME=VALUE"),
            Flag("--scope", "local, swarm or global", "text", "SCOPE"),
            Flag("--subnet", "its addresses, such as 172.28.0.0/16", "list", "CIDR"),
        ),
        examples=(
            "%container network create shop",
            "%container network create --subnet 172.28.0.0/16 --gateway 172.28.0.1 shop",
        ),
        handler=_create,
    ),
    Word(
        "network connect",
        "connect a container to a network, also while it runs",
        "NETWORK CONTAINER",
        (
            Flag("--alias", "another name of the container on it", "list", "NAME"),
            Flag("--driver-opt", "option of the driver", "list", "NAME=VALUE"),
            Flag("--ip", "its IPv4 address", "text", "ADDRESS"),
            Flag("--ip6", "its IPv6 address", "text", "ADDRESS"),
            Flag("--link", "link to another container", "list", "CONTAINER[:ALIAS]"),
            Flag("--link-local-ip", "a link-local address", "list", "ADDRESS"),
        ),
        offers=("network", "container"),
        examples=("%container network connect --alias db shop postgres",),
        handler=_connect,
    ),
    Word(
        "network disconnect",
        "take a container off a network",
        "NETWORK CONTAINER",
        (Flag("-f --force", "also a container that the engine has lost sight of"),),
        offers=("network", "container"),
        handler=_disconnect,
    ),
    Word(
        "network inspect",
        "all that the engine knows of networks: addresses, containers, options",
        "NETWORK [NETWORK...]",
        (
            Flag("-f --format", "a Go template, or json", "text", "TEMPLATE"),
            Flag("-v --verbose", "with its tasks on all nodes of a Swarm"),
        ),
        offers=("network",),
        examples=("%container network inspect -f '{{json .IPAM.Config}}' bridge",),
        handler=_inspect,
    ),
    Word(
        "network ls",
        "list networks",
        "",
        (
            FILTER,
            FORMAT,
            Flag("--no-trunc", "with whole ids"),
            Flag("-q --quiet", "only the ids"),
        ),
        aliases=("network list",),
        handler=_ls,
    ),
    Word(
        "network rm",
        "remove networks",
        "NETWORK [NETWORK...]",
        (Flag("-f --force", "no fault when there is none of that name"),),
        offers=("network",),
        aliases=("network remove",),
        handler=_rm,
    ),
    Word(
        "network prune",
        "remove all networks that no container uses",
        "",
        (Flag("--filter", "only those that match", "list", "NAME=VALUE"), FORCE),
        handler=_prune,
    ),
)

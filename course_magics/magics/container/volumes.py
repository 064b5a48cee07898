"""The words of `%container volume`."""

from __future__ import annotations

from typing import Any

from course_magics.containers import inspect, prune, volumes
from course_magics.containers.cluster_volumes import ClusterSpec
from course_magics.magics.container.flags import FILTER, FORCE, FORMAT
from course_magics.magics.grammar import Call, Flag, Word


def _create(call: Call) -> Any:
    given = {flag.key: call.flags[flag.key] for flag in _CLUSTER if flag.key in call.given}
    return volumes.create(
        call.args[0] if call.args else call.name,
        driver=call.driver,
        opt=call.opt,
        label=call.label,
        cluster=ClusterSpec(**given) if given else None,
        line=call.line,
    )


def _inspect(call: Call) -> Any:
    return inspect.inspect(call.args, call.line, kind="volume", template=call.format)


def _ls(call: Call) -> Any:
    return volumes.ls(
        filter=call.filter,
        quiet=call.quiet,
        template=call.format,
        cluster=call.cluster,
        line=call.line,
    )


def _rm(call: Call) -> Any:
    return volumes.remove(call.args, call.line, force=call.force)


def _prune(call: Call) -> Any:
    return prune.prune(["volumes"], call.line, filter=call.filter, force=call.force, all=call.all)


def _update(call: Call) -> Any:
    return volumes.update(call.args[0], call.availability, call.line)


_AVAILABILITY = Flag(
    "--availability",
    "whether tasks may use a cluster volume",
    "text",
    "WORD",
    "active",
    ("active", "pause", "drain"),
)
#: Any of these makes a cluster volume: one of a Swarm that has a CSI plugin.
_CLUSTER = (
    _AVAILABILITY,
    Flag("--group", "group of a cluster volume", "text", "NAME"),
    Flag("--limit-bytes", "most that a cluster volume may hold", "bytes", "SIZE"),
    Flag("--required-bytes", "least that a cluster volume must hold", "bytes", "SIZE"),
    Flag(
        "--scope",
        "nodes that may use a cluster volume at once",
        "text",
        "WORD",
        "single",
        ("single", "multi"),
    ),
    Flag("--secret", "secret for a cluster volume's plugin", "list", "KEY=SECRET"),
    Flag(
        "--sharing",
        "how tasks share a cluster volume",
        "text",
        "WORD",
        "none",
        ("none", "readonly", "onewriter", "all"),
    ),
    Flag("--topology-preferred", "where a cluster volume would best be", "list", "NAME=VALUE"),
    Flag(
        "--topology-required", "where a cluster volume must be reached from", "list", "NAME=VALUE"
    ),
    Flag("--type", "as what tasks get it", "text", "WORD", "block", ("mount", "block")),
)

WORDS = (
    Word(
        "volume create",
        "make a volume",
        "[VOLUME]",
        (
            Flag("-d --driver", "who keeps it", "text", "DRIVER", "local"),
            Flag("--label", "label", "list", "NAME=VALUE"),
            Flag("--name", "its name (old form of the argument)", "text", "NAME"),
            Flag("-o --opt", "option of the driver", "list", "NAME=VALUE"),
            *_CLUSTER,
        ),
        examples=(
            "%container volume create data",
            "%container volume create -o type=tmpfs -o device=tmpfs -o o=size=10m scratch",
        ),
        handler=_create,
    ),
    Word(
        "volume inspect",
        "all that the engine knows of volumes",
        "VOLUME [VOLUME...]",
        (Flag("-f --format", "a Go template, or json", "text", "TEMPLATE"),),
        offers=("volume",),
        handler=_inspect,
    ),
    Word(
        "volume ls",
        "list volumes",
        "",
        (
            FILTER,
            FORMAT,
            Flag("-q --quiet", "only the names"),
            Flag("--cluster", "only cluster volumes, with group and availability"),
        ),
        aliases=("volume list",),
        handler=_ls,
    ),
    Word(
        "volume rm",
        "remove volumes, with what is in them",
        "VOLUME [VOLUME...]",
        (Flag("-f --force", "no fault when there is none of that name"),),
        offers=("volume",),
        aliases=("volume remove",),
        handler=_rm,
    ),
    Word(
        "volume prune",
        "remove volumes that no container uses, with what is in them",
        "",
        (
            Flag("-a --all", "also those with a name (engines before 23.0 always do)"),
            Flag("--filter", "only those that match", "list", "NAME=VALUE"),
            FORCE,
        ),
        handler=_prune,
    ),
    Word(
        "volume update",
        "change a cluster volume of a Swarm (others have nothing to change)",
        "VOLUME",
        (_AVAILABILITY,),
        offers=("volume",),
        handler=_update,
    ),
)

"""The words of `%container volume`.

Without the flags of cluster volumes (`--availability` and the like, `volume ls --cluster`): those
volumes exist only in a Swarm with a CSI plugin, which no engine of this course has.
"""

from __future__ import annotations

from typing import Any

from course_magics.containers import inspect, prune, volumes
from course_magics.magics.container.flags import FILTER, FORCE, FORMAT
from course_magics.magics.grammar import Call, Flag, Word


def _create(call: Call) -> Any:
    name = call.args[0] if call.args else call.name
    return volumes.create(name, driver=call.driver, opt=call.opt, label=call.label, line=call.line)


def _inspect(call: Call) -> Any:
    return inspect.inspect(call.args, call.line, kind="volume", template=call.format)


def _ls(call: Call) -> Any:
    return volumes.ls(filter=call.filter, quiet=call.quiet, template=call.format, line=call.line)


def _rm(call: Call) -> Any:
    return volumes.remove(call.args, call.line, force=call.force)


def _prune(call: Call) -> Any:
    return prune.prune(["volumes"], call.line, filter=call.filter, force=call.force, all=call.all)


def _update(call: Call) -> Any:
    return volumes.update(call.args[0], call.line)


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
        (FILTER, FORMAT, Flag("-q --quiet", "only the names")),
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
        (
            Flag(
                "--availability",
                "of a cluster volume",
                "text",
                "WORD",
                values=("active", "pause", "drain"),
            ),
        ),
        offers=("volume",),
        handler=_update,
    ),
)

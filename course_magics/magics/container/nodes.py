"""The words `node …` of `%container`."""

from __future__ import annotations

from typing import Any

from course_magics.containers.swarm import nodes
from course_magics.errors import OptionError
from course_magics.magics.grammar import Call, Flag, Word

FILTER = Flag("-f --filter", "only those that match", "list", "NAME=VALUE")
FORMAT = Flag("--format", "a Go template, `table TEMPLATE` or json", "text", "TEMPLATE")
IDS = Flag("-q --quiet", "only the ids")
FULL = Flag("--no-trunc", "shorten nothing")
TEMPLATE = Flag("-f --format", "a Go template, or json", "text", "TEMPLATE")


def listing(call: Call) -> dict[str, Any]:
    """The flags of the tables of tasks, as `tasks.table` takes them."""
    return {
        "filter": call.filter,
        "full": call.no_trunc,
        "quiet": call.quiet,
        "template": call.format,
    }


def _ls(call: Call) -> Any:
    return nodes.ls(call.line, filter=call.filter, quiet=call.quiet, template=call.format)


def _ps(call: Call) -> Any:
    return nodes.ps(call.args, call.line, **listing(call))


def _inspect(call: Call) -> Any:
    return nodes.inspect(call.args, call.line, call.format)


def _update(call: Call) -> Any:
    if not call.given & {"availability", "role", "label_add", "label_rm"}:
        raise OptionError(f"{call.sign}: nothing to change", hint=f"{call.sign} --help lists what")
    return nodes.update(call.args[0], call.flags, call.line)


def _role(wanted: str) -> Any:
    return lambda call: nodes.role(call.args, wanted, call.line)


def _rm(call: Call) -> Any:
    return nodes.remove(call.args, call.line, force=call.force)


_NODES = "NODE [NODE...]"

WORDS = (
    Word(
        "node ls",
        "list the swarm's nodes",
        "",
        (FILTER, FORMAT, IDS),
        aliases=("node list",),
        handler=_ls,
    ),
    Word(
        "node ps",
        "what runs on nodes (default: this one)",
        "[NODE...]",
        (FILTER, FORMAT, FULL, IDS, Flag("--no-resolve", "ids stay names here, too")),
        offers=("node",),
        handler=_ps,
    ),
    Word(
        "node inspect",
        "all that the swarm knows of nodes",
        _NODES,
        (TEMPLATE,),
        offers=("node",),
        examples=("%container node inspect -f '{{.Status.State}}' self",),
        handler=_inspect,
    ),
    Word(
        "node update",
        "change a node",
        "NODE",
        (
            Flag(
                "--availability",
                "active, pause (nothing new) or drain (all tasks move away)",
                "text",
                "STATE",
                values=("active", "pause", "drain"),
            ),
            Flag("--role", "its part", "text", "ROLE", values=("worker", "manager")),
            Flag("--label-add", "add or change a label", "list", "NAME=VALUE"),
            Flag("--label-rm", "take a label away", "list", "NAME"),
        ),
        offers=("node",),
        examples=("%container node update --availability drain swarm-2",),
        handler=_update,
    ),
    Word("node promote", "make nodes managers", _NODES, offers=("node",), handler=_role("manager")),
    Word("node demote", "make managers workers", _NODES, offers=("node",), handler=_role("worker")),
    Word(
        "node rm",
        "remove nodes that are down from the swarm",
        _NODES,
        (Flag("-f --force", "also one that is not down"),),
        offers=("node",),
        aliases=("node remove",),
        handler=_rm,
    ),
)

"""The words `service …` of `%container`."""

from __future__ import annotations

from typing import Any

from course_magics.containers.swarm import logs, services
from course_magics.magics.base import cell_streams
from course_magics.magics.container.nodes import FILTER, FORMAT, FULL, IDS, TEMPLATE, listing
from course_magics.magics.container.service_flags import CREATE, DETACH, UPDATE
from course_magics.magics.grammar import Call, Flag, Word


def _create(call: Call) -> Any:
    from course_magics.widgets.service import live

    image, *args = call.args
    with live() as watch:
        return services.create(image, args, call.flags, call.given, call.line, watch)


def _update(call: Call) -> Any:
    from course_magics.widgets.service import live

    with live() as watch:
        return services.update(call.args[0], call.flags, call.given, call.line, watch)


def _scale(call: Call) -> Any:
    from course_magics.widgets.service import live

    with live() as watch:
        return services.scale(call.args, call.line, detach=call.detach, watch=watch)


def _rollback(call: Call) -> Any:
    from course_magics.widgets.service import live

    with live() as watch:
        return services.rollback(call.args[0], call.line, detach=call.detach, watch=watch)


def _ls(call: Call) -> Any:
    return services.ls(call.line, filter=call.filter, quiet=call.quiet, template=call.format)


def _ps(call: Call) -> Any:
    return services.ps(call.args, call.line, **listing(call))


def _inspect(call: Call) -> Any:
    return services.inspect(call.args, call.line, call.format)


def _logs(call: Call) -> Any:
    out, err = cell_streams()
    return logs.logs(call.args[0], call.flags, out, err, call.line)


def _rm(call: Call) -> Any:
    return services.remove(call.args, call.line)


_ONE = ("service",)
_MANY = "SERVICE [SERVICE...]"
_QUIET = Flag("-q --quiet", "no progress on the way")

WORDS = (
    Word(
        "service create",
        "make a service: so many tasks of an image, on whichever nodes",
        "IMAGE [COMMAND] [ARG...]",
        CREATE,
        interspersed=False,
        offers=("image",),
        examples=(
            "%container service create --name web --replicas 3 course/busybox httpd -f",
            "%container service create --mode global course/busybox sleep 1000",
        ),
        handler=_create,
    ),
    Word(
        "service update",
        "change a service, task by task",
        "SERVICE",
        UPDATE,
        offers=_ONE,
        examples=("%container service update --env-add COLOUR=blue web",),
        handler=_update,
    ),
    Word(
        "service scale",
        "change how many tasks services have",
        "SERVICE=REPLICAS [SERVICE=REPLICAS...]",
        (DETACH,),
        offers=_ONE,
        examples=("%container service scale web=5",),
        handler=_scale,
    ),
    Word(
        "service rollback",
        "back to what a service was before its last change",
        "SERVICE",
        (DETACH, _QUIET),
        offers=_ONE,
        handler=_rollback,
    ),
    Word(
        "service ls",
        "list services",
        "",
        (FILTER, FORMAT, IDS),
        aliases=("service list",),
        handler=_ls,
    ),
    Word(
        "service ps",
        "the tasks of services",
        _MANY,
        (FILTER, FORMAT, FULL, IDS, Flag("--no-resolve", "ids stay names here, too")),
        offers=_ONE,
        handler=_ps,
    ),
    Word(
        "service inspect",
        "all that the swarm knows of services",
        _MANY,
        (TEMPLATE,),
        offers=_ONE,
        handler=_inspect,
    ),
    Word(
        "service logs",
        "what the tasks of a service have printed",
        "SERVICE",
        (
            Flag("-f --follow", "go on until ■ is pressed"),
            Flag("-n --tail", "only the last lines of each task", "text", "LINES", "all"),
            Flag("--since", "only after this time", "text", "TIME"),
            Flag("-t --timestamps", "with the time of each line"),
            Flag("--raw", "without the tasks' names"),
        ),
        offers=_ONE,
        handler=_logs,
    ),
    Word(
        "service rm",
        "remove services",
        _MANY,
        offers=_ONE,
        aliases=("service remove",),
        handler=_rm,
    ),
)

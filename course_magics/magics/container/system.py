"""The words of `%container system`, and those of its words that stand alone too."""

from __future__ import annotations

from typing import Any

from course_magics.containers import disk, events, prune, system
from course_magics.magics.base import cell_streams
from course_magics.magics.container.flags import FILTER, FORCE, FORMAT
from course_magics.magics.grammar import Call, Flag, Word


def _df(call: Call) -> Any:
    return disk.usage(call.line, verbose=call.verbose, template=call.format)


def _info(call: Call) -> Any:
    return system.info(call.line, template=call.format)


def _version(call: Call) -> Any:
    return system.version(call.line, template=call.format)


def _events(call: Call) -> Any:
    out, err = cell_streams()
    err.close()
    return events.events(
        out=out,
        filter=call.filter,
        since=call.since,
        until=call.until,
        template=call.format,
        line=call.line,
    )


def _prune(call: Call) -> Any:
    kinds = ["containers", "networks"]
    kinds += ["volumes"] if call.volumes else []
    return prune.prune(
        [*kinds, "images", "build cache"],
        call.line,
        filter=call.filter,
        force=call.force,
        all=call.all,
    )


_JSON = Flag("-f --format", "a Go template, or json", "text", "TEMPLATE")

WORDS = (
    Word(
        "system df",
        "what images, containers, volumes and the build cache take on the disk",
        "",
        (FORMAT, Flag("-v --verbose", "each thing by itself")),
        handler=_df,
    ),
    Word(
        "info",
        "what the engine is, and what it runs on",
        "",
        (_JSON,),
        examples=("%container info", "%container info -f '{{.NCPU}}'"),
        aliases=("system info",),
        handler=_info,
    ),
    Word(
        "version",
        "the versions of client and engine",
        "",
        (_JSON,),
        examples=("%container version -f '{{.Server.Version}}'",),
        handler=_version,
    ),
    Word(
        "events",
        "what happens on the engine, as it happens, until --until or ■",
        "",
        (
            FILTER,
            Flag("--format", "a Go template, or json", "text", "TEMPLATE"),
            Flag("--since", "from this time on (10m ago, or a date)", "text", "TIME"),
            Flag("--until", "up to this time (-10s: in ten seconds)", "text", "TIME"),
        ),
        examples=(
            "%container events --since 10m --until 0s",
            "%container events --filter container=web --until -30s",
        ),
        aliases=("system events",),
        handler=_events,
    ),
    Word(
        "system prune",
        "remove stopped containers, unused networks, images without a name and the build cache",
        "",
        (
            Flag("-a --all", "also images with a name that no container uses"),
            Flag("--filter", "only those that match", "list", "NAME=VALUE"),
            FORCE,
            Flag("--volumes", "also unused volumes, with what is in them"),
        ),
        handler=_prune,
    ),
)

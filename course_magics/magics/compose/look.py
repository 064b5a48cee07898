"""The words of `%compose` that look, follow and copy."""

from __future__ import annotations

from typing import Any

from course_magics.containers.compose import words as compose
from course_magics.containers.compose.progress import Changes
from course_magics.errors import OptionError
from course_magics.magics.base import cell_streams
from course_magics.magics.compose.project import colour, project, words
from course_magics.magics.grammar import Call, Flag, Word
from course_magics.shell import joined

_SERVICES = "[SERVICE...]"
_SERVICE = ("service",)
_FORMAT = Flag("--format", "table, json, or a Go template", "text", "FORMAT")
_QUIET = Flag("-q --quiet", "only the ids")


def _plain(call: Call) -> Any:
    """A word whose text is its result."""
    wanted = project(call)
    typed = words(call)
    return compose.text(wanted, typed, wanted.line(typed))


def _config(call: Call) -> Any:
    wanted = project(call)
    typed = words(call)
    with wanted.kept():
        return compose.text(wanted, typed, wanted.line(typed))


def _ps(call: Call) -> Any:
    if call.quiet or call.services or call.format not in (None, "table"):
        return _plain(call)
    wanted = project(call)
    typed = words(call)
    return compose.ps(wanted, _without_format(typed), wanted.line(typed))


def _images(call: Call) -> Any:
    if call.quiet or call.format == "json":
        return _plain(call)
    wanted = project(call)
    typed = words(call)
    return compose.images(wanted, _without_format(typed), wanted.line(typed))


def _without_format(typed: list[str]) -> list[str]:
    """Without `--format table`, which is what our own table stands for."""
    words = list(typed)
    if "--format" in words:
        at = words.index("--format")
        del words[at : at + 2]
    return [w for w in words if not w.startswith("--format=")]


def _ls(call: Call) -> Any:
    typed = words(call)
    line = joined(["docker", "compose", *typed])
    if call.quiet or call.format == "json":
        return compose.text(None, typed, line)
    return compose.ls(_without_format(typed), line)


def _version(call: Call) -> Any:
    return compose.text(None, words(call), call.line)


def _stats(call: Call) -> Any:
    if call.format not in (None, "table", "json"):
        raise OptionError(f"{call.sign}: --format takes table or json, not {call.format!r}")
    wanted = project(call)
    typed = words(call, "--no-stream")
    return compose.stats(
        wanted, _without_format([w for w in typed if w != "--no-stream"]), wanted.line(typed)
    )


def _top(call: Call) -> Any:
    wanted = project(call)
    typed = words(call)
    return compose.top(wanted, typed, wanted.line(typed))


def _wait(call: Call) -> Any:
    wanted = project(call)
    typed = words(call)
    return compose.wait(wanted, typed, wanted.line(typed))


def _logs(call: Call) -> Any:
    wanted = project(call)
    typed = words(call)
    out, _ = cell_streams()
    return compose.logs(
        wanted, typed, wanted.line(typed),
        out=out, follow=call.follow, colour=colour(call), prefix=not call.no_log_prefix,
    )  # fmt: skip


def _events(call: Call) -> Any:
    wanted = project(call)
    typed = words(call)
    out, _ = cell_streams()
    return compose.follow(
        wanted, typed, wanted.line(typed), out=out, after="stopped following the events"
    )


def _cp(call: Call) -> Any:
    from course_magics.containers.compose import up

    if "-" in call.args:
        raise OptionError(f"{call.sign}: - is no file in a cell", hint="name a file or a folder")
    wanted = project(call)
    typed = words(call)
    line = wanted.line(typed)
    progress = up.change(wanted, typed, line)
    progress.steps = {("file", " to ".join(call.args)): "copied"}
    return Changes(progress, line)


_TIME = "TIME"
WORDS = (
    Word(
        "ps",
        "the services' containers",
        _SERVICES,
        (
            Flag("-a --all", "also those that do not run"),
            Flag("--status", "only those in this state", "list", "STATE"),
            Flag("--filter", "only those that match (status=running)", "text", "NAME=VALUE"),
            Flag("--services", "only the services' names"),
            Flag("--orphans", "also of services that the file no longer has", default=True),
            _FORMAT,
            _QUIET,
            Flag("--no-trunc", "shorten nothing"),
        ),
        offers=_SERVICE,
        examples=("%compose ps -a", "%compose ps --status running"),
        handler=_ps,
    ),
    Word(
        "logs",
        "what the services have printed",
        _SERVICES,
        (
            Flag("-f --follow", "go on until they end or ■ is pressed"),
            Flag("-n --tail", "only the last lines of each", "text", "LINES"),
            Flag("--since", "only after this time (10m ago, or a date)", "text", _TIME),
            Flag("--until", "only before this time", "text", _TIME),
            Flag("-t --timestamps", "with the time of each line"),
            Flag("--index", "which container, where there are several", "integer", "NUMBER"),
            Flag("--no-log-prefix", "without the services' names before their lines"),
            Flag("--no-color", "without colours"),
        ),
        offers=_SERVICE,
        examples=("%compose logs --tail 10 web", "%compose logs -f"),
        handler=_logs,
    ),
    Word(
        "config",
        "check the file, and show it as compose understands it",
        _SERVICES,
        (
            Flag("-q --quiet", "only check it"),
            Flag("--format", "yaml or json", "text", "FORMAT", values=("yaml", "json")),
            Flag("--services", "only the services' names"),
            Flag("--volumes", "only the volumes' names"),
            Flag("--images", "only the images' names"),
            Flag("--profiles", "only the profiles' names"),
            Flag("--variables", "the variables in it"),
            Flag("--hash", "a service's hash (*: all)", "text", "SERVICE"),
            Flag("--no-interpolate", "leave variables as they are"),
            Flag("--no-normalize", "leave short forms as they are"),
            Flag("--no-path-resolution", "leave paths as they are"),
            Flag("--no-consistency", "do not check whether it makes sense"),
            Flag("--resolve-image-digests", "with the images' digests"),
            Flag("--output", "write it to this file", "text", "FILE"),
        ),
        cell="the compose file",
        offers=_SERVICE,
        aliases=("convert",),
        handler=_config,
    ),
    Word(
        "images",
        "the images of the containers",
        _SERVICES,
        (Flag("--format", "table or json", "text", "FORMAT", values=("table", "json")), _QUIET),
        offers=_SERVICE,
        handler=_images,
    ),
    Word("top", "the services' processes", _SERVICES, offers=_SERVICE, handler=_top),
    Word(
        "port",
        "where a service's port is published",
        "SERVICE PORT",
        (
            Flag("--protocol", "tcp or udp", "text", "NAME", values=("tcp", "udp")),
            Flag("--index", "which container, where there are several", "integer", "NUMBER"),
        ),
        offers=_SERVICE,
        handler=_plain,
    ),
    Word(
        "stats",
        "what the containers use now",
        "[SERVICE]",
        (
            Flag("-a --all", "also those that do not run"),
            _FORMAT,
            Flag("--no-stream", "once (always so in a cell)"),
            Flag("--no-trunc", "shorten nothing"),
        ),
        offers=_SERVICE,
        handler=_stats,
    ),
    Word(
        "events",
        "what happens to the containers, until ■",
        _SERVICES,
        (Flag("--json", "an object a line"),),
        offers=_SERVICE,
        handler=_events,
    ),
    Word(
        "wait",
        "wait until the first of these services has ended, and show its status",
        "SERVICE [SERVICE...]",
        (Flag("--down-project", "remove the project then"),),
        offers=_SERVICE,
        handler=_wait,
    ),
    Word(
        "cp",
        "copy files between a service's container and this computer",
        "SOURCE TARGET",
        (
            Flag("-a --archive", "keep owner and group"),
            Flag("-L --follow-link", "copy what a symbolic link points to"),
            Flag("--index", "which container, where there are several", "integer", "NUMBER"),
        ),
        examples=("%compose cp web:/etc/hostname .",),
        handler=_cp,
    ),
    Word(
        "ls",
        "the projects that run on the engine",
        "",
        (
            Flag("-a --all", "also those that do not run"),
            Flag("--filter", "only those that match (name=x)", "list", "NAME=VALUE"),
            Flag("--format", "table or json", "text", "FORMAT", values=("table", "json")),
            Flag("-q --quiet", "only the names"),
        ),
        handler=_ls,
    ),
    Word(
        "version",
        "which compose this is",
        "",
        (
            Flag("-f --format", "pretty or json", "text", "FORMAT", values=("pretty", "json")),
            Flag("--short", "only the number"),
        ),
        handler=_version,
    ),
)

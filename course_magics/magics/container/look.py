"""The words of `%container` that look, fetch and copy."""

from __future__ import annotations

from typing import Any

from course_magics.containers import files, images, inspect, listing
from course_magics.magics.container.flags import FILTER, FORMAT
from course_magics.magics.grammar import Call, Flag, Word

_FULL = Flag("--no-trunc", "shorten nothing")
_IDS = Flag("-q --quiet", "only the ids")


def _ps(call: Call) -> Any:
    last = 1 if call.latest else call.last
    return listing.ps(
        all=call.all,
        filter=call.filter,
        last=last,
        size=call.size,
        full=call.no_trunc,
        quiet=call.quiet,
        template=call.format,
        line=call.line,
    )


def _images(call: Call) -> Any:
    return listing.images(
        call.args[0] if call.args else None,
        all=call.all,
        filter=call.filter,
        full=call.no_trunc,
        digests=call.digests,
        quiet=call.quiet,
        template=call.format,
        line=call.line,
    )


def _inspect(kind: str | None = None) -> Any:
    def handler(call: Call) -> Any:
        return inspect.inspect(
            call.args,
            call.line,
            kind=kind or call.flags.get("type"),
            size=bool(call.flags.get("size")),
            template=call.format,
        )

    return handler


def _history(call: Call) -> Any:
    return images.history(
        call.args[0],
        call.line,
        human=call.human,
        full=call.no_trunc,
        quiet=call.quiet,
        template=call.format,
    )


def _tag(call: Call) -> Any:
    source, target = call.args
    return images.tag(source, target, call.line)


def _rmi(call: Call) -> Any:
    return images.remove(call.args, call.line, force=call.force, no_prune=call.no_prune)


def _port(call: Call) -> Any:
    return inspect.port(call.args[0], call.args[1] if len(call.args) > 1 else None, call.line)


def _top(call: Call) -> Any:
    return inspect.top(call.args[0], call.args[1:], call.line)


def _diff(call: Call) -> Any:
    return inspect.diff(call.args[0], call.line)


def _cp(call: Call) -> Any:
    source, target = call.args
    return files.copy(source, target, call.line, follow=call.follow_link, archive=call.archive)


def _panel(call: Call) -> Any:
    if call.diagram:
        from course_magics.widgets.lifecycle import diagram_of

        return diagram_of(call.args[0])
    from course_magics.widgets.container import panel_of

    return panel_of(call.args[0])


_INSPECT = (
    Flag("-f --format", "a Go template, or json", "text", "TEMPLATE"),
    Flag("-s --size", "with the sizes of a container's files"),
    Flag(
        "--type",
        "look only among these",
        "text",
        "TYPE",
        values=(
            *("container", "image", "network", "volume", "service", "task", "node", "secret"),
            *("config", "plugin"),
        ),
    ),
)

WORDS = (
    Word(
        "ps",
        "list containers",
        "",
        (
            Flag("-a --all", "also those that do not run"),
            FILTER,
            FORMAT,
            Flag("-n --last", "only the newest so many", "integer", "NUMBER", -1),
            Flag("-l --latest", "only the newest"),
            _FULL,
            _IDS,
            Flag("-s --size", "with the size of its own files"),
        ),
        examples=(
            "%container ps -a",
            "%container ps --filter status=exited --format '{{.Names}}: {{.Status}}'",
        ),
        aliases=("container ls", "container ps", "container list", "ls"),
        handler=_ps,
    ),
    Word(
        "images",
        "list images",
        "[REPOSITORY[:TAG]]",
        (
            Flag("-a --all", "also intermediate images"),
            Flag("--digests", "with digests"),
            FILTER,
            FORMAT,
            _FULL,
            _IDS,
        ),
        aliases=("image ls", "image list"),
        handler=_images,
    ),
    Word(
        "inspect",
        "all that the engine knows of containers, images, networks or volumes",
        "NAME [NAME...]",
        _INSPECT,
        offers=("container|image|network|volume",),
        examples=("%container inspect -f '{{.State.Status}}' web",),
        handler=_inspect(),
    ),
    Word(
        "container inspect",
        "all that the engine knows of containers",
        "CONTAINER [CONTAINER...]",
        _INSPECT[:2],
        offers=("container",),
        handler=_inspect("container"),
    ),
    Word(
        "image inspect",
        "all that the engine knows of images",
        "IMAGE [IMAGE...]",
        _INSPECT[:1],
        offers=("image",),
        handler=_inspect("image"),
    ),
    Word(
        "history",
        "the steps that made an image, newest first",
        "IMAGE",
        (
            Flag("-H --human", "sizes and dates for people", default=True),
            FORMAT,
            _FULL,
            _IDS,
        ),
        offers=("image",),
        aliases=("image history",),
        handler=_history,
    ),
    Word(
        "tag",
        "give an image another name",
        "IMAGE[:TAG] NAME[:TAG]",
        offers=("image",),
        aliases=("image tag",),
        handler=_tag,
    ),
    Word(
        "rmi",
        "remove images",
        "IMAGE [IMAGE...]",
        (
            Flag("-f --force", "also when a stopped container uses it"),
            Flag("--no-prune", "keep its untagged parents"),
        ),
        offers=("image",),
        aliases=("image rm", "image remove"),
        handler=_rmi,
    ),
    Word(
        "port",
        "where a container's ports are published",
        "CONTAINER [PORT[/PROTOCOL]]",
        offers=("container",),
        aliases=("container port",),
        handler=_port,
    ),
    Word(
        "top",
        "a container's processes",
        "CONTAINER [PS-OPTION...]",
        interspersed=False,
        offers=("container",),
        aliases=("container top",),
        handler=_top,
    ),
    Word(
        "diff",
        "the files that a container has added, changed or deleted",
        "CONTAINER",
        offers=("container",),
        aliases=("container diff",),
        handler=_diff,
    ),
    Word(
        "cp",
        "copy files between a container and this computer",
        "SOURCE TARGET",
        (
            Flag("-a --archive", "keep owner and group"),
            Flag("-L --follow-link", "copy what a symbolic link points to"),
            Flag("-q --quiet", "say nothing on the way"),
        ),
        offers=("container:|file", "container:|file"),
        examples=("%container cp web:/etc/hostname .", "%container cp page.html web:/www/"),
        aliases=("container cp",),
        handler=_cp,
    ),
    Word(
        "panel",
        "a container's state, log and buttons, as a widget (ours, not docker's)",
        "CONTAINER",
        (Flag("--diagram", "the states of its life, a picture that follows it"),),
        offers=("container",),
        examples=("%container panel web", "%container panel --diagram web"),
        handler=_panel,
    ),
)

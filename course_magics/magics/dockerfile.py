"""`%%dockerfile`: the cell is a Dockerfile; it is built on the engine."""

from __future__ import annotations

import re
from typing import Any

from course_magics import settings
from course_magics.errors import OptionError
from course_magics.magics.grammar import Call, Flag, Magic, Word


def _line(call: Call) -> str:
    """The same in a terminal: the Dockerfile comes from standard input."""
    words = call.line.removeprefix("docker").removesuffix("< CELL").strip()
    words = re.sub(r" ?--strict(=\w+)?| ?--source[= ]\S+", "", f" {words}").strip()
    line = f"docker build {words}".strip()
    if call.context:
        import shlex

        line = re.sub(r" ?--context[= ](\"[^\"]*\"|'[^']*'|\S+)", "", line)
        return f"{line} -f - {shlex.quote(call.context)} < CELL"
    return f"{line} - < CELL"


def _build(call: Call) -> Any:
    from course_magics.containers.build import BuildOptions, build

    if call.cell is None:
        raise OptionError(
            "the Dockerfile is missing", hint="type %%dockerfile (two %), and the file below it"
        )
    if call.check or call.strict or call.source:
        from course_magics.containers.lint import lint

        return lint(
            call.cell,
            _line(call),
            target=call.target,
            context=call.context,
            build_args=call.build_arg,
            sources=call.source,
            strict=call.strict,
        )
    options = BuildOptions(
        tag=call.tag,
        build_arg=call.build_arg,
        label=call.label,
        target=call.target,
        context=call.context,
        platform=call.platform,
        network=call.network,
        add_host=call.add_host,
        no_cache=call.no_cache,
        pull=call.pull,
    )
    if not settings.current().live:
        return build(call.cell, options, line=_line(call))
    from course_magics.widgets.build import live

    with live() as watch:
        return build(call.cell, options, line=_line(call), watch=watch)


MAGIC = Magic(
    "dockerfile",
    "docker",
    (
        Word(
            "",
            "build an image; the cell is the Dockerfile",
            "",
            (
                Flag("-t --tag", "name of the image", "list", "NAME[:TAG]"),
                Flag("--build-arg", "value of an ARG", "list", "NAME=VALUE", offers="build-arg"),
                Flag("--target", "stop at this stage", "text", "STAGE", offers="stage"),
                Flag("--no-cache", "build every step anew"),
                Flag(
                    "--context",
                    "the folder that COPY and ADD read from (none unless named)",
                    "text",
                    "DIR",
                    offers="folder",
                ),
                Flag("--platform", "platform of the image", "text", "OS/ARCH"),
                Flag("--label", "label of the image", "list", "NAME=VALUE"),
                Flag("--network", "network of the RUN steps", "text", "MODE"),
                Flag("--add-host", "line in /etc/hosts for the RUN steps", "list", "NAME:IP"),
                Flag("--check", "look for mistakes and build nothing"),
                Flag("--strict", "with --check: fail for warnings, too"),
                Flag("--source", "with --check: course, hadolint or buildkit", "list", "NAME"),
                Flag("--pull", "fetch the base image even if it is here"),
            ),
            cell="the Dockerfile",
            examples=(
                "%%dockerfile -t hello",
                "FROM course/busybox",
                'CMD ["echo", "hello"]',
            ),
            handler=_build,
        ),
    ),
)

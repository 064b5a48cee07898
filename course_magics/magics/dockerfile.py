"""`%%dockerfile`: the cell is a Dockerfile; it is built on the engine."""

from __future__ import annotations

import re
from typing import Any

from course_magics.errors import OptionError
from course_magics.magics.container import build
from course_magics.magics.grammar import Call, Flag, Magic, Word
from course_magics.shell import quoted


def _line(call: Call) -> str:
    """The same in a terminal: the Dockerfile comes from standard input."""
    words = call.line.removeprefix("docker").removesuffix("< CELL").strip()
    words = re.sub(r" ?--strict(=\w+)?| ?--source[= ]\S+", "", f" {words}").strip()
    line = f"docker build {words}".strip()
    if call.context:
        line = re.sub(r" ?--context[= ](\"[^\"]*\"|'[^']*'|\S+)", "", line)
        return f"{line} -f - {quoted(call.context)} < CELL"
    return f"{line} - < CELL"


def _build(call: Call) -> Any:
    from course_magics.containers.build import BuildOptions

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
    # -o is ours here (a cell has no `x = …`); docker's --output is `%container build -o`'s.
    options = BuildOptions.from_flags({**call.flags, "output": None})
    return build.run(call.cell, options, _line(call), quiet=call.quiet)


MAGIC = Magic(
    "dockerfile",
    "docker",
    (
        Word(
            "",
            "build an image; the cell is the Dockerfile",
            "",
            (
                Flag(
                    "--context",
                    "the folder that COPY and ADD read from (none unless named)",
                    "text",
                    "DIR",
                    offers="folder",
                ),
                Flag("--check", "look for mistakes and build nothing"),
                Flag("--strict", "with --check: fail for warnings, too"),
                Flag("--source", "with --check: course, hadolint or buildkit", "list", "NAME"),
                *build.BUILD,
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

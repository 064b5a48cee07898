"""The words of `%container` that judge: layers, compare, lint. Ours, not docker's."""

from __future__ import annotations

from typing import Any

from course_magics.errors import OptionError
from course_magics.magics.grammar import Call, Flag, Word
from course_magics.shell import joined, quoted


def _layers(call: Call) -> Any:
    from course_magics.containers.layers import Limits, layers

    limits = Limits(
        call.lowest_efficiency, call.highest_wasted_bytes, call.highest_user_wasted_percent
    )
    line = f"docker save {quoted(call.args[0])}"
    return layers(call.args[0], line, files=call.files, full=call.full, limits=limits)


def _compare(call: Call) -> Any:
    from course_magics.containers.layers import compare

    one, other = call.args
    return compare(one, other, f"docker save {joined(call.args)}", full=call.full)


def _lint(call: Call) -> Any:
    from course_magics.containers.lint import files, lint

    if call.cell is not None:
        if call.args:
            raise OptionError(f"{call.sign}: the cell is the Dockerfile, so no file is named")
        text, line = call.cell, "docker build --check - < CELL"
    else:
        text, line = files.dockerfile(call.args[0] if call.args else ".")
    return lint(text, line, sources=call.source, strict=call.strict)


LINT = (
    Flag("--strict", "fail for warnings, too"),
    Flag("--source", "ask only this one: course, hadolint, buildkit", "list", "NAME"),
)
_FULL = Flag("--full", "shorten nothing and leave nothing out")

WORDS = (
    Word(
        "layers",
        "what each layer of an image holds, and what the image wastes (ours, not docker's)",
        "IMAGE",
        (
            Flag("--files", "so many lines of each layer's files", "integer", "LINES", 0),
            _FULL,
            Flag(
                "--lowestEfficiency --lowest-efficiency",
                "fail below this share",
                "number",
                "0.9",
            ),
            Flag(
                "--highestWastedBytes --highest-wasted-bytes",
                "fail when more is wasted",
                "bytes",
                "SIZE",
            ),
            Flag(
                "--highestUserWastedPercent --highest-user-wasted-percent",
                "fail when a larger share of the layers above the base is wasted",
                "number",
                "0.1",
            ),
        ),
        offers=("image",),
        examples=(
            "%container layers course/python",
            "%container layers --files 20 course/python",
            "%container layers --lowest-efficiency 0.95 course/python",
        ),
        handler=_layers,
    ),
    Word(
        "compare",
        "two images beside each other: layers, configuration, files (ours, not docker's)",
        "IMAGE IMAGE",
        (_FULL,),
        offers=("image", "image"),
        examples=("%container compare course/debian course/python",),
        handler=_compare,
    ),
    Word(
        "lint",
        "what is wrong in a Dockerfile, line by line (docker build --check, and more)",
        "[FILE]",
        LINT,
        cell="the Dockerfile",
        examples=("%container lint", "%container lint --strict app/Dockerfile"),
        handler=_lint,
    ),
)

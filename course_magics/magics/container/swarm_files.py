"""The words `secret …` and `config …` of `%container`."""

from __future__ import annotations

from typing import Any

from course_magics.containers.swarm import values
from course_magics.magics.container.nodes import FILTER, FORMAT, IDS, TEMPLATE
from course_magics.magics.grammar import Call, Flag, Word


def _words(kind: str) -> tuple[Word, ...]:
    def create(call: Call) -> Any:
        name, *rest = call.args
        data = values.content(rest[0] if rest else None, call.cell, call.sign)
        return values.create(kind, name, data, call.label, call.line)

    def ls(call: Call) -> Any:
        return values.ls(
            kind, call.line, filter=call.filter, quiet=call.quiet, template=call.format
        )

    def inspect(call: Call) -> Any:
        return values.inspect(kind, call.args, call.line, call.format)

    def rm(call: Call) -> Any:
        return values.remove(kind, call.args, call.line)

    many = f"{kind.upper()} [{kind.upper()}...]"
    what = "a secret: a file that tasks read, and nobody else" if kind == "secret" else "a config"
    warning = " (it is then in the notebook: a file keeps it out)" if kind == "secret" else ""
    return (
        Word(
            f"{kind} create",
            f"keep {what}",
            "NAME [FILE]",
            (Flag("-l --label", "label", "list", "NAME=VALUE"),),
            cell=f"the {kind}'s content{warning}",
            examples=(f"%container {kind} create NAME ./file.txt",),
            handler=create,
        ),
        Word(
            f"{kind} ls",
            f"list the {kind}s",
            "",
            (FILTER, FORMAT, IDS),
            aliases=(f"{kind} list",),
            handler=ls,
        ),
        Word(
            f"{kind} inspect",
            f"all that the swarm tells of {kind}s",
            many,
            (TEMPLATE,),
            offers=(kind,),
            handler=inspect,
        ),
        Word(
            f"{kind} rm",
            f"remove {kind}s",
            many,
            offers=(kind,),
            aliases=(f"{kind} remove",),
            handler=rm,
        ),
    )


WORDS = (*_words("secret"), *_words("config"))

"""`%check`: is the exercise's state there? It judges what is, not what was typed."""

from __future__ import annotations

from typing import Any

from course_magics.magics.grammar import Call, Flag, Magic, Word


def _check(call: Call) -> Any:
    from course_magics.lessons import learn

    return learn.check(call.args[0] if call.args else "", strict=call.strict)


MAGIC = Magic(
    "check",
    "",
    (
        Word(
            "",
            "what of the current exercise (or NAME) is right, what is missing, which hint fits",
            "[NAME]",
            (Flag("--strict", "fail the cell where something is missing"),),
            offers=("exercise",),
            examples=("%check", "%check 00-start-here --strict"),
            handler=_check,
        ),
    ),
)

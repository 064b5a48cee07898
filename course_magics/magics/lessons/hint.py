"""`%hint`: the next step of the hint that fits the state of things."""

from __future__ import annotations

from typing import Any

from course_magics.magics.grammar import Call, Magic, Word


def _hint(call: Call) -> Any:
    from course_magics.lessons import learn

    return learn.hint(call.args[0] if call.args else "")


MAGIC = Magic(
    "hint",
    "",
    (
        Word(
            "",
            "look at the current exercise (or NAME) and tell a little more about what is missing",
            "[NAME]",
            offers=("exercise",),
            examples=("%hint",),
            handler=_hint,
        ),
    ),
)

"""`%solution`: one way to do an exercise, and why."""

from __future__ import annotations

from typing import Any

from course_magics.magics.grammar import Call, Flag, Magic, Word


def _solution(call: Call) -> Any:
    from course_magics.lessons import learn

    return learn.solution(call.args[0] if call.args else "", other=call.other_way)


MAGIC = Magic(
    "solution",
    "",
    (
        Word(
            "",
            "one way to do the current exercise (or NAME), and why; nothing is run",
            "[NAME]",
            (Flag("--other-way", "another way to the same state"),),
            offers=("exercise",),
            examples=("%solution",),
            handler=_solution,
        ),
    ),
)

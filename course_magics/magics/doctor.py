"""`%doctor`: is everything here? What is missing comes with the line that mends it."""

from __future__ import annotations

from typing import Any

from course_magics.magics.grammar import Call, Flag, Magic, Word


def _examine(call: Call) -> Any:
    from course_magics import doctor

    return doctor.examine(quick=call.quick)


MAGIC = Magic(
    "doctor",
    "course-magics doctor",
    (
        Word(
            "",
            "look at every part that the course needs, and say what to type for each fault",
            "",
            (Flag("--quick", "leave out the timed boot"),),
            handler=_examine,
        ),
    ),
)

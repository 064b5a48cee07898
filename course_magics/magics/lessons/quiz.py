"""`%quiz`: questions with a reason for every answer."""

from __future__ import annotations

from typing import Any

from course_magics.errors import LessonError, OptionError
from course_magics.magics.grammar import Call, Flag, Magic, Word


def _quiz(call: Call) -> Any:
    from course_magics.lessons import find, questions

    if call.all == bool(call.args):
        if call.all:
            raise OptionError("%quiz takes a NAME or --all, not both")
        names = ", ".join(find.quizzes())
        raise LessonError(
            "%quiz: which one?",
            hint=f"there are: {names}" if names else "there is no quiz here",
        )
    name = questions.ALL if call.all else call.args[0]
    if call.answer:
        return questions.answer(name, call.answer)
    from course_magics.widgets.quiz import shown

    return shown(name)


MAGIC = Magic(
    "quiz",
    "",
    (
        Word(
            "",
            "ask the questions of a quiz; each answer comes with its reason",
            "[NAME]",
            (
                Flag("--all", "one question of each quiz"),
                Flag(
                    "--answer",
                    "answer a question here: its choices' numbers, from 1",
                    "list",
                    "QUESTION=NUMBER[,NUMBER]",
                ),
            ),
            offers=("quiz",),
            examples=("%quiz 00-start-here", "%quiz 00-start-here --answer kernel=2"),
            handler=_quiz,
        ),
    ),
)

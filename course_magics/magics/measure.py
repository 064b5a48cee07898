"""`%measure`: a claim measured on this computer, with the prediction beside the result."""

from __future__ import annotations

from typing import Any

from course_magics.errors import OptionError
from course_magics.magics.grammar import Call, Flag, Magic, Word


def _measure(call: Call) -> Any:
    from course_magics.experiments import measure, predict, runner
    from course_magics.widgets import measuring

    if not call.args:
        if call.predict:
            raise OptionError("%measure: an experiment is missing before --predict")
        return runner.listing()
    name, *more = call.args
    words = [*call.predict, *more]
    guesses = runner.predictions(name, words)
    if more and not call.predict:
        raise OptionError(
            f"%measure {name}: too many arguments: {' '.join(more)}",
            hint=f"%measure {name} --predict {' '.join(more)}" if guesses else None,
        )
    if guesses:
        quantity = runner.find(name).quantity
        assert quantity is not None
        print(f"written down: {predict.shown(guesses, quantity)}", flush=True)
    with measuring.live(name) as progress:
        return measure(name, quick=call.quick, repeat=call.repeat, predict=words, progress=progress)


MAGIC = Magic(
    "measure",
    "course-magics measure",
    (
        Word(
            "",
            "the same work in a process, a container and a machine, measured here; "
            "without a name, the experiments",
            "[EXPERIMENT] [SUBJECT=VALUE...]",
            (
                Flag("--quick", "fewer and smaller runs"),
                Flag("--repeat", "so many runs", "integer", "N"),
                Flag(
                    "--predict",
                    "write a prediction down first; the subjects are process, container and "
                    "machine (or vm); more of them may follow",
                    "list",
                    "SUBJECT=VALUE",
                ),
            ),
            offers=("experiment",),
            examples=(
                "%measure",
                "%measure startup --predict container=1s vm=30s",
                "result = %measure memory --quick",
            ),
            handler=_measure,
        ),
    ),
)

"""Runs one experiment: the one way for the magic, the command and a script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from course_magics.errors import Interrupted, OptionError, closest
from course_magics.experiments import predict, quantity
from course_magics.experiments.lab import SUBJECTS, Lab, Progress, quiet
from course_magics.experiments.quantity import Quantity

if TYPE_CHECKING:
    from course_magics.display import Table
    from course_magics.experiments.result import Measurement, Observations


@dataclass(frozen=True)
class Experiment:
    """An experiment. quantity: of what predictions are; None where there are none."""

    name: str
    summary: str
    quantity: Quantity | None
    subjects: tuple[str, ...] = SUBJECTS


EXPERIMENTS: dict[str, Experiment] = {
    e.name: e
    for e in (
        Experiment("startup", "how long until something runs", quantity.SECONDS),
        Experiment("memory", "how much memory an idle one takes", quantity.BYTES),
        Experiment("disk", "how much disk the first and each further one takes", quantity.BYTES),
        Experiment("cpu", "how long the same computation takes", quantity.SECONDS),
        Experiment("syscalls", "what one system call costs", quantity.SECONDS),
        Experiment("files", "how fast files are written and made", quantity.RATE),
        Experiment("network", "how fast this computer fetches data from it", quantity.RATE),
        Experiment("density", "how many fit in 1 GB of memory", quantity.COUNT),
        Experiment("isolation", "what the inside sees and may do: yes or no", None),
        Experiment(
            "nesting",
            "a machine in a container, and a machine in that machine: each level timed",
            quantity.SECONDS,
            ("container", "level 1", "level 2"),
        ),
    )
}
NAMES = tuple(EXPERIMENTS)


def listing() -> Table:
    """The experiments."""
    from course_magics.display import Table

    rows = [{"name": e.name, "summary": e.summary} for e in EXPERIMENTS.values()]
    columns = {"EXPERIMENT": "name", "MEASURES": "summary"}
    return Table(columns, rows, command="course-magics measure")


def find(name: str) -> Experiment:
    """The experiment of that name; OptionError with the closest one."""
    if name not in EXPERIMENTS:
        near = closest(name, EXPERIMENTS)
        raise OptionError(
            f"there is no experiment {name!r}",
            hint=f"did you mean {near}?" if near else f"there are {', '.join(EXPERIMENTS)}",
        )
    return EXPERIMENTS[name]


def predictions(name: str, words: Sequence[str]) -> dict[str, float]:
    """What is predicted of an experiment, by subject. Raises OptionError."""
    experiment = find(name)
    if words and experiment.quantity is None:
        raise OptionError(f"{name} answers with yes and no: there is no number to predict")
    if experiment.quantity is None:
        return {}
    return predict.read(words, experiment.subjects, experiment.quantity)


def measure(
    name: str,
    *,
    quick: bool = False,
    repeat: int | None = None,
    predict: Sequence[str] = (),
    progress: Progress = quiet,
) -> Measurement | Observations:
    """Run an experiment and return its result, which prints itself.

    quick: fewer and smaller runs. repeat: so many runs. predict: "container=1s", "vm=30s"…
    progress: is called with steps done, steps in all, and what is going on.
    Raises OptionError for an unknown name or prediction; Interrupted after it has removed what it
    had started. A subject that is not there is a row that says why.
    """
    guesses = predictions(name, predict)
    if repeat is not None and repeat < 1:
        raise OptionError("--repeat takes 1 or more")
    lab = Lab(quick=quick, repeat=repeat, progress=progress)
    try:
        found: Measurement | Observations
        with lab.watching:
            found = import_module(f"course_magics.experiments.{name}").run(lab)
    except KeyboardInterrupt:
        removed = lab.close(now=True)
        what = f"; removed: {', '.join(removed)}" if removed else ""
        raise Interrupted(f"interrupted: {name} was not measured to its end{what}") from None
    finally:
        lab.close()
    found.command = " ".join(
        [
            f"course-magics measure {name}",
            *(["--quick"] if quick else []),
            *([f"--repeat {repeat}"] if repeat else []),
            *(["--predict", *predict] if predict else []),
        ]
    )
    if guesses:
        found.predictions = guesses  # type: ignore[union-attr]
    return found

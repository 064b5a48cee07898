"""Predictions: written down before a measurement, compared with it afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from course_magics.errors import OptionError, closest
from course_magics.experiments.quantity import Quantity

#: What a subject may be called.
ALIASES = {"vm": "machine", "host": "process"}


def read(words: Sequence[str], subjects: Sequence[str], quantity: Quantity) -> dict[str, float]:
    """Predictions such as "container=1s" as numbers, by subject.

    Raises OptionError in one line: no `=`, an unknown subject, no number or another unit, 0.
    """
    found: dict[str, float] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals or not text:
            raise OptionError(
                f"a prediction is written SUBJECT=VALUE, not {word!r}",
                hint=f"--predict {subjects[-1]}={_example(quantity)}",
            )
        subject = ALIASES.get(name, name)
        if subject not in subjects:
            near = closest(name, [*subjects, *(a for a, s in ALIASES.items() if s in subjects)])
            raise OptionError(
                f"there is no {name!r} to predict something of; there is {', '.join(subjects)}",
                hint=f"did you mean {near}={text}?" if near else None,
            )
        try:
            value = quantity.read(text)
        except ValueError as error:
            raise OptionError(f"--predict {name} takes {error}, not {text!r}") from None
        if value <= 0:
            raise OptionError(f"--predict {name} takes more than 0, or no factor can be told")
        found[subject] = value
    return found


def _example(quantity: Quantity) -> str:
    return {"s": "2s", "B": "50m", "B/s": "200m/s", "/s": "1000/s"}.get(quantity.unit, "20")


def off(predicted: float, measured: float) -> str:
    """How far off a prediction was, as a factor: "4 × too high"."""
    if measured <= 0:
        return "nothing to compare"
    factor = max(predicted / measured, measured / predicted)
    if factor < 1.1:
        return "within 10 %"
    shown = f"{factor:.1f}".removesuffix(".0") if factor < 10 else f"{factor:,.0f}"
    return f"{shown} × too {'high' if predicted > measured else 'low'}"


def shown(predictions: Mapping[str, float], quantity: Quantity) -> str:
    """The predictions in words: "container 1 s, machine 30 s"."""
    return ", ".join(f"{name} {quantity.show(value)}" for name, value in predictions.items())

"""Kinds of numbers: how a prediction is read and how a value is shown."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

from course_magics.units import read_bytes, read_seconds, show_bytes


@dataclass(frozen=True)
class Quantity:
    """A kind of number. unit: its name in the data; show, read: to and from words."""

    unit: str
    show: Callable[[float], str]
    read: Callable[[str], float]


def _digits(value: float) -> str:
    """Three digits that count, without an exponent: 0.00123, 12.3, 1230."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    places = max(2 - math.floor(math.log10(abs(value))), 0)
    text = f"{value:.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def show_seconds(value: float) -> str:
    """A time in the unit in which it is easiest to read: "1.2 ms", "34 s"."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if value >= 0.9995 * size:  # what would be shown as 1000 of the next
            return f"{_digits(value / size)} {unit}"
    return f"{_digits(value / 1e-9)} ns"


def _bytes(text: str) -> float:
    """A size as results show it, 1000 by 1000: "1m" is a million. Docker's own count by 1024."""
    read_bytes(text)  # says what is allowed
    number, unit = re.match(r"\s*([\d.]+)\s*([kmgt]?)", text.lower()).groups()  # type: ignore[union-attr]
    return float(number) * 1000.0 ** " kmgt".index(unit or " ")


def _rate(text: str) -> float:
    return _bytes(text.strip().removesuffix("/s").removesuffix("ps"))


def _count(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError("a number such as 20") from None
    if not math.isfinite(value):
        raise ValueError("a number such as 20")
    return value


def _per_second(text: str) -> float:
    return _count(text.strip().removesuffix("/s"))


SECONDS = Quantity("s", show_seconds, read_seconds)
BYTES = Quantity("B", show_bytes, _bytes)
RATE = Quantity("B/s", lambda value: f"{show_bytes(value)}/s", _rate)
COUNT = Quantity("", _digits, _count)
PER_SECOND = Quantity("/s", lambda value: f"{_digits(value)}/s", _per_second)

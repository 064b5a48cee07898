"""Horizontal bars: a plot that is text in text and drawn in HTML, both from the same numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from course_magics.display.blocks import Line, width
from course_magics.text import clean

#: From this ratio on the axis is logarithmic: a linear one would show the small bars as nothing.
_LOG_FROM = 50
_CELLS = 40
_WIDE = 400
_COLOURS = {"process": "#666666", "container": "#1f77b4", "machine": "#d95f02"}
_OTHER, _SPREAD, _MARK = "#9467bd", "#888888", "#1b7f3b"


@dataclass(frozen=True)
class Bar:
    """One bar. value: its length; low, high: the spread; mark: a prediction, where there is one.

    kind: "process", "container" or "machine", which chooses the colour.
    """

    label: str
    value: float
    low: float
    high: float
    kind: str = ""
    mark: float | None = None


class _Axis:
    """From a value to its share of the width, 0 to 1."""

    def __init__(self, bars: Sequence[Bar]) -> None:
        values = [v for b in bars for v in (b.value, b.low, b.high, b.mark) if v and v > 0]
        self.top = max(values, default=1.0)
        least = min(values, default=1.0)
        self.log = self.top > _LOG_FROM * least
        # Well below the smallest, so that its bar has a length as well.
        self.start = 10.0 ** math.floor(math.log10(least / 2)) if self.log else 0.0

    def share(self, value: float) -> float:
        if value <= self.start:
            return 0.0
        if not self.log:
            return min(value / self.top, 1.0)
        whole = math.log10(self.top / self.start)
        return min(math.log10(value / self.start) / whole, 1.0)


@dataclass(frozen=True)
class Bars:
    """A plot of bars.

    title: what is plotted, for those who do not see the picture. show: a value in words ("1.2 s").
    """

    title: str
    bars: Sequence[Bar]
    show: Callable[[float], str]

    def text(self) -> str:
        if not self.bars:
            return ""
        axis = _Axis(self.bars)
        labels = [clean(b.label) for b in self.bars]
        room = max(width(label) for label in labels)
        lines = []
        for bar, label in zip(self.bars, labels, strict=True):
            line = f"{label}{' ' * (room - width(label))} |{_drawn(bar, axis)}"
            lines.append(f"{line} {clean(self.show(bar.value))}")
        return "\n".join([*lines, self._legend(axis)])

    def _legend(self, axis: _Axis) -> str:
        scale = (
            f"logarithmic scale from {self.show(axis.start)} to {self.show(axis.top)}"
            if axis.log
            else f"scale from 0 to {self.show(axis.top)}"
        )
        words = [scale, "# up to the median, - up to the largest"]
        if any(b.mark for b in self.bars):
            words.append("P the prediction")
        return "; ".join(words)

    def html(self) -> str:
        """A table whose middle column is drawn: Jupyter shows no SVG of a notebook it does not
        trust, and a screen reader finds the numbers beside the bars.
        """
        if not self.bars:
            return ""
        axis = _Axis(self.bars)
        rows = "".join(self._row(bar, axis) for bar in self.bars)
        legend = (
            self._legend(axis)
            .replace("# up to the median, - up to the largest", "line: smallest to largest")
            .replace("P the prediction", "green: the prediction")
        )
        return (
            f'<table aria-label="{escape(clean(self.title))}"><tbody>{rows}</tbody></table>'
            f"{Line(legend, 'dim').html()}"
        )

    def _row(self, bar: Bar, axis: _Axis) -> str:
        low, value, high = (100 * axis.share(v) for v in (bar.low, bar.value, bar.high))
        drawn = _strip(0, max(value, 0.5), 12, _COLOURS.get(bar.kind, _OTHER))
        drawn += _strip(low, max(high, low + 0.5), 3, _SPREAD)
        if bar.mark:
            at = 100 * axis.share(bar.mark)
            drawn += _strip(max(at - 1.5, 0), at, 8, _MARK)
        return (
            f'<tr><td style="text-align:right">{escape(clean(bar.label))}</td>'
            f'<td style="width:{_WIDE}px;text-align:left">{drawn}</td>'
            f'<td style="text-align:left">{escape(clean(self.show(bar.value)))}</td></tr>'
        )


def _strip(begin: float, end: float, height: int, colour: str) -> str:
    """A stripe from `begin` to `end`, in per cent of the axis."""
    style = f"margin-left:{begin:.1f}%;width:{max(end - begin, 0.3):.1f}%;height:{height}px"
    return f'<div style="{style};background-color:{colour}"></div>'


def _drawn(bar: Bar, axis: _Axis) -> str:
    """The bar in characters, as long as needed: no spaces at its end."""
    value, high = (round(_CELLS * axis.share(v)) for v in (bar.value, bar.high))
    drawn = list("#" * max(value, 1) + "-" * max(high - max(value, 1), 0))
    if bar.mark:
        at = max(round(_CELLS * axis.share(bar.mark)) - 1, 0)
        drawn += " " * (at + 1 - len(drawn))
        drawn[at] = "P"
    return "".join(drawn)

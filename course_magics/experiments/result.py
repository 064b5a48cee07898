"""What a measurement gives: rows, a table, a plot, and how it was measured."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from course_magics.display import Block, Command, Facts, Grid, Line, Listed
from course_magics.display.bars import Bar, Bars
from course_magics.errors import CourseError, closest
from course_magics.experiments import predict
from course_magics.experiments.quantity import Quantity

EMULATED = "numbers of an emulated machine are not a verdict on virtualization"


@dataclass(frozen=True)
class Series:
    """What was measured of one subject. values: one a run, all of them.

    subject: "process", "container" or "machine". what: what of it, where there is more than one.
    emulated: it ran on a processor made of software. missing: why there are no values.
    note: what the reader must know of this row.
    """

    subject: str
    quantity: Quantity
    values: tuple[float, ...]
    what: str = ""
    emulated: bool = False
    missing: str = ""
    note: str = ""

    @property
    def name(self) -> str:
        """How it is called: "machine", "machine, cold boot"."""
        return f"{self.subject}, {self.what}" if self.what else self.subject

    @property
    def median(self) -> float | None:
        """The value in the middle; None without any."""
        return statistics.median(self.values) if self.values else None


class Measurement(Listed):
    """The result of an experiment.

    title: what was measured. series: what was measured, in order; `.rows` is the same as plain
    data. how: names and values, how and on what it was measured. predictions: by subject.
    """

    def __init__(
        self,
        experiment: str,
        title: str,
        series: Sequence[Series],
        how: Sequence[tuple[str, str]],
        predictions: Mapping[str, float] | None = None,
        command: str = "",
    ) -> None:
        self.experiment = experiment
        self.title = title
        self.series = list(series)
        self.how = list(how)
        self.predictions = dict(predictions or {})
        self.command = command

    def __getitem__(self, name: str) -> dict[str, Any]:
        """The first row of that name ("machine, cold boot") or subject ("vm" is "machine")."""
        name = predict.ALIASES.get(name, name)
        for row in self.rows:
            if name in (row["name"], row["subject"]):
                return row
        near = closest(name, [row["name"] for row in self.rows])
        raise CourseError(
            f"nothing was measured of {name!r}",
            hint=f"did you mean {near!r}?" if near else None,
        )

    def median(self, name: str) -> float | None:
        """The median of a row by its name; None where it could not be measured."""
        value: float | None = self[name]["median"]
        return value

    def order(self, *names: str) -> list[str]:
        """These rows (default: all) from the smallest median to the largest.

        One that could not be measured is left out.
        """
        known = {name: self.median(name) for name in names or [row["name"] for row in self.rows]}
        return sorted((n for n, m in known.items() if m is not None), key=lambda n: known[n] or 0)

    @property
    def rows(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """One dictionary a row: name, subject, what, unit, median, low, high, values…"""
        rows = []
        for series in self.series:
            predicted = self._predicted(series)
            rows.append(
                {
                    "experiment": self.experiment,
                    "name": series.name,
                    "subject": series.subject,
                    "what": series.what,
                    "unit": series.quantity.unit,
                    "median": series.median,
                    "low": min(series.values, default=None),
                    "high": max(series.values, default=None),
                    "runs": len(series.values),
                    "values": list(series.values),
                    "emulated": series.emulated,
                    "predicted": predicted,
                    "missing": series.missing,
                    "note": series.note,
                }
            )
        return rows

    @property
    def data(self) -> Any:
        """The rows, and how they were measured."""
        return {"experiment": self.experiment, "rows": self.rows, "how": dict(self.how)}

    def plot(self) -> Bars:
        """The first thing measured as bars, one for each row of it."""
        return self.plots()[0] if self.plots() else Bars(self.title, [], str)

    def plots(self) -> list[Bars]:
        """A plot for each kind of number."""
        groups: dict[str, list[Series]] = {}
        for series in self.series:
            if series.values:
                groups.setdefault(series.quantity.unit, []).append(series)
        return [
            Bars(
                self.title,
                [
                    Bar(
                        s.name + (" (emulated)" if s.emulated else ""),
                        s.median or 0.0,
                        min(s.values),
                        max(s.values),
                        s.subject,
                        self._predicted(s),
                    )
                    for s in group
                ],
                group[0].quantity.show,
            )
            for group in groups.values()
        ]

    def blocks(self) -> Sequence[Block]:
        blocks: list[Block] = [Line(self.title), self._grid(), *self.plots(), Facts(self.how)]
        if any(s.emulated for s in self.series):
            blocks.append(Line(EMULATED, "warn"))
        return [*blocks, Command(self.command)] if self.command else blocks

    def _predicted(self, series: Series) -> float | None:
        """A prediction is of a subject's first row, whose unit it has."""
        first = next(s for s in self.series if s.subject == series.subject)
        return self.predictions.get(series.subject) if first is series else None

    def _grid(self) -> Grid:
        columns = ["SUBJECT", "MEDIAN", "SPREAD", "RUNS"]
        columns += ["PREDICTED", "OFF BY"] if self.predictions else []
        columns += ["NOTE"]
        rows = []
        for series in self.series:
            show, median = series.quantity.show, series.median
            predicted = self._predicted(series)
            row = [series.name]
            if median is None:
                row += ["-", "-", "0"]
            else:
                spread = f"{show(min(series.values))} – {show(max(series.values))}"
                row += [show(median), spread if len(series.values) > 1 else "-"]
                row += [str(len(series.values))]
            if self.predictions:
                row += [show(predicted) if predicted else ""]
                known = predicted and median is not None
                row += [predict.off(predicted or 0, median or 0) if known else ""]
            notes = [series.missing, "emulated" if series.emulated else "", series.note]
            row.append("; ".join(n for n in notes if n))
            rows.append(row)
        return Grid(columns, rows, frozenset({"MEDIAN", "SPREAD", "RUNS", "PREDICTED"}))


class Observations(Listed):
    """Answers with yes and no, one row a question: process, container, machine.

    seen: what the answers were made from, by subject; missing: why a subject is not there.
    """

    def __init__(
        self,
        experiment: str,
        title: str,
        answers: Sequence[tuple[str, Mapping[str, bool | None]]],
        seen: Mapping[str, Mapping[str, str]],
        how: Sequence[tuple[str, str]],
        missing: Mapping[str, str],
        command: str = "",
    ) -> None:
        self.experiment = experiment
        self.title = title
        self.how = list(how)
        self.missing = dict(missing)
        self.command = command
        self.seen = {name: dict(found) for name, found in seen.items()}
        self.rows = [{"question": question, **given} for question, given in answers]

    def __getitem__(self, question: str) -> dict[str, Any]:
        """The answers to a question, by subject."""
        for row in self.rows:
            if row["question"] == question:
                return row
        near = closest(question, [str(row["question"]) for row in self.rows])
        raise CourseError(
            f"nobody asked {question!r}", hint=f"did you mean {near!r}?" if near else None
        )

    def blocks(self) -> Sequence[Block]:
        words = {True: "yes", False: "no", None: "-"}
        subjects = ("process", "container", "machine")
        rows = [[row["question"], *(words[row.get(s)] for s in subjects)] for row in self.rows]
        blocks: list[Block] = [Line(self.title), Grid(["", *(s.upper() for s in subjects)], rows)]
        blocks += [Line(f"{name}: {why}", "warn") for name, why in self.missing.items()]
        blocks.append(Facts(self.how))
        return [*blocks, Command(self.command)] if self.command else blocks

"""How long each notebook takes: to teach, as it says itself, and to run, as `make run` measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from course_magics.course.book import read
from course_magics.errors import CourseError, OptionError, fault_of


def table(notebooks: list[Path], times: Path) -> str:
    """A Markdown table, and a line that says what the seconds were measured on.

    times: what a run has written (build/times.json).
    """
    try:
        about: dict[str, Any] = json.loads(times.read_text("utf-8"))
        return _table(notebooks, about)
    except OSError:
        raise OptionError(f"there is no {times}", hint="make run writes it") from None
    except CourseError:
        raise
    except Exception as error:
        raise OptionError(
            f"{times} cannot be read: {fault_of(error)}", hint="make run writes it anew"
        ) from None


def _table(notebooks: list[Path], about: dict[str, Any]) -> str:
    seconds = about["seconds"]
    rows = ["| notebook | minutes to teach | seconds to run |", "|---|---:|---:|"]
    minutes = 0
    for path in notebooks:
        own = read(path).minutes
        minutes += own
        ran = f"{seconds[path.name]:.0f}" if path.name in seconds else "–"
        rows.append(f"| {path.stem} | {own or '–'} | {ran} |")
    rows.append(f"| together | {minutes} | {sum(seconds.values()):.0f} |")
    place = "in the embedded engine (software emulation)" if about["embedded"] else "on the host"
    rows.append(
        f"\nMeasured by `make run`, {about['jobs']} at a time: {about['engine']} {place}, "
        f"{about['processors']} processors."
    )
    return "\n".join(rows)

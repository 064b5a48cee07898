"""Results as plain values: what JSON knows, and a pandas data frame where pandas is there."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pandas import DataFrame

#: How a spreadsheet's formula begins; the wide ones count in East Asian versions.
_FORMULA = re.compile(r"[\t\r\n]|\s*[-=+@\uff1d\uff0b\uff0d\uff20]")


def plain(value: Any) -> Any:
    """`value` as JSON knows it: numbers, text, lists, dictionaries with names as text.

    Bytes become text (broken UTF-8 as U+FFFD), a result becomes its `data`, a dataclass its fields;
    anything else is what `str` makes of it.
    """
    from course_magics.display.shown import Shown

    if isinstance(value, Shown):
        value = value.data
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [f.name for f in dataclasses.fields(value) if not f.name.startswith("_")]
        value = {name: getattr(value, name) for name in names}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Sequence | Set) and not isinstance(value, bytes):
        items = sorted(value, key=str) if isinstance(value, Set) else value
        return [plain(item) for item in items]
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def frame(rows: Sequence[Mapping[str, Any]]) -> DataFrame:
    """The rows as a pandas data frame. Raises CourseError where pandas is not installed."""
    try:
        import pandas
    except ImportError:
        from course_magics.errors import CourseError

        raise CourseError(
            "to_dataframe() needs pandas, which is not installed",
            hint="%pip install pandas\n.rows and .to_json() do without it",
        ) from None
    return pandas.DataFrame(list(rows))


def csv_cell(value: Any) -> Any:
    """`value` for a CSV file: a spreadsheet takes no text in it for a formula.

    Text that begins as one gets an apostrophe before it, which marks text there (OWASP's rule).
    """
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value

"""A plugin for pytest: under nbval each notebook's kernel knows its notebook, as under Jupyter.

So compose names a project after its notebook and labels say who made what. Progress made by a test
is not the reader's own. The repository's conftest.py loads it; elsewhere:
`pytest -p course_magics.course.session --nbval …`.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

_folder = tempfile.TemporaryDirectory(prefix="course-progress-")


_NAMES = ("JPY_SESSION_NAME", "COURSE_PROGRESS")
_before = {name: os.environ.get(name) for name in _NAMES}


def pytest_runtest_protocol(item: pytest.Item) -> None:
    """Before the first cell of a notebook, for nbval starts the kernel then."""
    path = getattr(item, "path", Path())
    wanted: dict[str, str | None] = _before
    if path.suffix == ".ipynb":
        from course_magics.course.run import environment

        wanted = {**environment(path, Path(_folder.name) / f"{path.stem}.progress")}
    for name in _NAMES:
        value = wanted[name]
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value

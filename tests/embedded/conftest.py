"""An embedded engine of the tests' own, beside whatever the user has."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from course_magics import engine
from course_magics.engine import embedded
from course_magics.engine.embedded.prepare import prepare


def awaited(work: Coroutine[Any, Any, Any]) -> Any:
    """Its result, also where Playwright's event loop still runs since a test before."""
    with ThreadPoolExecutor(1) as beside:
        return beside.submit(asyncio.run, work).result()


@pytest.fixture(scope="module")
def state() -> Iterator[Path]:
    """A state folder of its own; its engine is started by whoever needs it, and emptied at the end.

    One for a module: a start is quick, but not free.
    """
    prepare(print)
    with (
        tempfile.TemporaryDirectory(prefix="course-state-") as folder,
        pytest.MonkeyPatch.context() as m,
    ):
        m.setenv("COURSE_STATE", folder)
        m.setenv("COURSE_ENGINE", "embedded")
        engine.forget()
        yield Path(folder)
        embedded.reset()
        engine.forget()

"""What %doctor says of Python's packages."""

from __future__ import annotations

import importlib.metadata

import pytest

from course_magics import doctor


def test_a_checkout_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    there = importlib.metadata.version

    def version(name: str) -> str:
        if name in ("course-magics", "ipywidgets"):
            raise importlib.metadata.PackageNotFoundError(name)
        return there(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    assert "course-magics not installed" in doctor._python().found
    assert doctor._widgets().state == "note"

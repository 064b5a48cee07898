"""Measured claims: the same work in a process, a container and a machine, several times.

Works from a plain Python script: `measure("startup", quick=True)` returns the result, which prints
itself. Each experiment is a module of this package with a function `run(lab)`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from course_magics.experiments.runner import NAMES, measure

__all__ = ["NAMES", "measure"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from course_magics.experiments import runner

    return getattr(runner, name)

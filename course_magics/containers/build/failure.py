"""How a builder says that a build has failed."""

from __future__ import annotations

from course_magics.containers.build.result import Step


class Failure(Exception):
    """The builder's own words, the step that failed (if one did) and its program's status."""

    def __init__(self, words: str, step: Step | None = None, status: int | None = None) -> None:
        super().__init__(words)
        self.words = words
        self.step = step
        self.status = status

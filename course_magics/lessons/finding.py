"""What a check says of one thing that it looked at."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. ok: whether it is as wanted.

    words: the sentence that says what is so. hint: the name of the hint that fits, without `.md`.
    """

    ok: bool
    words: str
    hint: str = ""


def expect(ok: object, right: str, missing: str, hint: str = "") -> Finding:
    """`right` where `ok` is true, else `missing` and the hint that fits.

    ok: anything; its truth counts. hint: a file in the exercise's hints/, without `.md`.
    """
    return Finding(True, right) if ok else Finding(False, missing, hint)

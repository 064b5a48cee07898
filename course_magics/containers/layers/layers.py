"""`%container layers IMAGE`: read an image, and judge it by the limits that were given."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from course_magics import engine
from course_magics.containers.layers.result import Layers
from course_magics.containers.layers.saved import save
from course_magics.errors import CheckError, Interrupted, OptionError
from course_magics.units import show_bytes


@dataclass
class Limits:
    """What an image must keep to; None: it need not. The names are those of dive's CI rules.

    lowest_efficiency: a share, 0 to 1. highest_wasted_bytes: bytes. highest_user_wasted: the
    wasted bytes as a share of the layers above the lowest.
    """

    lowest_efficiency: float | None = None
    highest_wasted_bytes: int | None = None
    highest_user_wasted: float | None = None


def layers(
    image: str,
    line: str,
    *,
    files: int = 0,
    full: bool = False,
    limits: Limits | None = None,
) -> Layers:
    """The layers of `image`: what each adds, changes and removes, and what the image wastes.

    files: so many lines of each layer's files are shown. full: nothing is shortened.
    Raises EngineError, OptionError, Interrupted, and CheckError (with `.result`) when the image
    does not keep to `limits`.
    """
    limits = limits or Limits()
    for name, share in (
        ("--lowest-efficiency", limits.lowest_efficiency),
        ("--highest-user-wasted-percent", limits.highest_user_wasted),
    ):
        if share is not None and not 0 <= share <= 1:
            raise OptionError(f"{name} takes a share from 0 to 1, not {share:g}")
    if files < 0:
        raise OptionError(f"--files takes a number of lines, not {files}")
    try:
        with engine.talking(line) as api:
            saved = save(api, image, line)
    except KeyboardInterrupt:
        raise Interrupted(f"interrupted: {image} was not read to its end", command=line) from None
    result = Layers(image, saved, line, files=files, full=full)
    if failed := list(_broken(result, limits)):
        worst = result.wasted_files[:5]
        error = CheckError(
            f"{image}: {'; '.join(failed)}",
            command=line,
            detail="\n".join(f"{show_bytes(w.size)} {w.copies}× /{w.path}" for w in worst) or None,
            hint="files that one layer writes and a later one changes or removes: one RUN for both",
        )
        error.result = result
        raise error
    return result


def _broken(result: Layers, limits: Limits) -> Iterator[str]:
    """What the image does not keep to, in words."""
    if limits.lowest_efficiency is not None and result.efficiency < limits.lowest_efficiency:
        yield f"efficiency {result.efficiency:.1%}, at least {limits.lowest_efficiency:.1%} wanted"
    most = limits.highest_wasted_bytes
    if most is not None and result.wasted_bytes > most:
        yield f"{show_bytes(result.wasted_bytes)} wasted, at most {show_bytes(most)} wanted"
    share = limits.highest_user_wasted
    if share is not None and result.user_wasted > share:
        yield f"{result.user_wasted:.1%} of its own layers wasted, at most {share:.1%} wanted"

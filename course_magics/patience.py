"""How long to wait: as long as something moves. A slow computer is not a fault."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from course_magics.errors import CourseError

T = TypeVar("T")

#: What to type where a wait ended too soon.
LONGER = "%config CourseMagics.patience = 300 waits longer for a sign of progress"

#: What one gap between two looks counts at most (seconds). A longer one means that this process
#: itself stood still (a closed lid, SIGSTOP, a computer that swaps), and so did what it waits for.
_GAP = 10.0


def limit() -> float:
    """The setting `patience`: for what can only be given a number of seconds without a sign.

    The read time-out of a socket is one (it begins anew with each byte), or that of a program
    which says all that it has to say at its end.
    """
    from course_magics import settings

    return float(settings.current().patience)


def gave_up(what: str, seconds: float) -> str:
    """The words for a wait that has ended: what did not come, and how long nothing moved."""
    return f"{what}: nothing has moved for {seconds:.0f} s"


class Patience:
    """Runs out when nothing has moved for N seconds; there is no limit on the total.

    Between two looks at the thing waited for, call `saw(sign)` with a value that changes when it
    gets on (a count, a size, a state); `over` is True once the sign has stayed the same for
    `seconds` (default: the setting `patience`).
    """

    def __init__(
        self, seconds: float | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.seconds = limit() if seconds is None else float(seconds)
        self._clock = clock
        self._last = clock()
        self._still = 0.0
        self._sign: object = None

    def saw(self, sign: object = None) -> None:
        """Tell how far it is at this moment."""
        now = self._clock()
        self._still += min(now - self._last, _GAP)
        self._last = now
        if sign != self._sign:
            self._sign = sign
            self._still = 0.0

    @property
    def still(self) -> float:
        """Seconds since it last moved, as far as this process saw."""
        return self._still

    @property
    def over(self) -> bool:
        """Whether nothing has moved for too long."""
        return self._still >= self.seconds


def until(
    done: Callable[[], T],
    *,
    sign: Callable[[], object] | None = None,
    seconds: float | None = None,
    pause: float = 0.05,
    what: str = "",
) -> T | None:
    """Ask `done` until it gives something true, which comes back; None when patience runs out.

    sign: how far the thing is; where it is None, nothing counts as progress but the end.
    pause: seconds between two looks. what: in a few words what is waited for; then giving up
    raises CourseError that names it.
    """
    patience = Patience(seconds)
    while not (found := done()):
        patience.saw(sign() if sign is not None else None)
        if patience.over:
            if what:
                raise CourseError(gave_up(what, patience.seconds), hint=LONGER)
            return None
        time.sleep(pause)
    return found

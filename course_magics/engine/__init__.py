"""Where containers run: find an engine, hold the connection, translate its errors."""

from course_magics.engine.advice import what_next
from course_magics.engine.connection import (
    OTHERS,
    Engine,
    connect,
    current,
    forget,
    found,
    in_use,
    talking,
    talking_to,
    use,
    watched,
)

__all__ = [
    "OTHERS",
    "Engine",
    "connect",
    "current",
    "forget",
    "found",
    "in_use",
    "talking",
    "talking_to",
    "use",
    "watched",
    "what_next",
]

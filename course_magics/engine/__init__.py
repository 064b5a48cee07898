"""Where containers run: find an engine, hold the connection, translate its errors."""

from course_magics.engine.advice import what_next
from course_magics.engine.connection import (
    Engine,
    connect,
    current,
    forget,
    found,
    in_use,
    talking,
    use,
)

__all__ = [
    "Engine",
    "connect",
    "current",
    "forget",
    "found",
    "in_use",
    "talking",
    "use",
    "what_next",
]

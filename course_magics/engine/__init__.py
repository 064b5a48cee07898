"""Where containers run: find an engine, hold the connection, translate its errors."""

from course_magics.engine.connection import (
    Engine,
    connect,
    current,
    forget,
    found,
    talking,
    use,
    what_next,
)

__all__ = ["Engine", "connect", "current", "forget", "found", "talking", "use", "what_next"]

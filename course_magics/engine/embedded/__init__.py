"""The embedded engine: a real dockerd in a small QEMU machine, for where there is no Docker."""

from course_magics.engine.embedded.client import (
    Lease,
    held,
    lacks,
    reset,
    socket_path,
    start,
    stop,
    why_it_ended,
)

__all__ = ["Lease", "held", "lacks", "reset", "socket_path", "start", "stop", "why_it_ended"]

"""What the course made carries labels, so that it, and nothing else, can be found and removed."""

from __future__ import annotations

import os
import socket
import uuid
from pathlib import Path

from course_magics import runs

SESSION = "course-magics.session"
NOTEBOOK = "course-magics.notebook"
LESSON = "course-magics.lesson"
#: Which headless run of a notebook made it (`runs.py`).
RUN = "course-magics.run"
#: On a built image. The same for every session: a session's own label would make the same cell
#: another image in each kernel, and leave the old one behind without a name.
IMAGE = "course-magics.image"
#: Compose's own, on all that it makes: the project's name.
COMPOSE = "com.docker.compose.project"
#: On a foreground container: who waits for it. It dies with that process.
OWNER = "course-magics.owner"

_session = uuid.uuid4().hex[:12]


def ours(*, foreground: bool = False) -> dict[str, str]:
    """The labels for something made now. foreground: it must not outlive this process."""
    labels = {SESSION: _session}
    notebook = os.environ.get("JPY_SESSION_NAME", "")
    if notebook:
        labels[NOTEBOOK] = Path(notebook).name
    lesson = os.environ.get("COURSE_LESSON", "")
    if lesson:
        labels[LESSON] = lesson
    if runs.current():
        labels[RUN] = runs.current()
    if foreground:
        labels[OWNER] = owner()
    return labels


def lasting() -> dict[str, str]:
    """The same for every session: for what is compared with what is there, as compose does.

    A session's own label would have compose make every container anew in each kernel.
    """
    made = {**ours(), SESSION: "lasting"}
    made.pop(LESSON, None)  # else beginning an exercise would, too
    return made


def image() -> dict[str, str]:
    """The labels of an image that is built now."""
    return {IMAGE: "built"}


def owner() -> str:
    """This process, told apart from a later one with the same pid: host, pid, start time."""
    return f"{socket.gethostname()}:{os.getpid()}:{started(os.getpid())}"


def is_orphan(label: str) -> bool:
    """Whether the process that `label` (a value of `OWNER`) names has gone.

    False for another host's, whose processes cannot be seen from here.
    """
    host, _, rest = label.partition(":")
    pid, _, begun = rest.partition(":")
    if host != socket.gethostname() or not pid.isdigit():
        return False
    return started(int(pid)) != begun


def started(pid: int) -> str:
    """A process's start time (clock ticks since boot), from /proc; "" where it is not there."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        if Path("/proc/self").exists():
            return ""
        try:  # no /proc (macOS): existence is all that can be told
            os.kill(pid, 0)
        except (OSError, OverflowError):
            return ""
        return "alive"
    return stat.rpartition(")")[2].split()[19]

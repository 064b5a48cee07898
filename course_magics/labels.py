"""What the course made carries labels, so that it, and nothing else, can be found and removed."""

from __future__ import annotations

import contextlib
import functools
import getpass
import hashlib
import os
import re
import socket
import uuid
from pathlib import Path

from course_magics import runs

#: Whose it is: a user, and the computer. Several people may share one engine.
USER = "course-magics.user"
SESSION = "course-magics.session"
NOTEBOOK = "course-magics.notebook"
LESSON = "course-magics.lesson"
#: Which headless run of a notebook made it (`runs.py`).
RUN = "course-magics.run"
#: Another value on each thing. An image that `docker commit` makes of a container inherits all of
#: its labels, and gives them to whatever is run from it: what has its image's value is not ours.
THING = "course-magics.thing"
#: On an image: whose it is, and `WORK` behind a blank. The same for every session and every name: a
#: session's own label would make the same cell another image in each kernel, and leave the old one
#: behind without a name.
IMAGE = "course-magics.image"
#: On what was made of a container or a tar file: maybe there is no other copy.
WORK = "(work)"
#: On what a failed build has got to. It goes when the build gets further.
UNFINISHED = "course-magics.unfinished"
#: Compose's own, on all that it makes: the project's name.
COMPOSE = "com.docker.compose.project"
#: On a foreground container: who waits for it. It dies with that process.
OWNER = "course-magics.owner"

_session = uuid.uuid4().hex[:12]
#: The first PID namespace's number, the same in each kernel (PROC_PID_INIT_INO).
_FIRST_NAMESPACE = "pid:[4026531836]"
_PROC = Path("/proc")


def user() -> str:
    """Who this is, for `USER`: NAME@COMPUTER, the same in every session.

    COURSE_USER names somebody where that does not tell people apart; else JUPYTERHUB_USER does.
    """
    return _user(os.environ.get("COURSE_USER", ""), os.environ.get("JUPYTERHUB_USER", ""))


@functools.cache
def _user(named: str, student: str) -> str:
    hub = os.environ.get("JUPYTERHUB_HOST", "") + os.environ.get("JUPYTERHUB_API_URL", "")
    if named:
        found = named
    elif student:
        found = f"{student}@{digest('hub', hub)}"
    else:
        found = f"{_account()}@{digest('computer', *_computer())}"
    return re.sub(r"[^\w.@+-]", "-", found, flags=re.ASCII)


def _account() -> str:
    """The account's name, whatever the environment says (`su` keeps it); its number without one."""
    if os.name != "posix":
        return getpass.getuser()
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def _computer() -> list[str]:
    """What tells this computer apart; its name only where nothing else does, for names change.

    Containers of one image may share the machine id, so they count by their names, too.
    """
    machine = ""
    for file in ("/etc/machine-id", "/var/lib/dbus/machine-id"):
        with contextlib.suppress(OSError):
            machine = machine or Path(file).read_text().strip()
    if machine and _namespace() == _FIRST_NAMESPACE:
        return [machine]
    return [machine, socket.gethostname()]


def digest(*words: str) -> str:
    """A short, lasting number for `words`."""
    return hashlib.sha256("\n".join(("course-magics", *words)).encode()).hexdigest()[:12]


def short_user() -> str:
    """The user's name as part of a name (of a compose project…): lower case, no signs."""
    plain = re.sub(r"[^a-z0-9]+", "-", user().partition("@")[0].lower()).strip("-")
    return plain or digest(user())[:6]


def ours(*, foreground: bool = False) -> dict[str, str]:
    """The labels for something made now. foreground: it must not outlive this process."""
    labels = {USER: user(), SESSION: _session, THING: uuid.uuid4().hex[:12]}
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
    made = {**ours(), SESSION: "lasting", THING: "lasting"}
    made.pop(LESSON, None)  # else beginning an exercise would, too
    return made


def image(*, work: bool = False) -> dict[str, str]:
    """The label of an image that is made now: one, since Podman puts several in any order.

    work: it is made of a container or a tar file.
    """
    return {IMAGE: f"{user()} {WORK}" if work else user()}


def of_image(value: str) -> tuple[str, bool]:
    """What a value of `IMAGE` says: the user, and whether it is `WORK`."""
    whose, _, more = value.partition(" ")
    return whose, more == WORK


def unfinished() -> dict[str, str]:
    """The labels of what a failed build has got to."""
    run = {RUN: runs.current()} if runs.current() else {}
    return {**image(), **run, UNFINISHED: "build"}


def mine(*more: str) -> dict[str, list[str]]:
    """The engine's filter for what this user has made. more: further labels."""
    return {"label": [f"{USER}={user()}", SESSION, *more]}


def session(*more: str) -> dict[str, list[str]]:
    """The engine's filter for what this process has made."""
    return {"label": [f"{SESSION}={_session}", *more]}


def owner(pid: int | None = None) -> str:
    """A process (this one), told apart from all others that there are, have been and will be.

    The kernel's start, the PID and time namespaces, the user, the pid, the process's start.
    """
    pid = os.getpid() if pid is None else pid
    return ":".join((*_here(), str(pid), started(pid)))


def _here() -> tuple[str, str, str]:
    """What another process must share with this one for its pid to mean anything here."""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        boot = socket.gethostname().replace(":", "-")
    uid = str(os.getuid()) if hasattr(os, "getuid") else "-"
    return boot, _namespaces(), uid


def _namespaces() -> str:
    """Those that a pid and a start time in /proc depend on; "" where they cannot be known."""
    if not (pids := _namespace()):
        return ""
    times = ""
    with contextlib.suppress(OSError):  # Linux before 5.6 has none
        times = str((_PROC / "self/ns/time").readlink())
    return ".".join(re.findall(r"\d+", f"{pids} {times}"))


def _namespace() -> str:
    """This process's PID namespace; "" where there is none, or /proc shows another one's."""
    try:
        if str((_PROC / "self").readlink()) != str(os.getpid()):
            return ""
        return str((_PROC / "self/ns/pid").readlink())
    except OSError:
        return ""


def is_orphan(label: str) -> bool:
    """Whether the process that `label` (a value of `owner`) names has gone.

    False wherever that cannot be known: for another computer's, another namespace's, another
    user's, and for a label of version 0.1.0, which named the computer only.
    """
    parts = _judged(label)
    if not parts or (not parts[1] and (_PROC / "self").exists()):  # /proc is another namespace's
        return False
    pid = int(parts[3])
    if not _is_there(pid):
        return True
    found = _stat(pid)
    # It is there. Without its line in /proc (hidepid) it may well be the one.
    return found is not None and (found[0] in "ZXx" or found[1] != parts[4])


def lives(label: str) -> int | None:
    """The pid of the process that `label` (a value of `owner`) names, where it is known to live."""
    parts = _judged(label)
    return int(parts[3]) if parts and started(int(parts[3])) == parts[4] else None


def _judged(label: str) -> list[str]:
    """The parts of a value of `owner` about whose process something can be said here; else none."""
    parts = label.split(":")
    known = len(parts) == 5 and parts[3].isascii() and parts[3].isdigit() and parts[4]
    return parts if known and tuple(parts[:3]) == _here() else []


def started(pid: int) -> str:
    """A process's start time (clock ticks since boot), from /proc; "" where it has gone.

    A zombie has gone. Without a /proc (macOS) existence is all that can be told.
    """
    if not (_PROC / "self").exists():
        return "alive" if _is_there(pid) else ""
    found = _stat(pid)
    if found is None or (found[0] in "ZXx" and not _has_threads(pid)):
        return ""
    return found[1]


def _has_threads(pid: int) -> bool:
    """Whether threads go on whose first one has ended: they hold files and ports still."""
    try:
        return len(list((_PROC / str(pid) / "task").iterdir())) > 1
    except OSError:
        return False


def _stat(pid: int) -> tuple[str, str] | None:
    """A process's state and start time; None where /proc does not tell."""
    try:
        words = (_PROC / str(pid) / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        return words[0], words[19]
    except (OSError, IndexError):
        return None


def _is_there(pid: int) -> bool:
    """Whether there is a process `pid`, also one that /proc hides; True where nobody can tell."""
    if os.name != "posix":
        return True  # there a signal 0 would be sent
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True

"""Whose a thing is, and whether its owner has gone: judged only where that can be known."""

from __future__ import annotations

import os
import platform
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from course_magics import labels
from course_magics.patience import until

ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
LINUX = sys.platform.startswith("linux")
#: What a process of another kind says about the owner `sys.argv[1]`.
JUDGE = "import sys; from course_magics import labels; {}; print(labels.is_orphan(sys.argv[1]))"
#: A process that tells its owner's label and then waits to be ended.
TELL = "import os, sys; from course_magics import labels; print(labels.owner(), flush=True); {}"
NAMESPACE = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
NOBODY = "import os; os.setgid(65534); os.setuid(65534)"

pytestmark = pytest.mark.skipif(not LINUX, reason="namespaces and /proc are Linux's")
as_root = pytest.mark.skipif(not ROOT, reason="only root makes namespaces and changes the user")


def judged(owner: str, *before: str, first: str = "pass") -> str:
    """What a process says that `before` starts."""
    words = [*before, sys.executable, "-c", JUDGE.format(first), owner]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()


def telling(*before: str, then: str = "sys.stdin.read()") -> Iterator[str]:
    """The owner's label of a process that lives until the generator is closed."""
    words = [*before, sys.executable, "-c", TELL.format(then)]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.communicate()


def test_a_living_owner_is_no_orphan_and_one_that_ended_is() -> None:
    tell = telling()
    owner = next(tell)
    assert not labels.is_orphan(owner)
    assert labels.lives(owner) == int(owner.split(":")[3])
    assert next(tell, None) is None
    assert labels.is_orphan(owner)
    assert labels.lives(owner) is None


def test_a_later_process_with_the_same_pid_is_another() -> None:
    assert labels.is_orphan(labels.owner().rpartition(":")[0] + ":1")


def test_a_zombie_has_gone() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", TELL.format("pass")], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        owner = process.stdout.readline().strip()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # ended, and not buried
        assert labels.is_orphan(owner)
        assert labels.started(process.pid) == ""
        assert labels.lives(owner) is None


@as_root
def test_another_pid_namespace_s_owner_is_not_judged() -> None:
    """As in two containers with one host name: neither sees the other's processes."""
    inside = telling(*NAMESPACE)
    owner = next(inside)
    assert not labels.is_orphan(owner), "it lives"
    assert judged(labels.owner(), *NAMESPACE) == "False", "we live, and it does not see us"
    assert judged(owner, *NAMESPACE) == "False", "a third one sees neither"
    assert next(inside, None) is None
    assert not labels.is_orphan(owner), "nobody here can know"


@as_root
def test_a_proc_of_another_namespace_tells_nothing() -> None:
    """Without a /proc of its own (`--mount-proc`) it reads of other processes under its pids."""
    words = ["unshare", "--pid", "--fork", "--kill-child"]
    inside = telling(*words)
    owner = next(inside)
    assert judged(owner, *words) == "False"
    assert not labels.is_orphan(owner)
    assert next(inside, None) is None


@as_root
def test_another_time_namespace_s_owner_is_not_judged() -> None:
    """It has the same pids, and its /proc says that every process began at another time."""
    later = ["unshare", "--time", "--boottime", "1000", "--fork", "--kill-child"]
    assert judged(labels.owner(), *later) == "False"
    inside = telling(*later)
    owner = next(inside)
    assert not labels.is_orphan(owner)
    assert labels.lives(owner) is None
    assert next(inside, None) is None


@as_root
def test_another_user_s_owner_is_not_judged_under_hidepid() -> None:
    """The stranger's /proc shows nothing of ours: to him we look as if we had gone."""
    script = 'mount -t proc -o hidepid=2 proc /proc && exec "$@"'
    hidden = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh"]
    sees = f"{NOBODY}; assert not os.path.exists('/proc/{os.getpid()}/stat')"
    assert judged(labels.owner(), *hidden, first=sees) == "False"
    assert judged(labels.owner(), first=NOBODY) == "False"


@as_root
def test_one_s_own_process_that_proc_hides_is_not_taken_for_gone() -> None:
    """hidepid also hides a process of the same user that may not be traced."""
    script = 'mount -t proc -o hidepid=2 proc /proc && exec "$@"'
    hidden = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh"]
    both = """
import ctypes, os, subprocess, sys
from course_magics import labels
os.setgid(65534); os.setuid(65534)
ready, told = os.pipe()
pid = os.fork()
if not pid:
    owner = labels.owner()
    ctypes.CDLL(None).prctl(4, 0)  # PR_SET_DUMPABLE
    os.write(told, owner.encode())
    os.pause() if hasattr(os, "pause") else __import__("signal").pause()
owner = os.read(ready, 1000).decode()
assert not os.path.exists(f"/proc/{pid}/stat"), "it is not hidden"
print(labels.is_orphan(owner))
os.kill(pid, 9)
os.waitpid(pid, 0)
print(labels.is_orphan(owner))
"""
    words = [*hidden, sys.executable, "-c", both]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert said.split() == ["False", "True"]


@pytest.mark.parametrize(
    "old",
    [
        f"{socket.gethostname()}:999999:1",  # as version 0.1.0 wrote it
        f"{socket.gethostname()}:{os.getpid()}:1",
        *("", ":", "::::", "a:b:c:d:e", "1:2:3:4:5:6"),
    ],
    ids=range(7),  # the values differ from worker to worker
)
def test_what_names_no_process_that_is_known_here_is_left_alone(old: str) -> None:
    assert not labels.is_orphan(old)
    assert labels.lives(old) is None


def test_another_boot_s_owner_is_not_judged() -> None:
    _, rest = labels.owner().split(":", 1)
    assert not labels.is_orphan(f"00000000-0000-4000-8000-000000000000:{rest}")


# --- whose ----------------------------------------------------------------------------------------------


def test_the_user_is_the_same_in_every_process_and_another_for_another_account() -> None:
    say = "{}; from course_magics import labels; print(labels.user())"

    def user(first: str, **more: str) -> str:
        words = [sys.executable, "-c", say.format(first)]
        found = subprocess.run(
            words, capture_output=True, text=True, check=True, env={**os.environ, **more}
        )
        return found.stdout.strip()

    assert user("pass", COURSE_STATE="/elsewhere", LOGNAME="somebody") == labels.user()
    if ROOT:
        other = user(f"from course_magics import labels; {NOBODY}")
        assert other != labels.user()
        assert other.partition("@")[2] == labels.user().partition("@")[2], "the same computer"


def test_students_of_a_hub_have_one_account_and_are_told_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = set()
    for student in ("ada", "bob"):
        monkeypatch.setenv("JUPYTERHUB_USER", student)
        found.add(labels.user())
        assert labels.short_user() == student
    assert len(found) == 2
    monkeypatch.setenv("COURSE_USER", 'table 4 "left"')
    assert labels.user() == "table-4--left-"
    assert labels.ours()[labels.USER] == labels.lasting()[labels.USER] == labels.user()


def test_an_image_has_the_same_labels_in_every_session(monkeypatch: pytest.MonkeyPatch) -> None:
    before = labels.image()
    monkeypatch.setattr(labels, "_session", "another")
    assert labels.image() == before
    assert labels.SESSION not in before


def test_an_image_s_label_says_whose_it_is_and_whether_it_is_work() -> None:
    for work in (True, False):
        value = labels.image(work=work)[labels.IMAGE]
        assert labels.of_image(value) == (labels.user(), work)
    assert labels.of_image("ada@0123") == ("ada@0123", False), "of an earlier version"
    assert labels.of_image("") == ("", False)


@pytest.mark.skipif(
    platform.machine() != "x86_64", reason="the number of exit(2) is that of x86-64"
)
def test_a_process_whose_first_thread_has_ended_still_lives() -> None:
    """It is shown as a zombie, and holds its files and ports."""
    program = (
        "import ctypes, threading, time\n"
        "threading.Thread(target=time.sleep, args=(600,)).start()\n"
        "ctypes.CDLL(None).syscall(60, 0)\n"  # ends this thread alone
    )
    process = subprocess.Popen([sys.executable, "-c", program])
    try:
        began = labels.started(process.pid)
        stat = Path(f"/proc/{process.pid}/stat")
        assert until(lambda: stat.read_text().rpartition(")")[2].split()[0] == "Z")
        assert labels.started(process.pid) == began != ""
    finally:
        process.kill()
    assert until(lambda: labels.started(process.pid) == "")
    process.wait()

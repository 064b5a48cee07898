"""What the inside sees and what a root inside may do: yes or no, each answer looked at or tried."""

from __future__ import annotations

import subprocess
import tempfile
import uuid
from collections.abc import Callable
from pathlib import Path

from course_magics.experiments.lab import Lab, Process, Subject
from course_magics.experiments.result import Observations

#: Prints one `name=answer` a line. Nothing is changed: what is tried is undone at once.
_LOOK = """\
echo boot=$(cat /proc/sys/kernel/random/boot_id)
echo pidns=$(readlink /proc/self/ns/pid)
ls /proc | grep -c '^[0-9]' | sed 's/^/processes=/'
seen=no
for p in /proc/[0-9]*; do
    tr '\\0' ' ' 2>/dev/null < $p/cmdline | grep -q '{marker} *$' && seen=yes
done
echo marker=$seen
test -e {file} && echo file=yes || echo file=no
drivers=
for d in /sys/bus/pci/devices/* /sys/bus/virtio/devices/*; do
    test -e $d/driver && drivers="$drivers $(basename $(readlink $d/driver))"
done
echo drivers=$drivers
echo disks=$(awk 'NR > 2 {{print $4}}' /proc/partitions | tr '\\n' ' ')
echo users=$(readlink /proc/self/ns/user)
echo hostname=$(readlink /proc/self/ns/uts)
echo net=$(readlink /proc/self/ns/net)
sed -n 's/^Seccomp:[^0-9]*/seccomp=/p; s/^CapEff:[^0-9a-f]*/caps=/p' /proc/self/status
echo uid=$(id -u)
sw=$(cat /proc/sys/vm/swappiness)
(echo $sw > /proc/sys/vm/swappiness) 2>/dev/null && echo sysctl=yes || echo sysctl=no
d=$(mktemp -d) && mount -t tmpfs none $d 2>/dev/null && echo mount=yes && umount $d || echo mount=no
rmdir $d
dmesg >/dev/null 2>&1 && echo dmesg=yes || echo dmesg=no"""
#: Linux's numbers of capabilities (capabilities(7)).
_MODULE, _TIME = 16, 25


def run(lab: Lab) -> Observations:
    """Look and try in each; "process" is the notebook's own user on this computer."""
    lab.expect(3)
    marker = f"course-{uuid.uuid4().hex[:12]}"
    seen: dict[str, dict[str, str]] = {}
    with tempfile.NamedTemporaryFile(prefix="course-", dir="/tmp") as file:
        witness = _witness(lab, marker)
        try:
            for name in ("process", "container", "machine"):
                with lab.noting(name), lab.step(name):
                    subject = lab.subject(name)
                    seen[name] = _look(subject, marker, file.name)
        finally:
            if witness is not None:
                witness.kill()
                witness.wait()
    here = seen.get("process") or {"boot": _boot_here()}
    answers = [
        (question, {name: ask(found, here) for name, found in seen.items()})
        for question, ask in _QUESTIONS.items()
    ]
    user = "root" if here.get("uid") == "0" else "the notebook's user, who is not root"
    how = lab.how(
        "",
        ("looked", "busybox's shell reads /proc and /sys, and tries what it undoes at once"),
        ("who", f"process: {user}; container: root inside; machine: root inside (sudo)"),
    )
    how[0] = ("measured", "one look each: nothing here varies")
    return Observations(
        "isolation", "What the inside sees and may do", answers, seen, how, lab.missing
    )


def _witness(lab: Lab, marker: str) -> subprocess.Popen[bytes] | None:
    """A process of this computer that is easy to recognise."""
    with lab.noting("process"):
        program = Process(lab.program).program
        return subprocess.Popen(
            [program, "sh", "-c", "sleep 1000; :", marker], stdin=subprocess.DEVNULL
        )
    return None


def _look(subject: Subject, marker: str, file: str) -> dict[str, str]:
    from course_magics.experiments.lab import Machine

    script = _LOOK.format(marker=marker, file=file)
    if isinstance(subject, Machine):
        script = f"sudo -n /tmp/busybox sh <<'LOOK'\n{script}\nLOOK"
        text = subject.vagrant.ssh(script)
    else:
        text = subject.run(script)
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {name: value.strip() for name, _, value in pairs}


def _boot_here() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _can(number: int, found: dict[str, str]) -> bool | None:
    caps = found.get("caps")
    return None if not caps else bool(int(caps, 16) >> number & 1)


def _same(key: str, found: dict[str, str], here: dict[str, str]) -> bool | None:
    if key not in found or key not in here:
        return None
    return found[key] == here[key] and found.get("boot") == here.get("boot")


def _yes(key: str, found: dict[str, str]) -> bool | None:
    return found[key] == "yes" if key in found else None


_Seen = dict[str, str]
_QUESTIONS: dict[str, Callable[[_Seen, _Seen], bool | None]] = {
    "runs on this computer's kernel": lambda f, h: _same("boot", f, h),
    "sees a process of this computer": lambda f, h: _yes("marker", f),
    "sees this computer's files in /tmp": lambda f, h: _yes("file", f),
    "sees this computer's disks in /proc": lambda f, h: _same("disks", f, h),
    "has this computer's network cards": lambda f, h: _same("net", f, h),
    "its user numbers are this kernel's": lambda f, h: _same("users", f, h),
    "its system calls pass a filter": lambda f, h: f["seccomp"] == "2" if "seccomp" in f else None,
    "root inside may mount a file system": lambda f, h: _yes("mount", f),
    "root inside may change kernel settings": lambda f, h: _yes("sysctl", f),
    "root inside may read the kernel's log": lambda f, h: _yes("dmesg", f),
    "root inside may load kernel modules": lambda f, h: _can(_MODULE, f),
    "root inside may set the clock": lambda f, h: _can(_TIME, f),
}

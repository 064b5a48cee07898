"""The pre-booted snapshot: one boot at building time instead of one at each start."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable
from pathlib import Path

from course_magics.errors import MachineError
from course_magics.guest.launch import Machine
from course_magics.guest.model import Guest
from course_magics.guest.procs import Say
from course_magics.guest.qmp import Qmp
from course_magics.patience import Patience

# What a machine is asked first, done once before the snapshot: read from disk, these programs
# are then in its memory.
_WARM = (
    "sudo -n true; hostname -f; rsync --version; ip -o link; uname -a; ls /; mount; "
    "systemctl --version; hostnamectl; ls /var/lib/docker /usr/lib/openssh; cat /etc/os-release"
)


def take_snapshot(guest: Guest, disk: Path, state: Path, say: Say) -> dict[str, float]:
    """Boot the guest, save its memory to `state` and leave its disk at that moment in `disk`.

    guest: with a clean disk. disk: must lie beside the clean disk, to which it refers by name.
    Returns seconds: boot to ssh, boot to idle, saving; and the machine's memory, MiB.
    """
    with Machine(guest, disk=disk) as machine:
        say("booting the guest once (software emulation)")
        boot = machine.wait_ssh()
        machine.ssh("systemctl is-system-running --wait")
        idle = time.monotonic() - machine.started
        say(f"  ssh after {boot:.1f} s, idle after {idle:.1f} s; saving its state")
        machine.ssh(_WARM + "; sync; sudo fstrim / || true")
        rss = machine.rss_mb()
        _let_nobody_in(machine)
        start = time.monotonic()
        save_state(machine.qmp, state, machine.check)
        machine.quit()
        return {
            "boot_to_ssh": round(boot, 2),
            "boot_to_idle": round(idle, 2),
            "save": round(time.monotonic() - start, 2),
            "rss_mb": round(rss, 1),
        }


def _let_nobody_in(machine: Machine) -> None:
    """Take the key of this boot away again, and prove it: who starts the snapshot gives it one.

    The agent is used for something before, so that it is in memory and answers quickly then.
    """
    user = machine.guest.data["ssh_user"]
    with machine.agent() as agent:
        agent.let_in(user, [machine.public_key])
        machine.ssh(": > ~/.ssh/authorized_keys; sync")
        left = agent.command("guest-ssh-get-authorized-keys", username=user)["keys"]
    if any(left) or machine.gets_in():
        raise MachineError("The guest lets somebody in who should not.", detail="\n".join(left))


def save_state(qmp: Qmp, state: Path, check: Callable[[], None] = lambda: None) -> None:
    """Write memory and devices of a running machine to `state`; it stands still afterwards.

    qmp: its monitor. check: called while waiting; may raise. Raises MachineError.
    """
    # Not limited to a network's speed: the fewer rounds over changed memory, the better.
    qmp.command("migrate-set-parameters", max_bandwidth=10**11)
    qmp.command("migrate", uri=f"exec:cat > {shlex.quote(str(state))}")
    patience = Patience()
    while True:
        check()
        now = qmp.command("query-migrate")
        status = now.get("status")
        if status == "completed":
            return
        patience.saw((status, now.get("ram", {}).get("transferred")))
        if status in ("failed", "cancelled") or patience.over:
            raise MachineError("QEMU could not save the guest's state.", detail=str(status))
        time.sleep(0.05)

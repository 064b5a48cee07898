"""The `vagrant` command: found, called with the right environment, its faults put into words."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from os import environ
from pathlib import Path

from course_magics import engine, patience, process, storage
from course_magics.errors import Interrupted, MachineError
from course_magics.machines import readable
from course_magics.machines.text import Lines
from course_magics.shell import joined
from course_magics.streams import Sink, Stream

_INSTALL = {
    "linux": "sudo apt-get install vagrant    (or https://developer.hashicorp.com/vagrant/install)",
    "darwin": "brew install --cask hashicorp-vagrant",
    "win32": "winget install Hashicorp.Vagrant",
}
#: What an interrupted word leaves, and what to do about it.
_HALF_MADE = ("up", "reload", "resume", "snapshot restore", "snapshot pop")
#: Signs in vagrant's words, and what to do.
#: The error of a vagrant that another one keeps from looking at a machine, for a moment.
_LOCKED = "Vagrant::Errors::MachineLocked"
_HINTS = (
    ("A Vagrant environment or target machine is required", "%%vagrantfile writes a Vagrantfile"),
    ("is required to run", "%vagrant up starts it"),
    ("not yet ready for SSH", "%vagrant up starts it"),
    ("specific VM name", "%vagrant status lists the machines: name one"),
    ("accessed in the remote catalog", "%vagrant box list lists the boxes that are here"),
    ("An action 'read' was attempted", "another vagrant works on this machine: wait for it"),
)


def find() -> str:
    """Full path of `vagrant`. Raises MachineError that says how to install it."""
    found = shutil.which("vagrant")
    if found is None:
        raise MachineError(
            "vagrant is not installed",
            hint=_INSTALL.get(sys.platform, "https://developer.hashicorp.com/vagrant/install"),
        )
    return found


def environment() -> dict[str, str]:
    """What vagrant needs in its environment: no phoning home, no colours, our provider."""
    from course_magics import settings
    from course_magics.guest import acceleration
    from course_magics.machines import provider

    quiet = {"VAGRANT_CHECKPOINT_DISABLE": "1", "VAGRANT_NO_COLOR": "1"}
    waits = {"COURSE_PATIENCE": str(settings.current().patience)}
    # The provider itself never tries: where KVM is half there, a machine would hang.
    kvm = {"COURSE_KVM": "1"} if acceleration.known_to_work() else {}
    return {
        **provider.environment(),
        **quiet,
        **waits,
        **kvm,
        **chosen_provider(),
        **engine_in_use(),
    }


def engine_in_use() -> dict[str, str]:
    """By which Vagrant's docker provider makes containers where the other cells make theirs.

    Empty where no engine has been used yet: none is started for the sake of a machine.
    """
    known = engine.in_use()
    return {**dict.fromkeys(engine.OTHERS, ""), **known.environment} if known else {}


def chosen_provider() -> dict[str, str]:
    """The variable by which the setting `provider` reaches vagrant."""
    from course_magics import settings

    wanted = settings.current().provider
    return {"VAGRANT_DEFAULT_PROVIDER": wanted} if wanted else {}


def terminal_line(folder: Path, words: Sequence[str]) -> str:
    """The same in a terminal."""
    line = joined(["vagrant", *words])
    near = relative(folder)
    return line if near == "." else f"cd {shlex.quote(near)} && {line}"


def relative(folder: Path) -> str:
    """`folder` as seen from here, so that a notebook reads the same in every checkout."""
    try:
        return str(folder.resolve().relative_to(Path.cwd().resolve()))
    except ValueError:
        return str(folder)


def run(
    folder: Path, words: Sequence[str], *, out: Sink, err: Sink, grace: float = process.GRACE
) -> int:
    """Run `vagrant WORDS` in `folder` to its end; returns its exit status. See `process.run`.

    Every call of vagrant goes through here or `detached`. Raises MachineError where it would run a
    stranger's Vagrantfile.
    """
    env = {**environment(), **_here(folder)}
    command = [find(), *words]
    return process.run(command, folder=_own(folder), env=env, out=out, err=err, grace=grace)


def capture(folder: Path, words: Sequence[str]) -> tuple[int, str, str]:
    """The same for its text: exit status, output, errors."""
    out, err = process.Kept(), process.Kept()
    status = run(folder, words, out=out, err=err)
    return status, out.text, err.text


def detached(folder: Path, words: Sequence[str], after: str) -> None:
    """Run it in a process that outlives this one, and `after`, a shell's line (not on Windows).

    Raises MachineError as `run`.
    """
    command = [find(), *words]
    if sys.platform != "win32":
        command = ["sh", "-c", f"{shlex.join(command)}; {after}"]
    nothing = subprocess.DEVNULL
    subprocess.Popen(
        command, cwd=_own(folder), env={**environ, **environment(), **_here(folder)},
        start_new_session=True, stdin=nothing, stdout=nothing, stderr=nothing,
    )  # fmt: skip


def ask(folder: Path, words: Sequence[str], line: str = "") -> list[readable.Event]:
    """Run vagrant for its data (`--machine-readable`). Raises MachineError in vagrant's words.

    While another vagrant has a machine locked, it is asked again.
    """
    line = line or terminal_line(folder, words)
    status, out, err = 0, "", ""

    def answered() -> bool:
        nonlocal status, out, err
        status, out, err = capture(folder, [*words, "--machine-readable"])
        return not (status and readable.fault(out) == _LOCKED)

    try:
        patience.until(answered, pause=0.5)
    except KeyboardInterrupt:
        raise Interrupted("interrupted: vagrant was stopped", command=line) from None
    if status:
        raise failed(line, status, readable.error(out) or err or out)
    return list(readable.read(out))


def stream(folder: Path, words: Sequence[str], out: Stream | None = None, line: str = "") -> str:
    """Run vagrant for what it does, its text shown in `out` as it comes; returns that text.

    Raises MachineError when it fails; Interrupted after ■, when vagrant has been stopped.
    """
    line = line or terminal_line(folder, words)
    out = out or Stream()
    shown, faults = Lines(out), process.Kept()
    try:
        status = run(folder, words, out=shown, err=faults)
        if not status:
            shown.write(bytes(faults.data))  # not what it failed of: only a warning
    except KeyboardInterrupt:
        raise _stopped(words, line) from None
    finally:
        shown.close()
        out.close()
    if status:
        raise failed(line, status, faults.text)
    return out.text


def failed(line: str, status: int, words: str) -> MachineError:
    """Vagrant's refusal as an error: its own words, and what they usually call for."""
    words = words.strip()
    hint = next((hint for sign, hint in _HINTS if sign in words), None)
    return MachineError(
        "vagrant could not do that", command=line, status=status, detail=words, hint=hint
    )


def _stopped(words: Sequence[str], line: str) -> Interrupted:
    word = " ".join(w for w in words[:2] if not w.startswith("-"))
    half = any(word.startswith(w) for w in _HALF_MADE)
    return Interrupted(
        f"interrupted: vagrant {words[0]} was stopped"
        + ("; the machine may be half made" if half else ""),
        command=line,
        hint="%vagrant up goes on with it, %vagrant destroy removes it" if half else None,
    )


def make(folder: Path) -> None:
    """Make `folder` where it is missing. Raises MachineError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MachineError(
            f"the folder {relative(folder)} cannot be made", detail=str(error)
        ) from None


def _known(folder: Path) -> Path:
    """`folder`, or MachineError where it is missing."""
    if not folder.is_dir():
        raise MachineError(
            f"no such folder: {relative(folder)}",
            hint=f"%%vagrantfile --dir {relative(folder)} makes it, with a Vagrantfile in it",
        )
    return folder


def _here(folder: Path) -> dict[str, str]:
    """What makes vagrant work in `folder`, also where the reader's VAGRANT_CWD names another one.

    A `destroy` of ours must never be one of the reader's own machine.
    """
    return {"VAGRANT_CWD": str(folder.resolve())} if "VAGRANT_CWD" in environ else {}


def _own(folder: Path) -> Path:
    """`_known`, where vagrant runs no stranger's Ruby: it looks for a Vagrantfile upwards, too.

    One in `folder` itself is what the reader has named.
    """
    here = _known(folder).resolve()
    named = environ.get("VAGRANT_VAGRANTFILE")
    for place in (here, *here.parents):
        for name in [named] if named else ["Vagrantfile", "vagrantfile"]:
            if not (place / name).is_file():
                continue
            for path in (place, place / name) if place != here else ():
                if fault := storage.distrust(path):
                    raise MachineError(
                        f"the Vagrantfile in {place} is not used: {path} {fault}",
                        hint="%%vagrantfile writes one here; if you trust that one: "
                        + joined(["--dir", str(place)]),
                    )
            return folder
    return folder

"""Machines with a Docker engine of their own, each with a docker context: what Docker Machine did.

A host is a Vagrant project in the user's state folder. Its Vagrantfile makes every `vagrant up`
write down how ssh reaches the machine, whoever typed it, and one `Include` in ~/.ssh/config shows
that to ssh. So the context is a plain ssh://NAME: `docker --context NAME` in a terminal works too.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import socket
import subprocess
import threading
from pathlib import Path

from course_magics import runs
from course_magics.alone import alone
from course_magics.display import Table
from course_magics.engine import contexts
from course_magics.errors import CourseError, EngineError, MachineError, OptionError, closest
from course_magics.machines import machine as machines
from course_magics.machines import program, quoted, ssh
from course_magics.machines.vagrantfile import write
from course_magics.runtime import state_dir
from course_magics.storage import private_folder, write_atomic
from course_magics.streams import Stream

_BEGIN, _END = "# >>> course_magics: hosts >>>", "# <<< course_magics: hosts <<<"
_SSH = "ssh_config"
_INCLUDE = rf'Include "[^\n]+/hosts/\*/{_SSH}" "[^\n]+/swarms/\*/\*\.{_SSH}"\r?\n'
#: Just what we write: were one of the two lines lost, the reader's own would stand between them.
_BLOCK = re.compile(
    rf"^{re.escape(_BEGIN)}\r?\n((?:{_INCLUDE})+){re.escape(_END)}\r?\n?", re.MULTILINE
)
#: How long a name server may take to say that it knows a name (seconds): there may be none.
_NAME_SERVER = 3.0
#: Writes how ssh reaches a machine, for `Include`. folder, file: where, as Ruby.
_TRIGGER = """\
  config.trigger.after [:up, :reload, :resume] do |trigger|
    trigger.ruby do |_env, machine|
      if (way = machine.ssh_info)
        keys = Array(way[:private_key_path]).map do |key|
          key = key.to_s.gsub(/["\\\\]/) {{ |sign| "\\\\#{{sign}}" }}.gsub("%", "%%")
          "  IdentityFile \\"#{{key}}\\"\\n"
        end.join
        known = {known}
        file = File.join({folder}, {file})
        File.write("#{{file}}.new", <<~TEXT, perm: 0o600)
          Host #{{machine.name}}
            HostName #{{way[:host]}}
            Port #{{way[:port]}}
            User #{{way[:username]}}
          #{{keys}}  IdentitiesOnly yes
            HostKeyAlias #{{machine.name}}
            UserKnownHostsFile #{{known}}
            StrictHostKeyChecking accept-new
            LogLevel ERROR
        TEXT
        File.rename("#{{file}}.new", file) # ssh never reads half of it
      end
    end
  end
"""
_VAGRANTFILE = """\
# Made by `course-magics host create`; `course-magics host rm` removes all of it.
Vagrant.configure("2") do |config|
  config.vm.box = "course/debian12"
  config.vm.define {name}
  config.vm.synced_folder ".", "/vagrant", disabled: true
{sizes}{trigger}end
"""


def folder_of_all() -> Path:
    """Where the hosts' projects are."""
    return state_dir() / "hosts"


def trigger(folder: Path, file: str) -> str:
    """What a Vagrantfile needs to write down how ssh reaches a machine, for `Include`.

    folder: where. file: its name there, as an expression of Ruby's, in which `machine` may stand.
    Raises MachineError where ssh cannot be told of a file in that folder.
    """
    known = quoted.ruby(quoted.ssh(folder / "known_hosts"))
    return _TRIGGER.format(folder=quoted.ruby(folder), file=file, known=known)


def names() -> list[str]:
    """The hosts that there are."""
    return sorted(file.parent.name for file in folder_of_all().glob("*/Vagrantfile"))


def create(
    name: str,
    out: Stream,
    *,
    memory: int | None = None,
    cpus: int | None = None,
    provider: str | None = None,
) -> None:
    """Make the machine `name`, start it with its engine, and make a docker context for it.

    memory: MiB. provider: Vagrant's name for it. out: gets vagrant's text as it comes.
    Raises OptionError, EngineError (a context or ssh host of that name), MachineError; Interrupted
    after ■. Nothing is left then.
    """
    contexts.check_name(name)
    folder = folder_of_all() / name
    # An empty one is left by a process that was killed at that moment.
    if folder.exists() and any(folder.iterdir()):
        raise OptionError(
            f"there is a host {name} already", hint=f"course-magics host start {name}"
        )
    free_for_ssh(name)
    sizes = "".join(
        f"    machine.{what} = {number}\n"
        for what, number in (("memory", memory), ("cpus", cpus))
        if number
    )
    kind = provider or "qemu"
    if sizes:
        sizes = f"  config.vm.provider {quoted.ruby(kind)} do |machine|\n{sizes}  end\n"
    text = _VAGRANTFILE.format(
        name=quoted.ruby(name), sizes=sizes, trigger=trigger(folder, quoted.ruby(_SSH))
    )
    try:
        private_folder(folder)
        write(folder, text)
        runs.note(runs.HOST, name)
        show_to_ssh()
        words = ["up", *(["--provider", provider] if provider else [])]
        machines.change(folder, words, names=[name], out=out)
        engine_runs(folder, name)
        made = contexts.meta(name, f"ssh://{name}", "machine of course-magics host")
        made["Metadata"][contexts.HOST] = name
        contexts.save(made, {})
    except BaseException:
        _remove(name)
        raise


def start(name: str, out: Stream) -> None:
    """Start a host and its engine. Raises MachineError."""
    folder = _known(name)
    machines.change(folder, ["up"], names=[name], out=out)
    engine_runs(folder, name)


def stop(name: str, out: Stream) -> None:
    """Shut a host down; its disk stays."""
    machines.change(_known(name), ["halt"], names=[name], out=out)


def remove(name: str) -> None:
    """Remove the machine, its disk and its context. Raises MachineError."""
    folder = _known(name)
    machines.change(folder, ["destroy", "-f"], names=[name])
    _remove(name)


def environment(name: str) -> dict[str, str]:
    """The variables that make docker use the host."""
    _known(name)
    return {"DOCKER_HOST": f"ssh://{name}"}


def ls(line: str = "course-magics host ls") -> Table:
    """The hosts: name, state, where docker reaches them, which one is in use."""
    current = contexts.current_name()
    rows = []
    for name in names():
        found = machines.status(folder_of_all() / name, [name])[0]
        rows.append(
            {
                "name": name,
                "state": found.state,
                "provider": found.provider,
                "endpoint": f"ssh://{name}",
                "active": name == current,
                "shown": "*" if name == current else "",
            }
        )
    columns = {"NAME": "name", "ACTIVE": "shown", "STATE": "state", "ENDPOINT": "endpoint"}
    return Table(columns, rows, command=line, empty="(no hosts)")


def _known(name: str) -> Path:
    if name in names():
        return folder_of_all() / name
    near = closest(name, names())
    hint = f"did you mean {near}?" if near else "course-magics host ls lists them"
    raise MachineError(f"no such host: {name}", hint=hint)


def engine_runs(folder: Path, name: str) -> None:
    """See to it that dockerd runs: the first question starts it. Raises MachineError.

    folder: the Vagrant project of the machine `name`.
    """
    try:
        ssh.run(folder, name, "docker version -f '{{.Server.Version}}'")
    except MachineError as error:
        detail = error.result
        raise MachineError(
            f"the engine of {name} does not start", detail=detail.stderr if detail else str(error)
        ) from None


def _remove(name: str) -> None:
    """Remove whatever there is of a host."""
    folder = folder_of_all() / name
    if (folder / ".vagrant").exists():
        with contextlib.suppress(CourseError):
            program.capture(folder, ["destroy", "-f"])
    with contextlib.suppress(CourseError):
        ssh.drop(folder)
    shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(EngineError):
        if name in contexts.names() and contexts.load(name).is_host:
            contexts.remove(name, force=True)
    hide_from_ssh()
    runs.forget(runs.HOST, name)


def free_for_ssh(name: str) -> None:
    """Raises OptionError for a name under which the reader reaches another computer.

    The machine would take its place, in ssh, git and all else that asks ~/.ssh/config.
    """
    if "." in name:
        raise OptionError(
            f"{name!r} may be a computer's name on the internet: a host's has no dot",
            hint=f"choose another name, for instance {name.replace('.', '-')}",
        )
    nobody = f"n{secrets.token_hex(8)}"
    known, usual = _ssh_says(name), _ssh_says(nobody)
    # What holds the name itself differs for each: %h in an option, %C in a ControlPath.
    same = [key for key, values in usual.items() if not any(nobody in v for v in values)]
    where = next(iter(known.get("hostname", [])), name)
    if where.lower() != name.lower() or any(known.get(key) != usual[key] for key in same):
        raise OptionError(
            f"ssh knows a computer called {name} already: {where}",
            hint="choose another name, or look at ~/.ssh/config",
        )
    if (address := _resolved(name)) and not _resolved(nobody):
        raise OptionError(
            f"there is a computer called {name} already: {address}", hint="choose another name"
        )


def _ssh_says(name: str) -> dict[str, list[str]]:
    """What ssh's configuration has for `name`: option → values."""
    done = subprocess.run(
        ["ssh", "-G", "--", name], stdin=subprocess.DEVNULL, capture_output=True, text=True,
        errors="replace", check=False,
    )  # fmt: skip
    found: dict[str, list[str]] = {}
    for line in done.stdout.splitlines():
        key, _, value = line.partition(" ")
        if key != "controlpath":
            found.setdefault(key, []).append(value)
    return found


def _resolved(name: str) -> str:
    """The address that this computer knows for a name; "" for none, also where nobody answers."""
    found: list[str] = []

    def ask() -> None:
        with contextlib.suppress(OSError, UnicodeError):
            found.extend(str(one[4][0]) for one in socket.getaddrinfo(name, None))

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(_NAME_SERVER)
    return found[0] if found else ""


def hide_from_ssh() -> None:
    """Take the line out of ssh's configuration when no host and no swarm of machines is left."""
    if not any(any(state_dir().glob(f"{kind}/*/Vagrantfile")) for kind in ("hosts", "swarms")):
        show_to_ssh(gone=True)


def ssh_config() -> Path:
    """The reader's own ssh configuration; ssh goes by the password file, not by $HOME."""
    if os.name != "posix":
        return Path.home() / ".ssh" / "config"
    import pwd

    return Path(pwd.getpwuid(os.getuid()).pw_dir) / ".ssh" / "config"


def show_to_ssh(*, gone: bool = False, file: Path | None = None) -> None:
    """Put the line that shows the hosts to ssh before all others, or take it away again.

    Each state folder has a line of its own. Raises MachineError where the file cannot be read or
    changed; then it is as it was.
    """
    file = file or ssh_config()
    places = (("hosts", f"*/{_SSH}"), ("swarms", f"*/*.{_SSH}"))
    words = (quoted.ssh(state_dir() / kind, name, include=True) for kind, name in places)
    ours = f"Include {' '.join(words)}"
    try:
        with alone(file):
            # Bytes that are no UTF-8 stay what they are.
            before = os.fsdecode(file.read_bytes()) if file.exists() else ""
            rest = _BLOCK.sub("", before)
            if _BEGIN in rest or _END in rest:
                raise MachineError(
                    f"{file} holds a part of what course-magics wrote, so it is not changed",
                    hint=f"remove the lines of ours from it: {_BEGIN}, Include, {_END}",
                )
            known = [line for block in _BLOCK.findall(before) for line in block.splitlines()]
            lines = [line for line in dict.fromkeys(known) if line != ours and _leads(line)]
            lines += [] if gone else [ours]
            after = ("\n".join([_BEGIN, *lines, _END]) + "\n" if lines else "") + rest
            if after == before:
                return
            if not after and not file.is_symlink():
                file.unlink()
                return
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_atomic(file, os.fsencode(after))
    except OSError as error:
        raise MachineError(
            f"{file} cannot be read or changed",
            detail=error.strerror,
            hint="the hosts are found by ssh through a line in it",
        ) from None


def _leads(line: str) -> bool:
    """Whether the state folder that an `Include` of ours names is still there."""
    found = re.match(r'Include "((?:[^"\\]|\\.)*)/hosts/', line)
    if found is None:
        return False
    pattern = re.sub(r"\\(.)", r"\1", found[1])
    return Path(re.sub(r"\[([*?[])]|\\(.)", lambda m: m[1] or m[2], pattern)).is_dir()

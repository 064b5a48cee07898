"""Commands in a machine over one kept ssh connection.

`vagrant ssh -c` starts Ruby and logs in anew each time (2 s and more). Here vagrant is asked once
for the way in (`vagrant ssh-config`); OpenSSH keeps a connection open (ControlMaster,
https://man.openbsd.org/ssh_config#ControlMaster) and each command is a channel of it. What vagrant
said is kept in a file whose name says for which start of which machine it holds, so another kernel
finds it too. Where the kept connection is of no use any more, vagrant is asked once more.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from course_magics import process, runtime
from course_magics.display.finished import Finished, ended_badly
from course_magics.errors import Interrupted, MachineError, OptionError
from course_magics.machines import program, project
from course_magics.streams import Stream

#: An unused connection is closed after this long (seconds).
_KEEP = 600
#: Windows' ssh cannot share a connection: there each command makes its own.
_SHARES = sys.platform != "win32"
#: How often ssh asks a machine that says nothing whether it is there (seconds).
_ASK = 5
#: Whose connection breaks: ssh's own status, and that of a script that came only in part.
_BROKEN = 255

#: Runs the script that standard input brings first, and when the connection ends before the script
#: does, ends it and all that it started: sshd itself leaves a command without a terminal running.
#: What is left of standard input, which brings nothing more, is the lifeline. The script is on no
#: command line: `ps` shows those to every user, here and in the machine.
_GUARDED = """\
exec 3<&0 </dev/null
s=$(head -c {size} <&3; echo .)
[ "$(LC_ALL=C; echo ${{#s}})" = {whole} ] || exit 255
printf %s "${{s%.}}" | setsid {command} 4<&0 </dev/null 3<&- & p=$!
{{ cat <&3; kill -TERM -$p; sleep 1; kill -KILL -$p; }} >/dev/null 2>&1 & w=$!
exec 3<&-
wait $p; s=$?
kill $w 2>/dev/null
exit $s"""
#: As vagrant does it (config.ssh.shell). Evaluated, the script has an empty standard input.
_SHELL = ["bash", "-l", "-c", 'eval "exec 4<&-; $(</dev/fd/4)"']


def run(
    folder: Path,
    machine: str | None,
    script: str,
    *,
    sudo: bool = False,
    out: Stream | None = None,
    err: Stream | None = None,
    line: str = "",
) -> Finished:
    """Run `script` with bash in a machine of the project in `folder`, and wait for it.

    machine: None for the project's only or primary one. sudo: as root.
    Raises MachineError: the machine is not running, or the script ended with a status other than 0
    (with `.result`); Interrupted after the command in the machine has been ended.
    """
    folder = folder.resolve()
    out, err = out or Stream(), err or Stream()
    line = line or program.terminal_line(
        folder, ["ssh", *([machine] if machine else []), "-c", script]
    )
    data = _bytes(script)
    remote = _remote(len(data), sudo)
    result = Finished(machine or "", line, out, err)
    try:
        command = _connected(folder, machine or _only(folder), line)
        result.exit_code = process.run([*command, remote], out=out, err=err, lifeline=data)
        broken = result.exit_code == _BROKEN and _SHARES and not _alive(command)
    except KeyboardInterrupt:
        raise Interrupted(
            "interrupted: the command in the machine was ended", command=line
        ) from None
    finally:
        out.close()
        err.close()
    if result.exit_code:
        error = ended_badly(result, "the command in the machine", MachineError)
        if broken:
            error.message = "the connection to the machine broke"
        raise error
    return result


def drop(folder: Path, machines: Sequence[str] = ()) -> None:
    """Close the kept connections of a project (of the machines named): they are about to break."""
    for config in runtime.folder().glob(f"{_project_key(folder.resolve())}-*.conf"):
        name = _host(config)
        if not machines or name in machines:
            _close(config)


def _bytes(script: str) -> bytes:
    if "\0" in script:
        raise OptionError("a script cannot contain the character NUL")
    return script.encode("utf-8", "surrogateescape")


def _remote(size: int, sudo: bool) -> str:
    """What ssh is told to run: the same for every script of `size` bytes."""
    guarded = _GUARDED.format(size=size, whole=size + 1, command=shlex.join(_SHELL))
    words = ["sh", "-c", guarded]
    return shlex.join(["sudo", "-n", *words] if sudo else words)


def _connected(folder: Path, name: str, line: str) -> list[str]:
    """The ssh command that reaches the machine now, short of what to run there."""
    for attempt in ("kept", "fresh"):
        config = _config(folder, name, line, fresh=attempt == "fresh")
        command = _ssh(config)
        if not _SHARES:
            return command
        if attempt == "kept" and _alive(command):
            return command
        words = _connect(command)
        if words is None:
            return command
        _close(config)
    raise MachineError(
        "the machine does not answer over ssh",
        command=line,
        detail=words,
        hint="%vagrant status shows whether it runs, %vagrant reload starts it anew",
    )


def _ssh(config: Path) -> list[str]:
    found = shutil.which("ssh")
    if found is None:
        raise MachineError("ssh is not installed", hint="sudo apt-get install openssh-client")
    shared = ["-S", str(config.with_suffix(""))] if _SHARES else []
    from course_magics import settings

    patience = settings.current().patience
    waits = (
        f"-oConnectTimeout={patience}", f"-oServerAliveInterval={_ASK}",
        f"-oServerAliveCountMax={max(3, patience // _ASK)}",
    )  # fmt: skip
    return [found, "-F", str(config), *shared, "-oBatchMode=yes", *waits, "-T", _host(config)]


def _alive(command: list[str]) -> bool:
    check = [*command[:-2], "-O", "check", command[-1]]
    done = subprocess.run(check, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return done.returncode == 0


def _connect(command: list[str]) -> str | None:
    """Make the connection that is kept; returns ssh's words when it cannot be made."""
    # A file, not a pipe: the connection goes on living and would hold the pipe open.
    with tempfile.TemporaryFile() as words:
        made = subprocess.run(
            [*command[:-2], "-M", "-N", "-f", f"-oControlPersist={_KEEP}", command[-1]],
            stdin=subprocess.DEVNULL,
            stdout=words,
            stderr=words,
            cwd=runtime.folder(),  # it outlives the project's folder
            # Not of the kernel's group: ■ would close it.
            start_new_session=True,
            check=False,
        )
        words.seek(0)
        said = words.read().decode("utf-8", "replace")
        return said or "ssh ended" if made.returncode else None


def _close(config: Path) -> None:
    socket = config.with_suffix("")
    if _SHARES and socket.exists():
        with contextlib.suppress(OSError, subprocess.TimeoutExpired, MachineError):
            command = _ssh(config)
            subprocess.run(
                [*command[:-2], "-O", "exit", command[-1]],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=5,
                check=False,
            )
        socket.unlink(missing_ok=True)
    config.unlink(missing_ok=True)


def _only(folder: Path) -> str:
    """The project's only or primary machine. Raises MachineError where one must be named."""
    names = project.names(folder)
    if names is None:
        names = [machine.name for machine in project.states(folder)]
    if len(names) == 1:
        return names[0]
    primary = project.primary(folder)
    if primary is None:
        raise MachineError(
            f"which machine? This project has {', '.join(names)}",
            hint=f"name one: %vagrant ssh {names[0]} -c 'uname -a'",
        )
    return primary


def _config(folder: Path, name: str, line: str, *, fresh: bool) -> Path:
    """The file with vagrant's ssh configuration for the machine as it was started last."""
    path = runtime.folder() / f"{_project_key(folder)}-{_start_key(folder, name)}.conf"
    if not fresh and path.exists():
        return path
    words = ["ssh-config", name]
    events = program.ask(folder, words, line)
    text = next((event.value for event in events if event.type == "ssh-config"), "")
    if not text:
        raise MachineError("vagrant did not say how to reach the machine", command=line)
    draft = path.with_suffix(f".{os.getpid()}")
    draft.touch(mode=0o600)
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
    return path


def _project_key(folder: Path) -> str:
    return hashlib.sha256(str(folder).encode()).hexdigest()[:8]


def _start_key(folder: Path, name: str) -> str:
    """Other for another machine and after another start: a port or a key may have changed."""
    data = project.data_folder(folder, name)
    marks = [name]
    if data is not None:
        for file in sorted(data.iterdir()):
            # Made anew at each start by one provider or another (ours: pid).
            if file.name in {"id", "pid", "private_key", "action_up"} or file.suffix == ".pid":
                about = file.stat()
                marks.append(f"{file.name}:{about.st_ino}:{about.st_mtime_ns}")
    return hashlib.sha256("\0".join(marks).encode()).hexdigest()[:8]


def _host(config: Path) -> str:
    with contextlib.suppress(OSError):
        for text in config.read_text(encoding="utf-8").splitlines():
            word, _, rest = text.strip().partition(" ")
            if word == "Host":
                return rest
    return ""

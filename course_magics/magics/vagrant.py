"""`%vagrant`: after it, whatever one would type after `vagrant`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from course_magics.errors import OptionError
from course_magics.magics.base import cell_streams
from course_magics.magics.grammar import Call, Flag, Magic, Word
from course_magics.shell import as_typed

_DIR = Flag(
    "--dir", "the project's folder (default: the notebook's)", "text", "DIR", offers="folder"
)
_PROVISION = (
    Flag("--provision", "run the provisioners"),
    Flag("--no-provision", "run no provisioner"),
    Flag("--provision-with", "only these provisioners", "text", "NAME,NAME"),
)
_NAMES = "[MACHINE...]"
_MACHINE = ("machine",)
_SNAPSHOT = ("machine|snapshot", "snapshot")


def folder(call: Call) -> Path:
    """The project that a cell is about."""
    return Path(call.dir).expanduser() if call.dir else Path.cwd()


def _words(call: Call) -> list[str]:
    """The words after `vagrant`: what was typed, without our own flags."""
    words = call.word.name.split()
    for flag in call.word.flags:
        if flag is _DIR or flag.key not in call.given:
            continue
        value = call.flags[flag.key]
        if flag.kind == "switch":
            words += [flag.long] if value else []
        else:
            words += [flag.long, value if isinstance(value, str) else str(value)]
    return [*words, *call.args]


def _line(call: Call, words: list[str]) -> str:
    from course_magics.machines.program import terminal_line

    return terminal_line(folder(call), words)


def _change(call: Call) -> Any:
    from course_magics.machines.machine import change

    words = _words(call)
    if call.word.name == "destroy" and not call.force:
        words.insert(1, "-f")  # vagrant would ask, and a cell cannot answer
    names = call.args
    if call.word.name.startswith("snapshot "):
        # `snapshot save [MACHINE] NAME`: the last one is the snapshot's.
        names = names if call.word.name.split()[1] in ("push", "pop") else names[:-1]
    out, _ = cell_streams()
    return change(folder(call), words, names=names, out=out, line=_line(call, words))


def _status(call: Call) -> Any:
    from course_magics.machines.machine import status

    return status(folder(call), call.args, _line(call, _words(call)))


def _ssh(call: Call) -> Any:
    from course_magics.machines import ensure, ssh

    if call.cell is None and call.command is None:
        raise OptionError(
            f"{call.sign}: -c COMMAND is missing: nobody can type into a cell that runs",
            hint="%vagrant ssh -c 'uname -a', or %%vagrant ssh with a script below it",
        )
    if call.cell is not None and call.command is not None:
        raise OptionError(f"{call.sign}: -c and a cell body exclude each other")
    ensure.provider_known()
    machine = call.args[0] if call.args else None
    named = [machine] if machine else []
    script = call.command if call.cell is None else call.cell
    if call.cell is None:
        as_root = ["sudo", "bash", "-l", "-c", as_typed(script)]
        command = shlex.join(as_root) if call.sudo else script
        line = _line(call, ["ssh", *named, "-c", command])
    else:
        shell = "sudo bash -s" if call.sudo else "bash -s"
        line = _line(call, ["ssh", *named, "--no-tty", "-c", shell]) + " < CELL"
    out, err = cell_streams()
    return ssh.run(folder(call), machine, script, sudo=call.sudo, out=out, err=err, line=line)


def _snapshots(call: Call) -> Any:
    from course_magics.machines.lists import snapshots

    return snapshots(folder(call), call.args, _line(call, _words(call)))


def _boxes(call: Call) -> Any:
    from course_magics.machines.lists import boxes

    return boxes(_line(call, _words(call)))


def _ports(call: Call) -> Any:
    from course_magics.machines.lists import ports

    words = _words(call)
    return ports(folder(call), words[1:], _line(call, words))


def _ssh_config(call: Call) -> Any:
    from course_magics.machines.lists import ssh_config

    words = _words(call)
    return ssh_config(folder(call), words[1:], _line(call, words))


def _everywhere(call: Call) -> Any:
    from course_magics.machines.lists import everywhere

    words = _words(call)
    return everywhere(words[1:], _line(call, words))


def _validate(call: Call) -> Any:
    from course_magics.machines.vagrantfile import validate

    words = _words(call)
    return validate(folder(call), words[1:], _line(call, words))


def _do(call: Call) -> Any:
    """A word that shows what vagrant says, and gives nothing else."""
    from course_magics.machines import ensure, lists, program

    words = _words(call)
    line = _line(call, words)
    ensure.provider_known()
    if call.word.name == "init":
        program.make(folder(call))
    out, _ = cell_streams()
    program.stream(folder(call), words, out, line)
    return lists.Text("", line)


def _version(call: Call) -> Any:
    from course_magics import process
    from course_magics.machines import lists, program

    _, out, _ = process.capture([program.find(), "--version"])
    return lists.Text(out, "vagrant --version")


def _word(name: str, summary: str, usage: str = "", *flags: Flag, **more: Any) -> Word:
    return Word(name, summary, usage, (*flags, _DIR), **more)


_FORCE_STOP = Flag("-f --force", "pull the plug")

WORDS = (
    _word(
        "init",
        "write a Vagrantfile for a box",
        "[BOX] [URL]",
        Flag("-m --minimal", "without the comments"),
        Flag("-f --force", "replace the Vagrantfile that is there"),
        Flag("--box-version", "version of the box", "text", "VERSION"),
        Flag("--output", "write it to this file", "text", "FILE"),
        Flag("--template", "made from this template", "text", "FILE"),
        offers=("box",),
        examples=("%vagrant init -m course/debian12 --dir web",),
        handler=_do,
    ),
    _word(
        "up",
        "make and start machines",
        _NAMES,
        *_PROVISION,
        Flag("--provider", "the provider to make them with", "text", "NAME"),
        Flag("--destroy-on-error", "remove a machine that fails to start"),
        Flag("--no-destroy-on-error", "keep a machine that fails to start"),
        Flag("--parallel", "start several at once"),
        Flag("--no-parallel", "start one after the other"),
        Flag("--install-provider", "install the provider where it is missing"),
        Flag("--no-install-provider", "install no provider"),
        offers=_MACHINE,
        examples=("%vagrant up", "%vagrant up web --dir shop"),
        handler=_change,
    ),
    _word(
        "status",
        "the machines and their states",
        _NAMES,
        offers=_MACHINE,
        examples=("machines = %vagrant status",),
        handler=_status,
    ),
    _word(
        "ssh",
        "run a command in a machine",
        "[MACHINE]",
        Flag("-c --command", "the command", "text", "COMMAND"),
        Flag("--sudo", "run it as root"),
        cell="a script for bash in the machine",
        offers=_MACHINE,
        examples=("%vagrant ssh -c 'uname -a'", "%%vagrant ssh web --sudo"),
        handler=_ssh,
    ),
    _word(
        "provision",
        "run the provisioners of running machines again",
        _NAMES,
        Flag("--provision-with", "only these provisioners", "text", "NAME,NAME"),
        offers=_MACHINE,
        handler=_change,
    ),
    _word(
        "reload",
        "restart machines with the Vagrantfile as it is now",
        _NAMES,
        *_PROVISION,
        _FORCE_STOP,
        offers=_MACHINE,
        handler=_change,
    ),
    _word("halt", "shut machines down", _NAMES, _FORCE_STOP, offers=_MACHINE, handler=_change),
    _word(
        "suspend",
        "save machines' memory and stop them",
        _NAMES,
        Flag("-a --all-global", "the machines of all projects"),
        offers=_MACHINE,
        handler=_change,
    ),
    _word(
        "resume",
        "go on with suspended machines",
        _NAMES,
        *_PROVISION,
        offers=_MACHINE,
        handler=_change,
    ),
    _word(
        "destroy",
        "remove machines and their disks, without a question: a cell cannot answer one",
        _NAMES,
        Flag("-f --force", "without a question (always so in a cell)"),
        Flag("-g --graceful", "shut them down first"),
        Flag("--parallel", "several at once"),
        Flag("--no-parallel", "one after the other"),
        offers=_MACHINE,
        handler=_change,
    ),
    _word(
        "snapshot save",
        "keep a machine's state under a name",
        "[MACHINE] NAME",
        Flag("-f --force", "replace a snapshot of that name"),
        offers=_SNAPSHOT,
        examples=("%vagrant snapshot save clean",),
        handler=_change,
    ),
    _word(
        "snapshot restore",
        "go back to a snapshot",
        "[MACHINE] NAME",
        *_PROVISION,
        Flag("--no-start", "leave the machine off"),
        offers=_SNAPSHOT,
        handler=_change,
    ),
    _word("snapshot list", "the snapshots", _NAMES, offers=_MACHINE, handler=_snapshots),
    _word(
        "snapshot delete", "remove a snapshot", "[MACHINE] NAME", offers=_SNAPSHOT, handler=_change
    ),
    _word("snapshot push", "keep the state on a stack", _NAMES, handler=_change),
    _word(
        "snapshot pop",
        "go back to the state kept last",
        _NAMES,
        *_PROVISION,
        Flag("--no-delete", "keep it on the stack"),
        Flag("--no-start", "leave the machine off"),
        handler=_change,
    ),
    _word("box list", "the boxes that machines can be made from", handler=_boxes),
    _word(
        "box add",
        "add a box",
        "NAME|URL|FILE",
        Flag("--name", "name of the box (for a file)", "text", "BOX"),
        Flag("--provider", "the provider it is for", "text", "NAME"),
        Flag("--box-version", "version of the box", "text", "VERSION"),
        Flag("-c --clean", "start a broken download anew"),
        Flag("-f --force", "replace one of that name"),
        Flag("--checksum", "its checksum", "text", "HEX"),
        Flag("--checksum-type", "md5, sha1 or sha256", "text", "TYPE"),
        Flag("--insecure", "trust any server"),
        handler=_do,
    ),
    _word(
        "box remove",
        "remove a box",
        "BOX",
        Flag("-f --force", "even if a machine was made from it"),
        Flag("--provider", "only the one for this provider", "text", "NAME"),
        Flag("--box-version", "only this version", "text", "VERSION"),
        Flag("--all", "all its versions"),
        offers=("box",),
        handler=_do,
    ),
    _word(
        "ssh-config",
        "how ssh reaches the machines",
        _NAMES,
        Flag("--host", "the name to use in it", "text", "NAME"),
        offers=_MACHINE,
        handler=_ssh_config,
    ),
    _word(
        "port",
        "the ports of this computer that lead into a machine",
        "[MACHINE]",
        Flag("--guest", "only the one for this port of the machine", "integer", "PORT"),
        offers=_MACHINE,
        handler=_ports,
    ),
    _word(
        "validate",
        "check the Vagrantfile",
        "",
        Flag("-p --ignore-provider", "without the provider's own settings"),
        handler=_validate,
    ),
    _word(
        "global-status",
        "the machines of all projects",
        "",
        Flag("--prune", "forget machines that are gone"),
        handler=_everywhere,
    ),
    _word(
        "package",
        "make a box from a machine (where the provider can)",
        "[MACHINE]",
        Flag("--base", "name of a VirtualBox machine", "text", "NAME"),
        Flag("--output", "the file to write", "text", "FILE"),
        Flag("--include", "files to put in", "text", "FILE,FILE"),
        Flag("--info", "a JSON file about the box", "text", "FILE"),
        Flag("--vagrantfile", "a Vagrantfile to put in", "text", "FILE"),
        offers=_MACHINE,
        handler=_do,
    ),
    Word("version", "vagrant's version", handler=_version),
)

MAGIC = Magic("vagrant", "vagrant", WORDS)

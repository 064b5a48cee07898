"""The words of `%container` that make containers, run programs in them, and end them."""

from __future__ import annotations

from typing import Any

from course_magics.containers import lifecycle
from course_magics.containers.create import quiet
from course_magics.containers.options import RunOptions, environment
from course_magics.errors import OptionError
from course_magics.magics.base import cell_streams
from course_magics.magics.container import flags
from course_magics.magics.grammar import Call, Flag, Word

_ONE = ("container",)


def _body(call: Call) -> bytes | None:
    """The cell as standard input; an empty one for -i, since nobody can type."""
    if call.cell is not None:
        return call.cell.encode()
    return b"" if call.interactive else None


def _run(call: Call) -> Any:
    from course_magics.containers.run import run_detached, run_foreground

    image, *command = call.args
    options = RunOptions.from_flags(call.flags)
    say = quiet if call.quiet else print
    if call.detach:
        if call.cell is not None:
            raise OptionError(
                f"{call.sign}: -d gives the cell nobody to read it", hint="leave out -d"
            )
        if call.attach:
            raise OptionError(f"{call.sign}: -d and -a exclude each other", hint="leave out one")
        return run_detached(image, command, options, line=call.line, say=say)
    if call.cell is not None and not command and options.entrypoint is None:
        command = ["sh"]
    out, err = cell_streams()
    stdin = _body(call)
    return run_foreground(
        image, command, options, out=out, err=err, stdin=stdin, line=call.line, say=say
    )


def _create(call: Call) -> Any:
    from course_magics.containers.run import run_detached

    image, *command = call.args
    options = RunOptions.from_flags(call.flags)
    return run_detached(image, command, options, line=call.line, say=print, start=False)


def _exec(call: Call) -> Any:
    from course_magics.containers.exec import execute

    container, *command = call.args
    if not command:
        if call.cell is None:
            raise OptionError(
                f"{call.sign}: the command is missing",
                hint=f"for instance: {call.sign} {container} sh -c 'ls /'",
            )
        command = ["sh"]
    out, err = cell_streams()
    return execute(
        container,
        command,
        out=out,
        err=err,
        stdin=_body(call),
        tty=call.tty,
        detach=call.detach,
        env=environment(call.env, call.env_file),
        user=call.user or "",
        workdir=call.workdir or "",
        privileged=call.privileged,
        line=call.line,
    )


def _logs(call: Call) -> Any:
    from course_magics.containers.logs import logs

    out, err = cell_streams()
    return logs(
        call.args[0],
        out=out,
        err=err,
        follow=call.follow,
        tail=call.tail,
        since=call.since,
        until=call.until,
        timestamps=call.timestamps,
        details=call.details,
        line=call.line,
    )


def _start(call: Call) -> Any:
    if not (call.attach or call.interactive):
        return lifecycle.start(call.args, call.line)
    from course_magics.containers.run import start_attached

    if len(call.args) > 1:
        raise OptionError(f"{call.sign}: -a and -i take one container")
    out, err = cell_streams()
    return start_attached(call.args[0], out=out, err=err, stdin=_body(call), line=call.line)


def _stop(call: Call) -> Any:
    return lifecycle.stop(call.args, call.line, call.time, call.signal)


def _restart(call: Call) -> Any:
    return lifecycle.restart(call.args, call.line, call.time, call.signal)


def _kill(call: Call) -> Any:
    return lifecycle.kill(call.args, call.line, call.signal)


def _rm(call: Call) -> Any:
    return lifecycle.remove(
        call.args, call.line, force=call.force, volumes=call.volumes, link=call.link
    )


def _wait(call: Call) -> Any:
    return lifecycle.wait(call.args, call.line)


_SIGNAL = Flag("-s --signal", "signal that asks (Docker 23)", "text", "SIGNAL")
_TIME = Flag("-t --timeout --time", "seconds until it is killed", "integer", "SECONDS")

WORDS = (
    Word(
        "run",
        "make a container from an image and run a program in it",
        "IMAGE [COMMAND] [ARG...]",
        flags.RUN,
        interspersed=False,
        cell="the program's standard input (`sh` unless a command is named)",
        offers=("image",),
        examples=(
            "%container run --rm course/busybox echo hello",
            "%container run -d --name web -p 8080:80 course/busybox httpd -f -h /www",
            "%%container run course/python python",
        ),
        aliases=("container run",),
        handler=_run,
    ),
    Word(
        "create",
        "make a container without starting it",
        "IMAGE [COMMAND] [ARG...]",
        flags.CREATE,
        interspersed=False,
        offers=("image",),
        aliases=("container create",),
        handler=_create,
    ),
    Word(
        "exec",
        "run a command in a running container",
        "CONTAINER [COMMAND] [ARG...]",
        flags.EXEC,
        interspersed=False,
        cell="the command's standard input (`sh` unless a command is named)",
        offers=_ONE,
        examples=("%container exec web ls /", "%%container exec web"),
        aliases=("container exec",),
        handler=_exec,
    ),
    Word(
        "logs",
        "what a container has printed",
        "CONTAINER",
        (
            Flag("-f --follow", "go on until it ends or ■ is pressed"),
            Flag("-n --tail", "only the last lines", "text", "LINES", "all"),
            Flag("--since", "only after this time (10m ago, or a date)", "text", "TIME"),
            Flag("--until", "only before this time", "text", "TIME"),
            Flag("-t --timestamps", "with the time of each line"),
            Flag("--details", "with the log driver's extra attributes"),
        ),
        offers=_ONE,
        examples=("%container logs --tail 10 web", "%container logs -f web"),
        aliases=("container logs",),
        handler=_logs,
    ),
    Word(
        "start",
        "start stopped containers",
        "CONTAINER [CONTAINER...]",
        (
            Flag("-a --attach", "show its output and wait for it"),
            Flag("-i --interactive", "with standard input"),
            flags.DETACH_KEYS,
        ),
        offers=_ONE,
        aliases=("container start",),
        handler=_start,
    ),
    Word(
        "stop",
        "ask containers to end, kill them after a grace time",
        "CONTAINER [CONTAINER...]",
        (_TIME, _SIGNAL),
        offers=_ONE,
        aliases=("container stop",),
        handler=_stop,
    ),
    Word(
        "restart",
        "stop and start containers",
        "CONTAINER [CONTAINER...]",
        (_TIME, _SIGNAL),
        offers=_ONE,
        aliases=("container restart",),
        handler=_restart,
    ),
    Word(
        "kill",
        "send a signal to containers (KILL unless named)",
        "CONTAINER [CONTAINER...]",
        (Flag("-s --signal", "the signal", "text", "SIGNAL"),),
        offers=_ONE,
        aliases=("container kill",),
        handler=_kill,
    ),
    Word(
        "rm",
        "remove containers",
        "CONTAINER [CONTAINER...]",
        (
            Flag("-f --force", "also when it runs"),
            Flag("-v --volumes", "with its anonymous volumes"),
            Flag("-l --link", "only this link (/web/db) between two containers"),
        ),
        offers=_ONE,
        aliases=("container rm", "container remove"),
        handler=_rm,
    ),
    Word(
        "wait",
        "wait until containers have ended, and show their status",
        "CONTAINER [CONTAINER...]",
        offers=_ONE,
        aliases=("container wait",),
        handler=_wait,
    ),
)

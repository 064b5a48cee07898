"""The words of `%compose` that make, change, start, stop and remove."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from course_magics.containers.compose import up
from course_magics.containers.compose.progress import Changes
from course_magics.containers.compose.project import Project
from course_magics.errors import EngineError, Interrupted, OptionError
from course_magics.magics.base import cell_streams
from course_magics.magics.compose.project import (
    colour,
    is_live,
    once,
    project,
    unseen_values,
    words,
)
from course_magics.magics.grammar import Call, Flag, Word
from course_magics.widgets.compose import live

_SERVICE = ("service",)
_SERVICES = "[SERVICE...]"


@contextlib.contextmanager
def _kept(call: Call) -> Iterator[Project]:
    """The project, its cell kept for the words that come; not one that compose cannot read."""
    wanted = project(call)
    with wanted.kept():
        yield wanted


def _up(call: Call) -> Any:
    default = not call.word.name
    background = call.detach or call.wait or call.no_start or default
    extra = ["-d"] if default and not (call.detach or call.wait or call.no_start) else []
    typed = words(call, *extra, name="up")
    if call.watch:
        raise OptionError(f"{call.sign}: --watch keeps the cell busy", hint="%compose watch does")
    with _kept(call) as wanted:
        line = wanted.line(typed)
        before = wanted.with_options(once(call))
        if background or call.before["dry_run"]:
            with live(is_live(call)) as watch:
                return up.up(
                    before, typed, line,
                    wait=default and not (call.no_start or call.before["dry_run"]),
                    seconds=call.wait_timeout, watch=watch,
                )  # fmt: skip
        out, _ = cell_streams()
        prefix = not call.no_log_prefix
        return up.attached(before, typed, line, out=out, colour=colour(call), prefix=prefix)


def _change(call: Call) -> Any:
    """A word that says what it has done."""
    name = call.word.name
    typed = words(call, *(["-f"] if name == "rm" and not call.force else []))
    with _kept(call) as wanted:
        line = wanted.line(typed)
        try:
            with live(is_live(call)) as watch:
                progress = up.change(wanted.with_options(once(call)), typed, line, watch=watch)
        except KeyboardInterrupt:
            raise Interrupted(
                f"interrupted: compose {name} was stopped before its end",
                command=line,
                hint=f"%compose {name} goes on with it, %compose ps -a shows how far it is",
            ) from None
        if name in ("start", "restart", "scale", "unpause"):
            up.publish(wanted)
        nothing = "; ".join(progress.rest) if name in ("kill", "rm") else ""
        return Changes(progress, line, nothing.lower() or "nothing to do")


def _build(call: Call) -> Any:
    typed = words(call)
    with _kept(call) as wanted:
        line = wanted.line(typed)
        wanted, typed = unseen_values(call, wanted, typed, "build_arg")
        try:
            with live(is_live(call)) as watch:
                progress = up.change(wanted, typed, line, watch=watch)
        except KeyboardInterrupt:
            raise Interrupted("interrupted: the build was stopped", command=line) from None
        progress.steps.clear()
        for name, image in up.built(wanted, call.args):
            progress.steps["image", image] = f"built for {name}"
        return Changes(progress, line, "no service has build:")


def _run(call: Call) -> Any:
    out, err = cell_streams()
    typed = words(call, "-T") if not call.no_TTY else words(call)
    with _kept(call) as wanted:
        line = wanted.line(words(call))
        wanted, typed = unseen_values(call, wanted, typed, "env")
        return up.run(wanted, typed, line, out=out, err=err, detach=call.detach)


def _exec(call: Call) -> Any:
    from course_magics.containers.compose.stack import container_of
    from course_magics.containers.exec import execute

    service, *command = call.args
    if not command and call.cell is None:
        raise OptionError(
            f"{call.sign}: the command is missing",
            hint=f"for instance: {call.sign} {service} sh -c 'ls /'",
        )
    wanted = project(call, takes_file=False)
    line = wanted.line(words(call)) + (" < CELL" if call.cell is not None else "")
    container = container_of(wanted, service, call.index, line)
    out, err = cell_streams()
    return execute(
        container["Names"][0].lstrip("/"),
        command or ["sh"],
        out=out,
        err=err,
        stdin=call.cell.encode() if call.cell is not None else None,
        detach=call.detach,
        env=call.env,
        user=call.user or "",
        workdir=call.workdir or "",
        privileged=call.privileged,
        line=line,
    )


def _watch(call: Call) -> Any:
    from course_magics.containers.compose.words import follow

    out, _ = cell_streams()
    with _kept(call) as wanted:
        typed = words(call)
        after = "stopped watching; the services go on"
        return follow(wanted, typed, wanted.line(typed), out=out, after=after)


def _attach(call: Call) -> Any:
    raise EngineError(
        f"{call.sign}: nobody can type into a cell that runs",
        hint=f"%compose logs -f {call.args[0]} shows its output, %compose exec runs commands",
    )


_DRY = Flag("--dry-run", "show what would be done, do nothing")
_PULL = Flag(
    "--pull", "when images are fetched", "text", "WHEN", values=("always", "missing", "never")
)
_SCALE = Flag("--scale", "so many containers of a service", "list", "SERVICE=NUMBER")
_TIMEOUT = Flag("-t --timeout", "seconds until a container is killed", "integer", "SECONDS")
_ORPHANS = Flag("--remove-orphans", "also containers of services that the file no longer has")
_QUIET_PULL = Flag("--quiet-pull", "fetch images without a word")
_RECREATE = (
    Flag("--force-recreate", "make all containers anew"),
    Flag("--no-recreate", "keep containers as they are, also where the file has changed"),
)
_UP = (
    Flag("-d --detach", "return at once; the services go on"),
    Flag("--wait", "wait until they run and are healthy; compose's own way"),
    Flag("--wait-timeout", "wait so long at most", "integer", "SECONDS"),
    Flag("--build", "build the images first"),
    Flag("--no-build", "build nothing"),
    _PULL,
    _QUIET_PULL,
    _SCALE,
    *_RECREATE,
    Flag("--always-recreate-deps", "also those that others depend on"),
    Flag("--no-deps", "without the services that these depend on"),
    Flag("--no-start", "make the containers, start none"),
    _ORPHANS,
    Flag("-V --renew-anon-volumes", "with new anonymous volumes"),
    _TIMEOUT,
    Flag("--abort-on-container-exit", "stop all when one ends"),
    Flag("--exit-code-from", "end with this service's status", "text", "SERVICE"),
    Flag("--attach", "show only these services' output", "list", "SERVICE"),
    Flag("--no-attach", "do not show these services' output", "list", "SERVICE"),
    Flag("--attach-dependencies", "also the output of services that they depend on"),
    Flag("--no-log-prefix", "without the services' names before their lines"),
    Flag("--no-color", "without colours"),
    Flag("--timestamps", "with the time of each line"),
    Flag("-w --watch", "(in a cell: %compose watch)"),
    _DRY,
)
_FILE = "the compose file"
_EXAMPLE = (
    "%%compose",
    "services:",
    "  web:",
    "    image: course/busybox",
    "    command: sleep 99",
)


def _word(name: str, summary: str, *flags: Flag, **more: Any) -> Word:
    given = {"offers": _SERVICE, "usage": _SERVICES, "handler": _change, **more}
    return Word(name, summary, flags=(*flags, _DRY), **given)


WORDS = (
    Word(
        "",
        "start the services of the file, in the background, and wait until they are well",
        _SERVICES,
        _UP,
        cell=_FILE,
        offers=_SERVICE,
        examples=_EXAMPLE,
        handler=_up,
    ),
    Word(
        "up",
        "start the services and show their output until ■; with -d in the background",
        _SERVICES,
        _UP,
        cell=_FILE,
        offers=_SERVICE,
        examples=("%compose up -d --wait", "%compose up -d --scale web=3"),
        handler=_up,
    ),
    _word(
        "create",
        "make the containers, start none",
        Flag("--build", "build the images first"),
        Flag("--no-build", "build nothing"),
        _PULL,
        _QUIET_PULL,
        _SCALE,
        *_RECREATE,
        _ORPHANS,
        cell=_FILE,
    ),
    _word(
        "build",
        "build the images of services that have `build:`",
        Flag("--build-arg", "value of an ARG", "list", "NAME=VALUE"),
        Flag("--no-cache", "build every step anew"),
        Flag("--pull", "fetch the base images even if they are here"),
        Flag("--push", "push the images"),
        Flag("-q --quiet", "say nothing on the way"),
        Flag("-m --memory", "memory of the build (the classic builder)", "text", "BYTES"),
        Flag("--ssh", "ssh keys for the build", "text", "KEY"),
        Flag("--builder", "the builder", "text", "NAME"),
        Flag("--with-dependencies", "also what they depend on"),
        cell=_FILE,
        handler=_build,
    ),
    _word(
        "pull",
        "fetch the services' images",
        Flag("-q --quiet", "say nothing on the way"),
        Flag("--include-deps", "also what they depend on"),
        Flag("--ignore-buildable", "not those that can be built"),
        Flag("--ignore-pull-failures", "go on where one cannot be fetched"),
        Flag("--policy", "when", "text", "WHEN", values=("missing", "always")),
        cell=_FILE,
    ),
    _word(
        "push",
        "push the services' images to their registry",
        Flag("-q --quiet", "say nothing on the way"),
        Flag("--include-deps", "also what they depend on"),
        Flag("--ignore-push-failures", "go on where one cannot be pushed"),
        cell=_FILE,
    ),
    _word("start", "start services that were stopped"),
    _word("stop", "ask services to end, kill them after a grace time", _TIMEOUT),
    _word(
        "restart",
        "stop and start services",
        _TIMEOUT,
        Flag("--no-deps", "without those that depend on them"),
    ),
    _word("pause", "freeze services"),
    _word("unpause", "let frozen services go on"),
    _word(
        "kill",
        "send a signal to services (KILL unless named)",
        Flag("-s --signal", "the signal", "text", "SIGNAL"),
        _ORPHANS,
    ),
    _word(
        "rm",
        "remove stopped containers, without a question: a cell cannot answer one",
        Flag("-f --force", "without a question (always so in a cell)"),
        Flag("-s --stop", "stop them first"),
        Flag("-v --volumes", "with their anonymous volumes"),
    ),
    _word(
        "down",
        "stop and remove the containers and networks",
        Flag("-v --volumes", "with the volumes: their data is lost"),
        Flag("--rmi", "with the images", "text", "WHICH", values=("local", "all")),
        _ORPHANS,
        _TIMEOUT,
        examples=("%compose down -v",),
    ),
    _word(
        "scale",
        "run so many containers of a service",
        Flag("--no-deps", "without the services that these depend on"),
        usage="SERVICE=NUMBER [SERVICE=NUMBER...]",
        examples=("%compose scale web=3",),
    ),
    _word(
        "run",
        "run a program in a new container of a service",
        Flag("--rm", "remove the container when it ends"),
        Flag("-d --detach", "return at once"),
        Flag("-e --env", "environment variable", "list", "NAME=VALUE"),
        Flag("--name", "name of the container", "text", "NAME"),
        Flag("-u --user", "run as this user", "text", "USER"),
        Flag("-w --workdir", "working directory in the container", "text", "DIR"),
        Flag("--entrypoint", "replace the image's entrypoint", "text", "COMMAND"),
        Flag("-v --volume", "mount a folder or volume", "list", "SOURCE:TARGET"),
        Flag("-p --publish", "publish a port", "list", "HOST:CONTAINER"),
        Flag("-P --service-ports", "publish the service's ports"),
        Flag("--no-deps", "without the services that it depends on"),
        Flag("--build", "build the image first"),
        Flag("-l --label", "label of the container", "list", "NAME=VALUE"),
        Flag("--cap-add", "add a capability", "list", "NAME"),
        Flag("--cap-drop", "take a capability away", "list", "NAME"),
        Flag("--use-aliases", "with the service's names in its networks"),
        Flag("-i --interactive", "with standard input (empty in a cell)"),
        Flag("-T --no-TTY", "without a terminal (always so in a cell)"),
        _QUIET_PULL,
        _ORPHANS,
        usage="SERVICE [COMMAND] [ARG...]",
        interspersed=False,
        cell=_FILE,
        examples=("%compose run --rm web ls /",),
        handler=_run,
    ),
    _word(
        "exec",
        "run a command in a service's running container",
        Flag("-d --detach", "return at once"),
        Flag("-e --env", "environment variable", "list", "NAME=VALUE"),
        Flag("--index", "which container, where there are several", "integer", "NUMBER"),
        Flag("-T --no-TTY", "without a terminal (always so in a cell)"),
        Flag("--privileged", "with all rights"),
        Flag("-u --user", "run as this user", "text", "USER"),
        Flag("-w --workdir", "working directory in the container", "text", "DIR"),
        usage="SERVICE [COMMAND] [ARG...]",
        interspersed=False,
        cell="the command's standard input (`sh` unless a command is named)",
        examples=("%compose exec web ls /", "%%compose exec web"),
        handler=_exec,
    ),
    _word(
        "watch",
        "build and update services when their files change, until ■",
        Flag("--no-up", "do not start them first"),
        Flag("--quiet", "without the build's output"),
        cell=_FILE,
        handler=_watch,
    ),
    _word(
        "attach",
        "(a terminal's word: %compose logs -f and %compose exec do it in a cell)",
        usage="SERVICE",
        handler=_attach,
    ),
)

"""`docker exec`: a command in a running container."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from course_magics import engine
from course_magics.containers.create import show
from course_magics.containers.lifecycle import naming
from course_magics.display.finished import Finished, ended_badly
from course_magics.engine.routes import route
from course_magics.engine.stream import Attached, pump, request
from course_magics.errors import ContainerError, Interrupted
from course_magics.patience import until
from course_magics.streams import Stream

if TYPE_CHECKING:
    from docker import APIClient

#: Kills the process that an exec started $2 hundredths of a second ago, and its children.
#: It may have ended by itself where none was found to be killed (seconds).
_NONE = 0.4
#: The engine has no "kill exec". Inside, a process that came by exec has the parent 0; of those,
#: one with the command line $1, or (a shell may have become another program) one just as old.
_KILLER = r"""
read -r up rest < /proc/uptime; up=${up%.*}${up#*.}
best=-1; target=
for d in /proc/[0-9]*; do
  p=${d#/proc/}; read -r stat 2>/dev/null < $d/stat || continue
  set -- "$1" "$2" ${stat##*) }; eval "parent_$p=$4"
  [ "$4" = 0 ] && [ $p != 1 ] && [ $p != $$ ] || continue
  off=$((up - ${22} - $2)); off=${off#-}
  if [ "$(tr '\0' ' ' < $d/cmdline)" != "$1" ]; then
    [ $off -lt 100 ] || continue
    off=$((off + 100))
  fi
  if [ $best = -1 ] || [ $off -lt $best ]; then best=$off target=$p; fi
done
[ "$target" ] || exit 1
for d in /proc/[0-9]*; do
  p=${d#/proc/}; q=$p
  while [ "$q" ] && [ "$q" != 0 ] && [ $q != $target ]; do eval "q=\$parent_$q"; done
  [ "$q" = $target ] && kill -9 $p
done
exit 0
"""


def execute(
    container: str,
    command: Sequence[str],
    *,
    out: Stream | None = None,
    err: Stream | None = None,
    stdin: bytes | None = None,
    interactive: bool = False,
    tty: bool = False,
    detach: bool = False,
    env: Sequence[str] = (),
    user: str = "",
    workdir: str = "",
    privileged: bool = False,
    line: str = "",
) -> Finished:
    """Run `command` in `container` and wait, unless detach. stdin: fed to it, then closed.

    Raises ContainerError for a status other than 0 (with `.result`), EngineError, Interrupted
    after it has killed the command.
    """
    out, err = out or Stream(), err or Stream()
    line = line or show(["docker", "exec", container, *command])
    interactive = interactive or stdin is not None
    tty = tty and (detach or not interactive)  # as in run_foreground: a terminal has no end
    body = {
        "AttachStdin": interactive,
        "AttachStdout": not detach,
        "AttachStderr": not detach,
        "Tty": tty,
        "Detach": detach,
        "Env": list(env),
        "Cmd": list(command),
        "User": user,
        "WorkingDir": workdir,
        "Privileged": privileged,
    }
    result = Finished(container, line, out, err)
    with engine.talking(line) as api:
        with naming(api, container):
            made = _made(api, container, body)
        start = {"Detach": detach, "Tty": tty}
        if detach:
            request(api, "POST", route("/exec/{}/start", made), json=start)
            return result
        began = time.monotonic()
        try:
            attached = Attached(api, route("/exec/{}/start", made), json=start)
            try:
                if interactive:
                    attached.feed(stdin or b"")
                pump(attached.chunks(), out, err, tty=tty)
            finally:
                attached.close()
            result.exit_code = _status(api, made)
        except KeyboardInterrupt:
            killed = _kill(api, container, made, command, time.monotonic() - began)
            raise Interrupted(
                f"interrupted: the command in {container} "
                + ("was killed" if killed else "may still run: %container restart ends it"),
                command=line,
            ) from None
        finally:
            out.close()
            err.close()
    if result.exit_code:
        if result.exit_code in (126, 127) and "OCI runtime exec failed" in out.text:
            # Docker 20.10 says 126 for a program that is not there: its words are more exact.
            missing = "not found" in out.text or "no such file" in out.text
            what = "was not found in the container" if missing else "cannot be executed"
            error = ContainerError(f"the program {what}", command=line, status=result.exit_code)
            error.result = result
            raise error
        raise ended_badly(result, f"the command in {container}", ContainerError)
    return result


def _made(api: APIClient, container: str, body: dict[str, Any]) -> str:
    """The number of a command that is ready to be started in `container`."""
    where = route("/containers/{}/exec", container)
    return str(request(api, "POST", where, json=body).json()["Id"])


def _status(api: APIClient, made: str) -> int:
    return int(api.exec_inspect(made).get("ExitCode") or 0)


def _kill(api: APIClient, container: str, made: str, command: Sequence[str], age: float) -> bool:
    """Kill the command and its children with the container's own shell; whether it has gone."""
    with contextlib.suppress(Exception):
        words = "".join(f"{word} " for word in command)
        body = {
            "Cmd": ["sh", "-c", _KILLER, "sh", words, f"{age * 100:.0f}"],
            "User": "0",
            "AttachStdout": True,
        }
        killer = _made(api, container, body)
        attached = Attached(api, route("/exec/{}/start", killer), json={"Detach": False})
        for _ in attached.chunks():
            pass  # ends when the killer has ended
        attached.close()
        # The engine learns of the death a little later; of none where nothing was found to kill.
        seconds = None if api.exec_inspect(killer).get("ExitCode") == 0 else _NONE
        gone = until(lambda: not api.exec_inspect(made).get("Running"), seconds=seconds)
        return gone is not None
    return False

"""The words of `%container` that talk to registries: search, login, logout, push, pull."""

from __future__ import annotations

import os
import sys
from typing import Any

from course_magics import settings
from course_magics.containers import login, transfer
from course_magics.containers.search import search
from course_magics.errors import Interrupted, OptionError
from course_magics.magics.container.flags import FORMAT, TRUST
from course_magics.magics.grammar import Call, Flag, Word
from course_magics.shell import joined, quoted

_INSTEAD = (
    "leave it out: you are asked for it; what you type is not shown and stays out of the notebook\n"
    "or, where nobody can be asked: --password-env NAME (an environment variable)"
)


def _push(call: Call) -> Any:
    return _watched(
        call,
        lambda watch: transfer.push(call.args[0], call.line, all_tags=call.all_tags, watch=watch),
    )


def _pull(call: Call) -> Any:
    return _watched(
        call,
        lambda watch: transfer.pull(
            call.args[0], call.line, platform=call.platform, all_tags=call.all_tags, watch=watch
        ),
    )


def _watched(call: Call, work: Any) -> Any:
    """`work` with a live view of its layers, where the reader wants one."""
    if call.quiet or not settings.current().live:
        return work(None)
    from course_magics.widgets.transfer import live

    with live() as watch:
        return work(watch)


def _search(call: Call) -> Any:
    return search(
        call.args[0],
        call.line,
        filter=call.filter,
        limit=call.limit,
        full=call.no_trunc,
        template=call.format,
    )


def _login(call: Call) -> Any:
    # Not `call.line`: it holds whatever was typed.
    if call.cell is not None or call.password_stdin:
        raise OptionError(
            f"{call.sign}: a password in a cell would stay in the notebook and in the history",
            hint=_INSTEAD,
        )
    if call.password is not None:
        raise OptionError(
            f"{call.sign}: -p would leave the password in the notebook and in the history",
            hint=f"{_INSTEAD}\nif this one was real: it is in the notebook now, so change it",
        )
    server = call.args[0] if call.args else ""
    user = call.username or ""
    if not user and not call.password_env and (known := login.stored(server)) is not None:
        return login.login(server, *known, line=_line(server, ""))
    if not user:
        user = _ask("User name: ", secret=False).reveal()
    if not user:
        raise OptionError(f"{call.sign}: the user name is missing", hint="name it: -u USER")
    password = _from(call.password_env) if call.password_env else _ask(f"Password of {user}: ")
    if not password:
        raise OptionError(f"{call.sign}: the password is empty")
    line = _line(server, user)
    if call.password_env:
        line = f"printenv {quoted(call.password_env)} | {line} --password-stdin"
    return login.login(server, user, password, line)


def _line(server: str, user: str) -> str:
    return joined(["docker", "login", *(["-u", user] if user else []), *([server] * bool(server))])


def _from(variable: str) -> login.Secret:
    if variable not in os.environ:
        raise OptionError(
            "--password-env takes the name of an environment variable, and there is no such one",
            hint="set it before the kernel starts, or leave the flag out to be asked",
        )
    return login.Secret(os.environ[variable].rstrip("\n"))


def _ask(prompt: str, *, secret: bool = True) -> login.Secret:
    """What the reader types: in a notebook into a field of its own, which is not kept."""
    import getpass

    from IPython.core.error import StdinNotImplementedError
    from IPython.core.getipython import get_ipython

    nobody = OptionError(
        "nobody can be asked here", hint="-u USER and --password-env NAME (an environment variable)"
    )
    if getattr(get_ipython(), "kernel", None) is None and not sys.stdin.isatty():
        raise nobody
    try:
        return login.Secret(getpass.getpass(prompt) if secret else input(prompt))
    except (StdinNotImplementedError, EOFError):
        raise nobody from None
    except KeyboardInterrupt:
        raise Interrupted("interrupted: not logged in") from None


def _logout(call: Call) -> Any:
    return login.logout(call.args[0] if call.args else "", call.line)


WORDS = (
    Word(
        "pull",
        "fetch an image from its registry",
        "IMAGE",
        (
            Flag("-a --all-tags", "every tag that the registry has of it"),
            TRUST,
            Flag("-q --quiet", "say nothing on the way"),
            Flag("--platform", "platform of the image", "text", "OS/ARCH"),
        ),
        offers=("image",),
        examples=("%container pull 127.0.0.1:5000/course/busybox",),
        aliases=("image pull",),
        handler=_pull,
    ),
    Word(
        "push",
        "send an image to the registry in its name",
        "IMAGE",
        (
            Flag("-a --all-tags", "every tag of it that is here"),
            TRUST,
            Flag("-q --quiet", "say nothing on the way"),
        ),
        offers=("image",),
        examples=(
            "%container tag hello 127.0.0.1:5000/hello",
            "pushed = %container push 127.0.0.1:5000/hello",
            "pushed.digest",
        ),
        aliases=("image push",),
        handler=_push,
    ),
    Word(
        "search",
        "look for images on Docker Hub, or in a registry that can be searched",
        "TERM",
        (
            Flag("-f --filter", "only those that match", "list", "NAME=VALUE"),
            FORMAT,
            Flag("--limit", "so many at most, 1 to 100", "integer", "NUMBER"),
            Flag("--no-trunc", "shorten nothing"),
        ),
        examples=("%container search --filter is-official=true python",),
        handler=_search,
    ),
    Word(
        "login",
        "log in to a registry (Docker Hub unless named); the password is asked for",
        "[SERVER]",
        (
            Flag("-u --username", "who", "text", "USER"),
            Flag("--password-env", "environment variable with the password", "text", "NAME"),
            Flag("-p --password", "refused: it would stay in the notebook", "text", "PASSWORD"),
            Flag("--password-stdin", "refused: a cell has no standard input but its own text"),
        ),
        examples=("%container login -u student 127.0.0.1:5000",),
        cell="refused: a password would stay in the notebook",
        handler=_login,
        private=True,
    ),
    Word("logout", "forget the login at a registry", "[SERVER]", handler=_logout),
)

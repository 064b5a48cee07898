"""The words of `%container` that change a container which is there, or make an image of it."""

from __future__ import annotations

from typing import Any

from course_magics.containers import change
from course_magics.magics.container import flags
from course_magics.magics.grammar import Call, Flag, Word

CHANGE = Flag(
    "-c --change", "apply a Dockerfile instruction, such as 'CMD [\"sh\"]'", "list", "INSTRUCTION"
)
_ONE = ("container",)


def _pause(call: Call) -> Any:
    return change.pause(call.args, call.line)


def _unpause(call: Call) -> Any:
    return change.unpause(call.args, call.line)


def _rename(call: Call) -> Any:
    old, new = call.args
    return change.rename(old, new, call.line)


def _update(call: Call) -> Any:
    wishes = {key: call.flags[key] for key in call.given & change.UPDATABLE}
    return change.update(call.args, wishes, call.line)


def _commit(call: Call) -> Any:
    return change.commit(
        call.args[0],
        call.args[1] if len(call.args) > 1 else None,
        call.line,
        author=call.author,
        change=call.change,
        message=call.message,
        pause=call.pause,
    )


WORDS = (
    Word(
        "pause",
        "freeze the processes of containers",
        "CONTAINER [CONTAINER...]",
        offers=_ONE,
        aliases=("container pause",),
        handler=_pause,
    ),
    Word(
        "unpause",
        "let the processes of paused containers go on",
        "CONTAINER [CONTAINER...]",
        offers=_ONE,
        aliases=("container unpause",),
        handler=_unpause,
    ),
    Word(
        "rename",
        "give a container another name",
        "CONTAINER NAME",
        offers=_ONE,
        aliases=("container rename",),
        handler=_rename,
    ),
    Word(
        "update",
        "change the limits and the restart policy of containers",
        "CONTAINER [CONTAINER...]",
        tuple(f for f in flags.CREATE if f.key in change.UPDATABLE),
        offers=_ONE,
        examples=(
            "%container update --memory 64m --memory-swap 64m web",
            "%container update --restart unless-stopped web",
        ),
        aliases=("container update",),
        handler=_update,
    ),
    Word(
        "commit",
        "make an image of a container's files",
        "CONTAINER [NAME[:TAG]]",
        (
            Flag("-a --author", "who made it", "text", "NAME"),
            CHANGE,
            Flag("-m --message", "what was done", "text", "TEXT"),
            Flag("-p --pause", "freeze the container meanwhile", default=True),
        ),
        offers=_ONE,
        examples=("%container commit -m 'with vim' box box:vim",),
        aliases=("container commit",),
        handler=_commit,
    ),
)

"""`%container container prune` and `image prune`."""

from __future__ import annotations

from typing import Any

from course_magics.magics.container.flags import FORCE
from course_magics.magics.grammar import Call, Flag, Word

_FILTER = Flag("--filter", "only those that match: label, label!, until", "list", "NAME=VALUE")


def _prune(kind: str) -> Any:
    def handler(call: Call) -> Any:
        from course_magics.containers.prune import prune

        return prune(
            [kind],
            call.line,
            filter=call.filter,
            force=call.force,
            all=bool(call.flags.get("all")),
        )

    return handler


WORDS = (
    Word(
        "container prune",
        "remove all stopped containers",
        "",
        (_FILTER, FORCE),
        examples=("%container container prune -f --filter label=lesson",),
        handler=_prune("containers"),
    ),
    Word(
        "image prune",
        "remove images without a name that nothing uses",
        "",
        (Flag("-a --all", "also those with a name that no container uses"), _FILTER, FORCE),
        examples=("%container image prune -f",),
        handler=_prune("images"),
    ),
)

"""The words of `%container` that watch what runs: stats and attach."""

from __future__ import annotations

from typing import Any

from course_magics import settings
from course_magics.errors import Interrupted
from course_magics.magics.base import cell_streams
from course_magics.magics.container import flags
from course_magics.magics.grammar import Call, Flag, Word


def _stats(call: Call) -> Any:
    from IPython.display import display

    from course_magics.containers.stats import stats
    from course_magics.widgets.stats import live

    def ask(watch: Any) -> Any:
        return stats(
            call.args,
            all=call.all,
            full=call.no_trunc,
            template=call.format,
            watch=watch,
            line=call.line,
        )

    if call.no_stream or not settings.current().live:
        return ask(None)
    try:
        with live() as watch:
            return ask(watch)
    except Interrupted as stopped:
        display(stopped.result)  # type: ignore[no-untyped-call]
        raise


def _attach(call: Call) -> Any:
    from course_magics.containers.attach import attach

    stdin = None if call.cell is None or call.no_stdin else call.cell.encode()
    out, err = cell_streams()
    return attach(
        call.args[0], out=out, err=err, stdin=stdin, sig_proxy=call.sig_proxy, line=call.line
    )


WORDS = (
    Word(
        "stats",
        "what containers use of CPU, memory, network and disk, until ■ or their end",
        "[CONTAINER...]",
        (
            Flag("-a --all", "also those that do not run"),
            Flag("--format", "a Go template, `table TEMPLATE` or json", "text", "TEMPLATE"),
            Flag("--no-stream", "once (also where no live view can be shown)"),
            Flag("--no-trunc", "with whole ids"),
        ),
        offers=("container",),
        examples=("%container stats --no-stream", "%container stats web db"),
        aliases=("container stats",),
        handler=_stats,
    ),
    Word(
        "attach",
        "show what a container prints from now on, until its end; ■ leaves it running",
        "CONTAINER",
        (
            Flag("--no-stdin", "do not feed it the cell"),
            Flag("--sig-proxy", "■ sends it SIGINT (docker's default, not in a cell)"),
            flags.DETACH_KEYS,
        ),
        cell="the program's standard input; the container was made with -i",
        offers=("container",),
        examples=("%container attach web",),
        aliases=("container attach",),
        handler=_attach,
    ),
)

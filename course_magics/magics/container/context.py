"""The words of `%container context`: names for engines, shared with docker in a terminal."""

from __future__ import annotations

from typing import Any

from course_magics.containers import contexts
from course_magics.magics.grammar import Call, Flag, Word

_ENDPOINT = (
    Flag("--description", "what it is", "text", "TEXT"),
    Flag("--docker", "where it is and how it is reached", "list", "host=…,ca=…,cert=…,key=…"),
)


def _ls(call: Call) -> Any:
    return contexts.ls(quiet=call.quiet, template=call.format, line=call.line)


def _create(call: Call) -> Any:
    return contexts.create(
        call.args[0],
        call.line,
        docker=call.docker,
        description=call.description or "",
        source=call.flags["from"],
    )


def _update(call: Call) -> Any:
    return contexts.update(
        call.args[0], call.line, docker=call.docker, description=call.description or ""
    )


def _use(call: Call) -> Any:
    return contexts.use(call.args[0], call.line)


def _show(call: Call) -> Any:
    return contexts.show(call.line)


def _rm(call: Call) -> Any:
    return contexts.remove(call.args, call.line, force=call.force)


def _inspect(call: Call) -> Any:
    return contexts.inspect(call.args, call.line, template=call.format)


def _export(call: Call) -> Any:
    return contexts.export(call.args[0], call.args[1] if len(call.args) > 1 else None, call.line)


def _import(call: Call) -> Any:
    return contexts.read(call.args[0], call.args[1], call.line)


WORDS = (
    Word(
        "context ls",
        "list the contexts: named engines",
        "",
        (
            Flag("--format", "a Go template, `table TEMPLATE` or json", "text", "TEMPLATE"),
            Flag("-q --quiet", "only the names"),
        ),
        aliases=("context list",),
        handler=_ls,
    ),
    Word(
        "context create",
        "name an engine: by its socket, over ssh, or over TCP with TLS",
        "CONTEXT",
        (*_ENDPOINT, Flag("--from", "copy this one", "text", "CONTEXT", offers="context")),
        examples=(
            "%container context create lab --docker host=ssh://me@lab.example.org",
            "%container context create lab --docker "
            "host=tcp://10.0.0.5:2376,ca=ca.pem,cert=cert.pem,key=key.pem",
        ),
        handler=_create,
    ),
    Word(
        "context update",
        "change a context's description, or where it leads",
        "CONTEXT",
        _ENDPOINT,
        offers=("context",),
        handler=_update,
    ),
    Word(
        "context use",
        "choose a context, for this notebook and for docker in a terminal",
        "CONTEXT",
        offers=("context",),
        handler=_use,
    ),
    Word("context show", "the name of the context in use", "", handler=_show),
    Word(
        "context inspect",
        "all that is known of contexts",
        "[CONTEXT] [CONTEXT...]",
        (Flag("-f --format", "a Go template, or json", "text", "TEMPLATE"),),
        offers=("context",),
        handler=_inspect,
    ),
    Word(
        "context rm",
        "remove contexts",
        "CONTEXT [CONTEXT...]",
        (Flag("-f --force", "also the one in use"),),
        offers=("context",),
        aliases=("context remove",),
        handler=_rm,
    ),
    Word(
        "context export",
        "write a context to a file, its key with it",
        "CONTEXT [FILE]",
        offers=("context",),
        handler=_export,
    ),
    Word("context import", "make a context of such a file", "CONTEXT FILE", handler=_import),
)

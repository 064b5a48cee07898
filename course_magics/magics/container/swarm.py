"""The words `swarm …` of `%container`."""

from __future__ import annotations

from typing import Any

from course_magics.containers.swarm import cluster
from course_magics.errors import OptionError
from course_magics.magics.grammar import Call, Flag, Word

_QUIET = Flag("-q --quiet", "only the secret itself")
_ROTATE = Flag("--rotate", "make a new one first; the old one opens nothing any more")
_AVAILABILITY = Flag(
    "--availability",
    "whether it gets tasks",
    "text",
    "STATE",
    values=("active", "pause", "drain"),
)
_ADDRESSES = (
    Flag("--advertise-addr", "address by which the others reach it", "text", "ADDRESS[:PORT]"),
    Flag("--listen-addr", "address on which it listens", "text", "ADDRESS[:PORT]"),
    Flag("--data-path-addr", "address for the containers' traffic", "text", "ADDRESS"),
    _AVAILABILITY,
)
_SETTINGS = (
    Flag("--autolock", "a restarted manager asks for a key"),
    Flag("--cert-expiry", "how long the nodes' certificates hold", "seconds", "2160h"),
    Flag("--dispatcher-heartbeat", "how often nodes say that they live", "seconds", "5s"),
    Flag("--max-snapshots", "old snapshots of its log that are kept", "integer", "NUMBER"),
    Flag("--snapshot-interval", "entries of its log between snapshots", "integer", "NUMBER"),
    Flag("--task-history-limit", "ended tasks kept for each place", "integer", "NUMBER"),
)


def _init(call: Call) -> Any:
    return cluster.init(call.flags, call.line)


def _join(call: Call) -> Any:
    return cluster.join(call.args[0], call.flags, call.line)


def _token(call: Call) -> Any:
    return cluster.token(call.args[0], call.line, rotate=call.rotate, quiet=call.quiet)


def _leave(call: Call) -> Any:
    return cluster.leave(call.line, force=call.force)


def _update(call: Call) -> Any:
    return cluster.update(call.flags, call.given, call.line)


def _unlock(call: Call) -> Any:
    if not call.cell or not call.cell.strip():
        raise OptionError(f"{call.sign}: the key is missing", hint="it is the cell below the line")
    return cluster.unlock(call.cell, call.line)


def _unlock_key(call: Call) -> Any:
    return cluster.unlock_key(call.line, rotate=call.rotate, quiet=call.quiet)


def _ca(call: Call) -> Any:
    return cluster.ca(call.line, rotate=call.rotate)


WORDS = (
    Word(
        "swarm init",
        "make this engine the first manager of a new swarm",
        "",
        (
            *_ADDRESSES,
            *_SETTINGS,
            Flag("--data-path-port", "port for the containers' traffic", "integer", "4789"),
            Flag("--default-addr-pool", "addresses for its networks", "list", "10.20.0.0/16"),
            Flag("--default-addr-pool-mask-length", "size of each network", "integer", "24"),
            Flag("--force-new-cluster", "begin anew from what this engine knows"),
        ),
        examples=("%container swarm init --advertise-addr 127.0.0.1",),
        handler=_init,
    ),
    Word(
        "swarm join",
        "join this engine to a swarm",
        "HOST[:PORT]",
        (Flag("--token", "the swarm's token", "text", "TOKEN"), *_ADDRESSES),
        handler=_join,
    ),
    Word(
        "swarm join-token",
        "how other engines join",
        "worker|manager",
        (_QUIET, _ROTATE),
        handler=_token,
    ),
    Word(
        "swarm leave",
        "take this engine out of its swarm",
        "",
        (Flag("-f --force", "also a manager, even the last one"),),
        handler=_leave,
    ),
    Word("swarm update", "change the swarm's settings", "", _SETTINGS, handler=_update),
    Word(
        "swarm unlock",
        "give a restarted manager its key",
        "",
        cell="the key",
        handler=_unlock,
    ),
    Word(
        "swarm unlock-key",
        "the key that a restarted manager asks for",
        "",
        (_QUIET, _ROTATE),
        handler=_unlock_key,
    ),
    Word("swarm ca", "the swarm's own certificate", "", (_ROTATE,), handler=_ca),
)

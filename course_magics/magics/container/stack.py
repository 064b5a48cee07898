"""The words `stack …`: a compose file on a swarm, through the real docker client."""

from __future__ import annotations

from typing import Any

from course_magics.containers import stack
from course_magics.errors import OptionError
from course_magics.magics.grammar import Call, Flag, Word
from course_magics.shell import joined

_FILES = Flag("-c --compose-file", "the compose file", "list", "FILE")
_FORMAT = Flag("--format", "a Go template, `table TEMPLATE` or json", "text", "TEMPLATE")
_FILTER = Flag("-f --filter", "only those that match", "list", "NAME=VALUE")
_IDS = Flag("-q --quiet", "only the ids")


def _file(call: Call) -> tuple[str | None, str]:
    if call.cell is not None and call.compose_file:
        raise OptionError(f"{call.sign}: the cell is the file, so -c cannot name another")
    return stack.text_of(call.cell, call.compose_file)


def _typed(call: Call) -> list[str]:
    """What was typed after the word, without the files."""
    typed, words = list(call.typed), []
    while typed:
        word = typed.pop(0)
        if word in ("-c", "--compose-file"):
            typed.pop(0)
        elif not word.startswith(("--compose-file=", "-c")):
            words.append(word)
    return words


def _line(call: Call) -> str:
    if call.cell is None:
        return call.line
    return f"{joined(['docker', *call.word.name.split(), '-c', '-', *call.typed])} < CELL"


def _deploy(call: Call) -> Any:
    text, where = _file(call)
    with stack.files(call.cell, call.compose_file, labelled=True) as flags:
        words = ["deploy", *flags, *_typed(call)]
        return stack.change(words, _line(call), text=text, where=where)


def _config(call: Call) -> Any:
    text, where = _file(call)
    with stack.files(call.cell, call.compose_file, labelled=False) as flags:
        return stack.lines(["config", *flags, *_typed(call)], _line(call), text, where)


def _rm(call: Call) -> Any:
    return stack.change(["rm", *call.typed], call.line)


def _list(call: Call) -> Any:
    kind = call.word.name.split()[1]
    if call.format or call.flags.get("quiet"):
        return stack.lines([kind, *call.typed], call.line)
    return stack.table(kind, [kind, *call.typed], call.line)


WORDS = (
    Word(
        "stack deploy",
        "start the services of a compose file on the swarm, or bring them up to date",
        "STACK",
        (
            _FILES,
            Flag("-d --detach", "do not wait until they run", default=None),
            Flag("--prune", "remove services that the file no longer has"),
            Flag("-q --quiet", "say nothing on the way"),
            Flag(
                "--resolve-image",
                "when the registry is asked for the images' digests",
                "text",
                "WHEN",
                values=("always", "changed", "never"),
            ),
            Flag("--with-registry-auth", "send the login at the registry along"),
        ),
        cell="the compose file",
        offers=("stack",),
        aliases=("stack up",),
        examples=("%%container stack deploy shop", "%container stack deploy -c compose.yaml shop"),
        handler=_deploy,
    ),
    Word(
        "stack ls",
        "list stacks",
        "",
        (_FORMAT,),
        aliases=("stack list",),
        examples=("%container stack ls",),
        handler=_list,
    ),
    Word(
        "stack services",
        "the services of a stack",
        "STACK",
        (_FILTER, _FORMAT, _IDS),
        offers=("stack",),
        examples=("%container stack services shop",),
        handler=_list,
    ),
    Word(
        "stack ps",
        "the tasks of a stack",
        "STACK",
        (
            _FILTER,
            _FORMAT,
            _IDS,
            Flag("--no-resolve", "ids stay ids"),
            Flag("--no-trunc", "shorten nothing"),
        ),
        offers=("stack",),
        examples=("%container stack ps shop",),
        handler=_list,
    ),
    Word(
        "stack rm",
        "remove stacks",
        "STACK [STACK...]",
        (Flag("-d --detach", "do not wait until they are gone", default=None),),
        offers=("stack",),
        aliases=("stack down", "stack remove"),
        examples=("%container stack rm shop",),
        handler=_rm,
    ),
    Word(
        "stack config",
        "a compose file as docker stack understands it (docker 25 or newer)",
        "",
        (_FILES, Flag("--skip-interpolation", "leave variables as they are")),
        cell="the compose file",
        examples=("%container stack config -c compose.yaml",),
        handler=_config,
    ),
)

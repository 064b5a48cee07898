"""What every magic does around its own work: read the line, call, bind, let the cell fail."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Container, Iterator
from typing import TYPE_CHECKING, Any

from course_magics import settings
from course_magics.errors import CourseError, Interrupted, OptionError
from course_magics.magics.grammar import Call, Magic, parse
from course_magics.magics.help import Help, asked_for
from course_magics.magics.words import own_names, split
from course_magics.shell import as_typed, said
from course_magics.storage import disk_full, is_full
from course_magics.streams import Stream

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


def run(magic: Magic, shell: InteractiveShell, line: str, cell: str | None = None) -> Any:
    """Run one cell of `magic`. Returns the result object, which IPython shows or assigns.

    Raises CourseError, which fails the cell; with `--no-raise` its words are printed instead.
    """
    tokens = split(line, own_names(shell))
    if (shown := asked_for(magic, tokens)) is not None:
        return shown
    with _without_values(tokens):
        call = parse(magic, tokens, cell)
    if call.flags.get("help"):
        return Help(magic, call.word)
    name = call.flags.get("output") if _is_ours(call, "output") else None
    if name is not None and not name.isidentifier():
        raise OptionError(f"{call.sign}: -o takes a Python name, not {as_typed(name)!r}")
    if call.word.handler is None:
        raise OptionError(f"{call.sign} cannot be used here")
    try:
        with _without_values(tokens, call.named), _starting_shown(), _noting_changes():
            result = call.word.handler(call)
    except Interrupted:
        raise
    except OSError as error:
        if not is_full(error):
            raise
        raise disk_full(error.filename, command=call.line) from None
    except CourseError as error:
        if not call.flags.get("no_raise"):
            raise
        print("\n".join(error.lines()))
        result = error.result
    if name:
        shell.user_ns[name] = result
    return result


@contextlib.contextmanager
def _starting_shown() -> Iterator[None]:
    """Where the cell has to wait for the embedded engine, its steps are shown."""
    from course_magics.engine import progress

    def first(step: str) -> None:
        from course_magics.widgets.starting import Starting

        shown = Starting()
        after.callback(shown.close)
        progress.listen(shown)
        shown(step)

    with contextlib.ExitStack() as after:
        after.callback(progress.listen, None)
        progress.listen(first)
        yield


@contextlib.contextmanager
def _noting_changes() -> Iterator[None]:
    """Afterwards the engine may have other containers, images… than Tab knows."""
    try:
        yield
    finally:
        if names := sys.modules.get("course_magics.engine.names"):
            names.changed()


@contextlib.contextmanager
def _without_values(tokens: list[str], keep: Container[str] = ()) -> Iterator[None]:
    """An error names the values that the cell put in; only those of `keep` it may show."""
    try:
        yield
    except CourseError as error:
        for name in ("message", "command", "detail", "hint"):
            if (text := getattr(error, name)) is not None:
                setattr(error, name, said(text, tokens, keep))
        error.args = (error.message, *error.args[1:])
        raise


def _is_ours(call: Call, key: str) -> bool:
    return all(flag.key != key for flag in call.word.flags)


def cell_streams() -> tuple[Stream, Stream]:
    """The running cell's stdout and stderr as bounded streams. Close both when done."""
    limit = settings.current().output_limit
    return (
        Stream(sys.stdout.write, sys.stdout.flush, limit=limit),
        Stream(sys.stderr.write, sys.stderr.flush, limit=limit),
    )

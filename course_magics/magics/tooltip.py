"""Jupyter's Shift-Tab after our magics and in their cells: the help of the word at the cursor.

IPython is only told the Python name at the cursor, which a word such as `logs` is not. The kernel
has the whole cell: its table of messages gets a handler of ours, which answers for our lines and
hands everything else to the one that was there.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from course_magics.display import Block, Line, Pre, Shown

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from course_magics.magics.complete.spot import Spot
    from course_magics.magics.grammar import Flag, Magic, Word

_MESSAGE = "inspect_request"
Handler = Callable[[Any, Any, dict[str, Any]], Awaitable[None] | None]


class Text(Shown):
    """A few lines of help: a headline, what it does, how it is written."""

    def __init__(self, head: str, what: str, form: str = "") -> None:
        self.head, self.what, self.form = head, what, form

    def blocks(self) -> list[Block]:
        form: list[Block] = [Pre(self.form)] if self.form else []
        return [Line(self.head), Line(self.what), *form]


def register(shell: InteractiveShell) -> None:
    """Answer Shift-Tab, where `shell` is a kernel's."""
    kernel = getattr(shell, "kernel", None)
    handlers = getattr(kernel, "shell_handlers", None)
    if handlers is None or hasattr(handlers.get(_MESSAGE), "theirs"):
        return
    handlers[_MESSAGE] = _handler(kernel, handlers[_MESSAGE])


def unregister(shell: InteractiveShell) -> None:
    """Give the kernel its own handler back."""
    handlers = getattr(getattr(shell, "kernel", None), "shell_handlers", None)
    if handlers is not None and hasattr(handlers.get(_MESSAGE), "theirs"):
        handlers[_MESSAGE] = handlers[_MESSAGE].theirs


def _handler(kernel: Any, theirs: Handler) -> Handler:
    def ours(stream: Any, ident: Any, parent: dict[str, Any]) -> Awaitable[None] | None:
        content = parent.get("content", {})
        found = at(str(content.get("code", "")), int(content.get("cursor_pos", 0)))
        if found is None:
            return theirs(stream, ident, parent)
        data = found._repr_mimebundle_()
        reply = {"status": "ok", "found": True, "data": data, "metadata": {}}
        kernel.session.send(stream, "inspect_reply", reply, parent, ident)
        return _done()

    ours.theirs = theirs  # type: ignore[attr-defined]
    return ours


async def _done() -> None:
    """Kernels await what a handler returns."""


def at(code: str, offset: int) -> Shown | None:
    """The help for what stands at `offset` of a cell; None where it is not ours. Never raises."""
    from course_magics.magics.complete.spot import position, spot

    try:
        # The whole word at the cursor counts, also what follows the cursor.
        end = offset + len(re.match(r"[^\s=,:'\"]*", code[offset:])[0])  # type: ignore[index]
        where = spot(code, *position(code, end)) or spot(f"{code[:end]} ", *_after(code, end))
        return _help(where) if where is not None else None
    except Exception:
        return None


def _after(code: str, end: int) -> tuple[int, int]:
    from course_magics.magics.complete.spot import position

    row, column = position(code, end)
    return row, column + 1


def _help(where: Spot) -> Shown | None:
    if where.row < 0:
        return _of_line(where)
    if where.called == "dockerfile":
        return _of_instruction(where)
    if where.called == "compose":
        return _of_key(where)
    return None


def _of_line(where: Spot) -> Shown | None:
    from course_magics.magics.complete.line import before_word, state
    from course_magics.magics.grammar import Word, group, lookup
    from course_magics.magics.help import FlagHelp, Help
    from course_magics.magics.words import unfinished

    parts = unfinished(where.line)
    if parts is None:
        return None
    before, last = parts
    program = Word("", "the program's own, before the word", flags=where.magic.flags)
    own, tokens = before_word(where.magic, program, [*before, last] if last else before)
    if not tokens and (flag := own.pending or _last_flag(where.magic, program, last)):
        return FlagHelp(where.magic, program, flag)
    found = lookup(where.magic, tokens)
    if found is None:
        first = tokens[0] if tokens else ""
        return Help(where.magic, group=first if group(where.magic, first) else "")
    word, rest = found
    now = state(where.magic, word, rest[:-1] if last and rest else rest)
    if now.pending is not None:
        return FlagHelp(where.magic, word, now.pending)
    if rest and now.open and (flag := _last_flag(where.magic, word, last)):
        return FlagHelp(where.magic, word, flag)
    return Help(where.magic, word if word.name or len(where.magic.words) == 1 else None)


def _last_flag(magic: Magic, word: Word, token: str) -> Flag | None:
    """The flag that `token` is, or None: then all of the word's are shown."""
    from course_magics.errors import OptionError
    from course_magics.magics.grammar import flags_in

    try:
        return flags_in(magic, word, token)[-1][0] if token.startswith("-") else None
    except (OptionError, IndexError):
        return None


def _of_instruction(where: Spot) -> Shown | None:
    from course_magics.magics.complete.dockerfile import INSTRUCTIONS, instruction

    text = instruction(where)
    keyword = text.split()[0].upper() if text and text.strip() else ""
    about = INSTRUCTIONS.get(keyword)
    if about is None or text is None:
        return None
    last = re.split(r"\s+", text)[-1]
    for flag, what in about.flags:
        if last.partition("=")[0] == flag.rstrip("="):
            return Text(f"{flag} of {keyword}", what, about.form)
    return Text(keyword, about.what, about.form)


def _of_key(where: Spot) -> Shown | None:
    from course_magics.containers.compose.keys import KEYS
    from course_magics.magics.complete.compose import Outline, place
    from course_magics.magics.complete.compose_values import VALUES

    path = Outline([*where.above, where.body[where.row]]).path
    if not path:
        return None
    name, holder = path[-1], place(path[:-1])
    what = KEYS.get(holder or "", {}).get(name)
    if what is None:
        return None
    values = VALUES.get(place(path) or "", ())
    return Text(f"{name}:", what, "\n".join(f"{v}: {meaning}" for v, meaning in values))

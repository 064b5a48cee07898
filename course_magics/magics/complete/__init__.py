"""Completion: what Tab offers after our magics and in their cells, each with what it means.

A matcher of IPython's (`Completer.custom_matchers`). What it is asked about is ours alone: neither
Jedi nor the other matchers see such a line, since none of them can know anything about it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, overload

from IPython.core.completer import (
    CompletionContext,
    SimpleCompletion,
    SimpleMatcherResult,
    context_matcher,
)

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from course_magics.magics.complete.spot import Found, Spot

#: The front end has one line for text and meaning.
_WIDEST = 72
_NO_BREAK = "\N{NO-BREAK SPACE}"
_JOINER = "\N{WORD JOINER}"


class _Nothing(Sequence[SimpleCompletion]):
    """No completions, of length 1: after an empty list IPython asks Jedi all the same."""

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator[SimpleCompletion]:
        return iter(())

    @overload
    def __getitem__(self, index: int) -> SimpleCompletion: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[SimpleCompletion]: ...
    def __getitem__(self, index: int | slice) -> Any:
        return [][index]


def register(shell: InteractiveShell) -> None:
    """Add the matcher to the completer."""
    found = getattr(shell, "Completer", None)
    if found is None or any(getattr(m, "course_magics", False) for m in found.custom_matchers):
        return

    @context_matcher(identifier="course_magics", priority=1000)  # type: ignore[untyped-decorator]
    def matcher(context: CompletionContext) -> SimpleMatcherResult:
        return _result(context, shell.user_ns)

    matcher.course_magics = True
    found.custom_matchers.append(matcher)


def unregister(shell: InteractiveShell) -> None:
    """Take it away again."""
    if (found := getattr(shell, "Completer", None)) is not None:
        found.custom_matchers[:] = [
            m for m in found.custom_matchers if not getattr(m, "course_magics", False)
        ]


def _result(context: CompletionContext, user: Mapping[str, Any]) -> SimpleMatcherResult:
    if "%" not in context.full_text:
        return {"completions": []}
    begun = time.monotonic()  # the first Tab imports the grammar: that time counts too
    from course_magics.magics.complete.spot import spot

    try:
        where = spot(context.full_text, context.cursor_line, context.cursor_position)
        if where is None:
            return {"completions": []}
        found = complete(where, user, begun)
        if found is None:
            return {"completions": []} if _python(where) else _given("", _Nothing())
        if not context.text_until_cursor.endswith(found.fragment):
            return _given(
                "", _Nothing()
            )  # a word that goes over two lines: IPython replaces in one
        offers = [SimpleCompletion(text=o.text, type=_one_line(o.what)) for o in found.offers]
        return _given(found.fragment, offers or _Nothing())
    except Exception:
        # IPython would print a traceback into the page for each Tab.
        return _given("", _Nothing())


def _given(fragment: str, offers: Sequence[SimpleCompletion]) -> SimpleMatcherResult:
    return {
        "completions": offers,
        "matched_fragment": fragment,
        "suppress": True,
        "ordered": True,
    }


def complete(where: Spot, user: Mapping[str, Any], begun: float | None = None) -> Found | None:
    """What may stand at the cursor; None where there is nothing of ours to say.

    user: the notebook's values. Waits for the engine as long as the setting `completion_wait` says,
    counted from `begun` (a time of the monotonic clock; now).
    """
    from course_magics import settings
    from course_magics.magics.complete import compose, dockerfile, line, vagrantfile

    now = time.monotonic()
    wait = settings.current().completion_wait / 1000 - (now - (now if begun is None else begun))
    if where.row < 0:
        return line.complete(where, user, wait)
    if where.called == "dockerfile":
        return dockerfile.complete(where, wait)
    if where.called == "compose":
        return compose.complete(where, wait)
    if where.called == "vagrantfile":
        return vagrantfile.complete(where)
    return None


def _python(where: Spot) -> bool:
    """Whether the cell's body is Python, which IPython itself completes."""
    return where.row >= 0 and re.search(r"\bpython3?\s*$", where.line) is not None


def _one_line(what: str) -> str:
    """`what` as JupyterLab can show it: it breaks its lines at spaces, and shows only the first."""
    text = " ".join(what.split())
    if len(text) > _WIDEST:
        text = f"{text[: _WIDEST - 1]}…"
    return re.sub(r"(?<=[-/|])", _JOINER, text).replace(" ", _NO_BREAK)

"""docs/magics.md, made from the grammar, and docs/settings.md, made from the traits.

`python -m course_magics.magics.reference [settings]`. A unit test compares the pages with what this
makes, so that they cannot go out of date.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

from course_magics.magics import MAGICS
from course_magics.magics.grammar import Flag, Magic, Word

_HEAD = """\
# What the magics accept

Made from the grammar by `python -m course_magics.magics.reference > docs/magics.md`.

Every word also takes `-o NAME` (bind the result to a Python name), `--no-raise` (let the cell pass
when the command fails) and `--help`, unless the flag means something else for docker there.
`%docker` is another name for `%container`.
"""


_SETTINGS = """\
# Settings

Made from the traits by `python -m course_magics.magics.reference settings > docs/settings.md`.

`%config CourseMagics` lists them, `%config CourseMagics.NAME = VALUE` sets one for this kernel. The
same names in `[tool.course_magics]` of the nearest `pyproject.toml` count for every notebook below
it, unless another user owns or can write to that file, its folder or one between it and the
notebook: then a line says so. A value that is not allowed is refused with a line that says so.

| setting | default | what it does |
|---|---|---|
"""


def settings_page() -> str:
    """docs/settings.md."""
    from course_magics.settings import CourseMagics

    lines = []
    for name, trait in sorted(CourseMagics.class_traits(config=True).items()):
        if name not in CourseMagics.class_own_traits():
            continue
        default = trait.default()
        lines.append(f"| `{name}` | {_default(default)} | {_allowed(trait)}{trait.help} |\n")
    return _SETTINGS + "".join(lines)


def _default(value: object) -> str:
    return "empty" if value == "" else f"`{value}`"


def _allowed(trait: Any) -> str:
    """The bounds of a number."""
    least, most = getattr(trait, "min", None), getattr(trait, "max", None)
    if most is not None:
        return f"({least} to {most}) "
    return f"(at least {least}) " if least else ""


def page() -> str:
    """docs/magics.md."""
    magics = [import_module(f"course_magics.magics.{m}").MAGIC for m in _modules()]
    return "\n".join([_HEAD, *(_magic(m) for m in magics)])


def _modules() -> list[str]:
    """Each once: %docker is another name for %container."""
    return list(dict.fromkeys(module for module, _ in MAGICS.values()))


def _magic(magic: Magic) -> str:
    return f"## `{magic.sign()}`\n\n" + "\n".join(_word(magic, w) for w in magic.words)


def _word(magic: Magic, word: Word) -> str:
    cell_only = bool(word.cell) and not word.name
    usage = f"{magic.sign(word, cell=cell_only)} {word.usage}".rstrip()
    lines = [f"### `{usage}`", "", f"{word.summary[0].upper()}{word.summary[1:]}."]
    if word.cell:
        lines.append(f"As a `{magic.sign(word, cell=True)}` cell, the cell is {word.cell}.")
    if word.aliases:
        lines.append("Also: " + ", ".join(f"`{a}`" for a in word.aliases) + ".")
    lines.append("")
    if word.flags:
        lines += ["| flag | what it does |", "|---|---|", *(_flag(f) for f in word.flags), ""]
    return "\n".join(lines)


def _flag(flag: Flag) -> str:
    value = "" if flag.kind == "switch" else f" {flag.value or flag.kind.upper()}"
    *others, last = flag.names.split()
    shown = ", ".join(f"`{n}`" for n in [*others, last + value])
    allowed = f" (one of {', '.join(flag.values)})" if flag.values else ""
    return f"| {shown.replace('|', chr(92) + '|')} | {flag.help}{allowed} |"


if __name__ == "__main__":
    print(settings_page() if sys.argv[1:] == ["settings"] else page(), end="")

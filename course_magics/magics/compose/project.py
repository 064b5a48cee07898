"""What all words of `%compose` share: the flags before the word, and the project meant by them."""

from __future__ import annotations

from course_magics import settings
from course_magics.containers.compose.project import Project, find, from_cell
from course_magics.containers.compose.whose import own
from course_magics.containers.unseen import without
from course_magics.errors import OptionError
from course_magics.magics.grammar import Call, Flag, changed

BEFORE = (
    Flag("-p --project-name", "the project (default: named after the notebook)", "text", "NAME"),
    Flag("-f --file", "a file to use instead of a cell", "list", "FILE"),
    Flag(
        "--dir --project-directory",
        "the folder that relative paths begin at (default: the notebook's)",
        "text",
        "DIR",
    ),
    Flag("--profile", "with the services of this profile", "list", "NAME"),
    Flag("--env-file", "a file with variables, instead of .env", "list", "FILE"),
    Flag("--parallel", "so many things at once", "integer", "NUMBER"),
    Flag("--compatibility", "as compose 1 named and limited containers"),
    Flag("--dry-run", "show what would be done, do nothing"),
    Flag("--ansi", "colours in the output", "text", "WHEN", values=("auto", "never", "always")),
    Flag(
        "--progress",
        "quiet: without the live view",
        "text",
        "TYPE",
        values=("auto", "tty", "plain", "json", "quiet"),
    ),
)
#: Of those, the ones that a project keeps for the words after it, and those of one call.
_KEPT, _ONCE = ("--profile", "--env-file", "--compatibility"), ("--parallel", "--dry-run")


def project(call: Call, *, takes_file: bool = True) -> Project:
    """The project that the cell is about; a `%%` cell's own is kept.

    Raises OptionError, EngineError.
    takes_file: whether a `%%` cell of this word is the compose file.
    """
    given = call.before
    options = _options(call, _KEPT)
    if call.cell is not None and takes_file:
        if given["file"]:
            raise OptionError(f"{call.sign}: the cell is the file, so -f cannot name another")
        found = from_cell(
            call.cell, name=given["project_name"], folder=given["project_directory"],
            options=options,
        )  # fmt: skip
    else:
        found = find(
            name=given["project_name"], folder=given["project_directory"], files=given["file"],
            options=options, word=call.word.name,
        )  # fmt: skip
    return own(found, found.line(["ps"]))


def once(call: Call) -> list[str]:
    """Compose's flags for this call alone, which stand before the word."""
    return _options(call, _ONCE)


def _options(call: Call, names: tuple[str, ...]) -> list[str]:
    found: list[str] = []
    for name in names:
        value = call.before[name.lstrip("-").replace("-", "_")]
        if value is True:
            found.append(name)
        elif value:
            for item in value if isinstance(value, list) else [value]:
                found += [name, item if isinstance(item, str) else str(item)]
    return found


def words(call: Call, *more: str, name: str = "") -> list[str]:
    """The word and what was typed after it. more: flags to add where they were not typed."""
    word = name or call.word.name
    extra = [m for m in more if m.lstrip("-").replace("-", "_") not in call.given]
    return [word, *extra, *call.typed]


def unseen_values(
    call: Call, wanted: Project, typed: list[str], key: str
) -> tuple[Project, list[str]]:
    """The project and the words for a call that has no values of the flag `key` in its words."""
    wanted = wanted.with_environment(call.flags[key])
    first, rest = typed[:1], typed[1:]

    def change(value: str) -> str:
        return without(value, wanted.environment)

    return wanted, [*first, *changed(call.magic, call.word, rest, key, change)]


def colour(call: Call) -> bool:
    """Whether the services' names get colours."""
    return call.before["ansi"] != "never" and not call.flags.get("no_color")


def is_live(call: Call) -> bool:
    """Whether a live view is wanted."""
    return settings.current().live and call.before["progress"] != "quiet"

"""Help: every word has an example that can be typed; Shift-Tab; did you mean."""

from collections.abc import Iterator
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from course_magics.engine import names
from course_magics.errors import OptionError
from course_magics.magics import MAGICS, tooltip
from course_magics.magics.grammar import Magic, Word, parse
from course_magics.magics.help import Help, examples
from course_magics.magics.words import split

GRAMMARS = {m: import_module(f"course_magics.magics.{m}").MAGIC for m, _ in MAGICS.values()}
WORDS = [
    pytest.param(magic, word, id=f"{magic.name} {word.name}")
    for magic in GRAMMARS.values()
    for word in magic.words
]


@pytest.mark.parametrize(("magic", "word"), WORDS)
def test_every_word_has_an_example_that_is_right(magic: Magic, word: Word) -> None:
    found = [line for line in examples(magic, word) if "%" in line.partition("{{")[0]]
    assert found, "no example"
    assert "examples:" in str(Help(magic, word))
    for line in found:
        sign, rest = line[line.index("%") :].split(" ", 1) if " " in line else (line, "")
        cell = "x" if sign.startswith("%%") else None
        name = sign.strip("%")
        other = next(m for m in GRAMMARS.values() if m.name == name)
        call = parse(other, split(rest, {}), cell)
        assert call.word is word or other is not magic or len(found) > 1, line


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("%container up", "%vagrant up"),
        ("%container vagrant up", "did you mean %vagrant up?"),
        ("%container docker ps", "did you mean %container ps"),
        ("%vagrant run --rm x", "did you mean %container run"),
        ("%vagrant ps", "did you mean %container ps"),
        ("%engine use2", "did you mean %engine use?"),
        ("%container rnu", "did you mean %container run"),
        ("%docker rnu", "did you mean %container run"),
        ("%container image lst", "did you mean %container image list?"),
        ("%container run --pull=alwasy x", "did you mean --pull always?"),
        ("%vagrant snapshot restor", "did you mean %vagrant snapshot restore?"),
    ],
)
def test_did_you_mean(ip: InteractiveShell, line: str, says: str) -> None:
    error = ip.run_cell(line).error_in_exec
    assert isinstance(error, OptionError)
    assert says in str(error)


def test_a_word_like_no_other_gets_no_guess(ip: InteractiveShell) -> None:
    error = ip.run_cell("%container qqqqq").error_in_exec
    assert isinstance(error, OptionError)
    assert "did you mean" not in str(error)
    assert "--help lists the words" in str(error)


# --- Shift-Tab ------------------------------------------------------------------------------------


def at(cell: str) -> str:
    found = tooltip.at(cell.replace("¦", ""), cell.index("¦"))
    return "" if found is None else str(found)


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ("%container lo¦gs web", "usage: %container logs"),
        ("%container logs web¦", "usage: %container logs"),
        ("%cont¦ainer logs", "WORD: as after"),
        ("x = %container run --p¦ublish 8080:80 web", "publish a port on this computer"),
        ("%container run --publish 80¦80:80 web", "publish a port on this computer"),
        ("%container run -p ¦", "publish a port on this computer"),
        ("%container run --rm ¦", "usage: %container run"),
        ("%container imag¦e", "%container image WORD"),
        ("%compose -p shop lo¦gs", "usage: %compose logs"),
        ("%compose -p sh¦op logs", "the project"),
        ("%%compose\nservices:\n  web:\n    rest¦art: always\n", "when to restart it"),
        ("%vagrant snapshot sa¦ve x", "usage: %vagrant snapshot save"),
        ("%%dockerfile -t¦ x\nFROM a", "name of the image"),
        ("%%dockerfile\nFR¦OM a", "begin a stage"),
        ("%%dockerfile\nFROM a\nCOPY --fr¦om=b /x /", "stage or image to copy from"),
    ],
)
def test_the_help_at_the_cursor(cell: str, says: str) -> None:
    assert says in at(cell)


@pytest.mark.parametrize("cell", ["pri¦nt(1)", "x = 1\n¦", "%%bash\nls¦", "'%container run¦'", "¦"])
def test_elsewhere_there_is_none_of_ours(cell: str) -> None:
    assert at(cell) == ""


class Kernel:
    """A stand-in for ipykernel's, to see what is handed on."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.shell_handlers: dict[str, Any] = {"inspect_request": lambda *_: "theirs"}
        self.session = SimpleNamespace(send=lambda *words: self.sent.append(words))


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    yield Kernel()


def test_the_kernel_gets_its_own_handler_back(kernel: Kernel) -> None:
    shell: Any = SimpleNamespace(kernel=kernel)
    theirs = kernel.shell_handlers["inspect_request"]
    for _ in range(2):
        tooltip.register(shell)
        tooltip.register(shell)
        handler = kernel.shell_handlers["inspect_request"]
        assert handler("s", "i", {"content": {"code": "print", "cursor_pos": 2}}) == "theirs"
        assert not kernel.sent
        tooltip.unregister(shell)
        assert kernel.shell_handlers["inspect_request"] is theirs


def test_a_name_that_is_there_is_not_what_was_meant() -> None:
    """The engine may miss it elsewhere: a volume that is in no Swarm."""

    class Engine:
        """A fake: what is missing where cannot be had on demand."""

        def volumes(self) -> dict[str, list[dict[str, str]]]:
            return {"Volumes": [{"Name": "data"}, {"Name": "date"}]}

    assert names.near(Engine(), "volume data not found") is None  # type: ignore[arg-type]
    assert names.near(Engine(), "volume dta not found") == "data"  # type: ignore[arg-type]

"""Compose's flags before the word, its lines put in order, its faults in other versions' words."""

import os
from pathlib import Path

import pytest

from course_magics.containers.compose import keys, program, project
from course_magics.containers.compose.faults import look
from course_magics.containers.compose.logs import Lines
from course_magics.containers.compose.progress import Changes, Progress
from course_magics.containers.compose.source import with_labels
from course_magics.errors import OptionError
from course_magics.magics.compose import MAGIC
from course_magics.magics.grammar import parse
from course_magics.process import Kept
from course_magics.shell import Token, Value


def test_flags_before_the_word_are_the_program_s() -> None:
    call = parse(MAGIC, ["-p", "shop", "-fa.yaml", "--profile=x", "logs", "-f", "web"])
    assert (call.before["project_name"], call.before["file"]) == ("shop", ["a.yaml"])
    assert (call.word.name, call.follow, call.args) == ("logs", True, ["web"])
    assert call.line == "docker compose -p shop -fa.yaml --profile=x logs -f web"


def test_no_word_is_the_default_one() -> None:
    call = parse(MAGIC, ["-p", "shop", "--build"], "services: {}")
    assert (call.word.name, call.build, call.before["project_name"]) == ("", True, "shop")


@pytest.mark.parametrize(
    ("tokens", "words"),
    [
        (["up", "-p", "x"], "-p goes before the word"),
        (["-p"], "-p needs a value"),
        (["-p", "x", "upp"], "did you mean %compose up?"),
        (["--profil", "x"], "unknown flag --profil"),
    ],
)
def test_what_is_wrong_with_them(tokens: list[str], words: str) -> None:
    with pytest.raises(OptionError) as error:
        parse(MAGIC, tokens)
    assert words in str(error.value)


def test_lines_have_names_and_colours_that_do_not_depend_on_who_came_first() -> None:
    out = Kept()
    lines = Lines(out, ["a", "long"], grouped=True)
    for piece in (
        b"\x1b[2Klong-1  | x\n\x1b[2Ka",
        b"-1     | y | z\nAttaching to a-1\nlong-1  | w",
    ):
        lines.write(piece)
    lines.close()
    assert out.text == (
        "\x1b[36ma-1    | \x1b[0my | z\n\x1b[33mlong-1 | \x1b[0mx\n\x1b[33mlong-1 | \x1b[0mw\n"
    )


def test_progress_keeps_the_last_state_and_the_rest() -> None:
    progress = Progress()
    progress.write(
        b' Container x-a-1  Creating\n Container x-a-1  Created\n Volume "x_d"  Removed\n'
        b' Network x_n  Resource is still in use\ntime="t" level=warning msg="f: is obsolete"\n'
        b"it went wrong"
    )
    progress.close()
    rows = [tuple(r.values()) for r in Changes(progress, "docker compose up").rows]
    assert rows == [
        ("container", "x-a-1", "created"),
        ("network", "x_n", "resource is still in use"),
        ("volume", "x_d", "removed"),
    ]
    assert (progress.warnings, progress.words) == (["is obsolete"], "it went wrong")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("validating /x/a.yaml: services.web additional properties 'imge' not allowed", 3),
        ("services.web.imge must be a string", 3),
        ("yaml: line 9: mapping values are not allowed in this context", 9),
    ],
)
def test_newer_versions_words(words: str, line: int) -> None:
    found = look(words, "services:\n  web:\n    imge: 5\n")
    assert found is not None
    assert found.place is not None
    assert found.place.line == line


def test_words_about_no_file_are_no_fault() -> None:
    assert look("Error response from daemon: port is already allocated", "services: {}") is None


def test_external_networks_and_volumes_get_no_labels() -> None:
    text = "services: {a: {image: x}}\nnetworks: {n: {external: true}, m: }\nvolumes: {v: {external: true}}\n"
    ours = with_labels(text, {"l": "1"})
    assert set(ours["networks"]) == {"m", "default"}
    assert "volumes" not in ours


def test_keys_by_place() -> None:
    assert "image" in keys.allowed("services.web")
    assert keys.allowed("services") == []
    assert "test" in keys.allowed("services.web.healthcheck")


def test_the_project_s_name(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSE_STATE", str(here))
    monkeypatch.delenv("COMPOSE_PROJECT_NAME", raising=False)

    def name(cell: str = "services: {}", **given: str | None) -> str:
        return project.from_cell(cell, **{"name": None, "folder": None, **given}).name  # type: ignore[arg-type]

    monkeypatch.setenv("JPY_SESSION_NAME", "/home/x/04 Compose & Co.ipynb")
    assert name() == "04composeco"
    assert name("name: shop\nservices: {}") == "shop"
    (here / "Web").mkdir()
    assert name(folder="Web") == "web"
    assert name(name="mine") == "mine"
    with pytest.raises(OptionError, match="project's name"):
        name(name="Mine!")


def test_the_hint_for_a_name_holds_nothing_of_a_value(here: Path) -> None:
    conn = Value("{conn}", "postgres://u:hunter2secret@db/x")
    with pytest.raises(OptionError) as error:
        project.find(name=Token([conn]), folder=None)
    assert "hunter2" not in f"{error.value.message}{error.value.hint}"
    assert "'{conn}'" in error.value.message
    with pytest.raises(OptionError) as error:
        project.find(name="My Shop", folder=None)
    assert error.value.hint == "type myshop"


# --- a compose file in a folder above ----------------------------------------------------------


@pytest.fixture
def below(here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder without a compose file, here; the one above has one that a stranger may have put."""
    monkeypatch.setenv("COURSE_STATE", str(here / "state"))
    monkeypatch.delenv("COMPOSE_PROJECT_NAME", raising=False)
    (here / "compose.yaml").write_text("services: {web: {image: x}}\n")
    folder = here / "below"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize(
    "word", ["", "up", "create", "run", "build", "config", "pull", "push", "scale", "watch"]
)
def test_a_word_that_needs_a_file_takes_none_from_above(below: Path, word: str) -> None:
    with pytest.raises(OptionError) as error:
        project.find(name="shop", folder=None, word=word)
    assert error.value.message == f"there is no compose file here, and {word or 'up'} needs one"
    assert f"-f {below.parent / 'compose.yaml'}" in str(error.value.hint)
    # The one here is the reader's own word, and so is one that is named.
    (below.parent / "compose.yaml").rename(below / "compose.yaml")
    assert project.find(name="shop", folder=None, word=word).files[0] == below / "compose.yaml"


@pytest.mark.parametrize("word", [*(w.name for w in MAGIC.words if w.name), "unknown"])
def test_compose_looks_for_no_file_above(
    below: Path, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the word: a newer compose may read the file for words that do without it today."""
    fake = below / "docker-compose"
    fake.write_text('#!/bin/sh\necho "$COMPOSE_FILE $*"\n')
    fake.chmod(0o755)
    monkeypatch.setattr(program, "find", lambda: fake)
    monkeypatch.setattr(program, "environment", dict)
    monkeypatch.delenv("COMPOSE_FILE", raising=False)
    named = project.Project("shop", below)
    for one in (named, None):
        assert program.capture(one, [word])[1].startswith(f"{os.devnull} "), one
    with_file = project.Project("shop", below, (below / "a.yaml", below / "b.yaml"))
    _, out, _ = program.capture(with_file, [word])
    assert out.startswith(" ") and f"-f {below}/a.yaml" in out

"""docker's own help beside our grammar: every word and flag is there, or listed with a reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from course_magics.magics import docker_cli
from course_magics.magics.container import MAGIC, unsupported
from course_magics.magics.docker_cli import Theirs, Verdict, judge
from course_magics.magics.grammar import Word

PAGE = Path(__file__).parents[2] / "docs/reference/docker-cli.md"


@pytest.fixture(scope="module")
def theirs() -> Theirs:
    if not docker_cli.client().exists():
        pytest.skip("Debian 13's docker client is not here: bash .ci/newer-docker")
    return docker_cli.read()


@pytest.fixture(scope="module")
def verdicts(theirs: Theirs) -> list[Verdict]:
    return judge(theirs)


def test_the_help_is_read(theirs: Theirs) -> None:
    """A parser that found nothing would let all the other tests pass."""
    assert len(theirs.words) > 100
    assert {"run", "container rename", "image ls", "network connect"} <= set(theirs.words)
    assert "-v --volume" in theirs.words["run"]
    # Flags that an older engine would have hidden.
    assert {"--annotation", "--health-start-interval", "--cpu-count"} <= set(theirs.words["run"])
    assert "--secret" in theirs.words["build"]
    assert "compose" in theirs.groups


def test_every_word_is_supported_or_has_a_reason(verdicts: list[Verdict]) -> None:
    assert [
        v.word for v in verdicts if v.word and not v.ours and not docker_cli.reason(v.word)
    ] == []


def test_every_flag_is_supported_or_has_a_reason(verdicts: list[Verdict]) -> None:
    assert {v.word: v.missing for v in verdicts if v.missing} == {}


def test_no_reason_for_what_is_supported(theirs: Theirs, verdicts: list[Verdict]) -> None:
    ours = {n: w for w in MAGIC.words for n in (w.name, *w.aliases)}
    assert [w for w in unsupported.WORDS if w in ours] == []
    assert [w for w in unsupported.WORDS if w not in theirs.words] == []
    assert [g for g in unsupported.GROUPS if any(n.split()[0] == g for n in ours)] == []
    for word, reasons in unsupported.FLAGS.items():
        known = [n for f in theirs.words[word] for n in f.split()]
        have = [n for f in ours[word].flags for n in f.names.split()] if word else []
        assert [f for f in reasons if f not in known or f in have] == [], word


@pytest.mark.parametrize("name", docker_cli.COUNTED)
def test_nearly_all_flags_are_supported(verdicts: list[Verdict], name: str) -> None:
    have, all = docker_cli.shares(verdicts)[name]
    assert all > 0
    assert have / all >= 0.95, f"{have} of {all}"


def test_the_page_is_what_is_made(theirs: Theirs) -> None:
    again = "python -m course_magics.magics.docker_cli > docs/reference/docker-cli.md"
    assert PAGE.read_text("utf-8") == docker_cli.page(theirs), f"make it anew: {again}"


def test_a_lack_is_noticed() -> None:
    """The judge itself: an unknown flag, an unknown short name, an unknown word."""
    some = Theirs({"": [], "rename": ["--nobody-has-this"], "rm": ["-x --force"], "dance": []})
    _, rename, rm, dance = judge(some)
    assert rename.missing == ["--nobody-has-this"]
    assert rm.missing == ["-x --force"]
    assert isinstance(rm.ours, Word)
    assert dance.ours is None
    assert docker_cli.reason("dance") is None

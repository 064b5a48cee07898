"""The picture of a container's life: what can be typed in which state, as text and as SVG."""

import xml.etree.ElementTree as xml

import pytest

from course_magics.display import lifecycle
from course_magics.display.lifecycle import STATES, Moment, moves, svg

_SVG = "{http://www.w3.org/2000/svg}"


def drawn(moment: Moment) -> list[str]:
    """The words in the picture; it must be well-formed."""
    return ["".join(t.itertext()) for t in xml.fromstring(svg(moment)).iter(f"{_SVG}text")]


@pytest.mark.parametrize("state", STATES)
def test_each_state_is_marked_by_words_not_by_colour_alone(state: str) -> None:
    moment = Moment("web", state)
    words = drawn(moment)
    assert f"● {state}" in words
    assert sum(w.startswith("●") for w in words) == 1
    assert f"web is {state}" in words
    assert f"[{state}]" in str(moment).splitlines()[0]


def test_the_text_says_what_can_be_typed_from_here() -> None:
    assert str(Moment("web", "paused")).splitlines() == [
        "web: created   running   [paused]   exited   removed",
        "from here           leads to",
        "docker unpause web  running",
        "docker stop web     exited",
        "docker kill web     exited",
        "docker rm -f web    removed",
        "$ docker events --filter container=web",
    ]


def test_the_end_of_a_program_has_its_status_and_removed_leads_nowhere() -> None:
    ended = Moment("web", "exited", 137)
    assert "[exited (137)]" in str(ended)
    assert "● exited (137)" in drawn(ended)
    gone = Moment("web", "removed")
    assert moves("removed") == []
    assert "from here" not in str(gone)
    assert "docker run makes another one" in gone.sentence


def test_every_move_has_its_line_in_the_picture() -> None:
    assert set(lifecycle._EDGES) == set(lifecycle.MOVES)
    for words in lifecycle.MOVES.values():
        shown = " ".join(drawn(Moment("web", "created")))
        assert all(word in shown for word in words)


def test_the_last_move_is_drawn_heavier_and_told() -> None:
    moment = Moment("web", "paused", seen=("created", "running", "paused"))
    heavy = [p for p in xml.fromstring(svg(moment)).iter(f"{_SVG}path") if
             p.get("stroke-width") == "4"]  # fmt: skip
    assert [p.get("d") for p in heavy] == [lifecycle._EDGES["running", "paused"].path]
    assert "so far: created → running → paused" in drawn(moment)


def test_the_picture_has_a_title_and_a_description() -> None:
    root = xml.fromstring(svg(Moment("web", "running")))
    assert root.get("role") == "img"
    assert root[0].text == "The life of the container web"
    assert root[1].text is not None
    assert root[1].text.startswith("web is running. From here: docker pause web, docker stop web")


def test_a_hostile_name_is_text() -> None:
    name = "<script>&\x1b[31m" + "x" * 90
    root = xml.fromstring(svg(Moment(name, "running")))
    assert not list(root.iter(f"{_SVG}script"))
    assert "\x1b" not in svg(Moment(name, "running")) + str(Moment(name, "running"))
    assert any(t.endswith("… is running") for t in drawn(Moment(name, "running")))


def test_a_bundle_has_the_text_and_the_picture() -> None:
    bundle = Moment("web", "created")._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "image/svg+xml"}

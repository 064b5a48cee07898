"""Text and HTML from the same blocks; nothing from outside gets through unescaped."""

from html.parser import HTMLParser

import pytest

from course_magics.display import Command, Facts, Grid, Line, Pre, Shown, Table
from course_magics.display.blocks import width
from course_magics.text import clean

HOSTILE = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror='alert(1)'>",
    "a\x1b[31mred\x1b[0m",
    "evil\u202egnp.exe",
    "nul\x00byte",
    "lone\udc80surrogate",
    "two\nlines\tand a tab\r",
    "&amp;<b>",
    "x" * 100_000,
]


class Tags(HTMLParser):
    """Collects what a browser would see as elements."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.add(tag)
        assert not any(name.startswith("on") for name, _ in attrs)


def tags(html: str) -> set[str]:
    parser = Tags()
    parser.feed(html)
    return parser.found


@pytest.mark.parametrize("value", HOSTILE)
def test_blocks_escape_everything(value: str) -> None:
    blocks = [
        Line(value),
        Command(value),
        Pre(value),
        Grid([value], [[value]]),
        Facts([(value, value)]),
    ]
    own = {"div", "pre", "table", "thead", "tbody", "tr", "th", "td"}
    for block in blocks:
        html, text = block.html(), block.text()
        assert tags(html) <= own
        html.encode()  # a lone surrogate would not get through to a notebook file
        text.encode()
        assert "\x1b" not in html + text
        assert "\u202e" not in html + text
        assert "\x00" not in html + text


def test_the_escaping_test_can_fail() -> None:
    assert "script" in tags(f"<div>{HOSTILE[0]}</div>")


def test_a_grid_lines_up_whatever_the_alphabet() -> None:
    lines = Grid(["NAME", "N"], [["größe", 1], ["容器", 22]], frozenset({"N"})).text().split("\n")
    assert len({width(line) for line in lines}) == 1
    assert lines[2].endswith("22")


def test_an_empty_table_says_so() -> None:
    assert str(Table({"A": "a"}, [], empty="(no containers)")) == "(no containers)"


def test_text_and_html_say_the_same() -> None:
    bundle = Table({"NAME": "n"}, [{"n": "web"}], command="docker ps")._repr_mimebundle_()
    assert bundle["text/plain"] == "NAME\nweb\n$ docker ps"
    for word in ("NAME", "web", "$ docker ps"):
        assert word in bundle["text/html"]


def test_a_table_keeps_all_data() -> None:
    table = Table({"NAME": "n"}, [{"n": "web", "hidden": 1}])
    assert table[0]["hidden"] == 1
    assert len(table) == 1
    assert list(table) == [{"n": "web", "hidden": 1}]


def test_clean_keeps_ordinary_text() -> None:
    assert clean("größe 容器 é") == "größe 容器 é"


def test_a_result_must_say_what_it_shows() -> None:
    with pytest.raises(NotImplementedError):
        str(Shown())


def test_two_dollar_signs_in_one_text_are_no_formula() -> None:
    blocks = [
        Command('sh -c "echo $HOME"'),
        Grid(["STEP"], [["RUN echo $A > $B"]]),
        Facts([("a", "$x $y")]),
        Line("$1 and $2"),
    ]
    for block in blocks:
        assert block.html().count("<span>$</span>") == 2
        assert "<span>" not in block.text()
    assert "$ docker ps<" in Command("docker ps").html()  # a single one begins no formula

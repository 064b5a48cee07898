"""Markdown: as text it stays as written, as HTML it is set, and nothing in it becomes HTML."""

import pytest

from course_magics.display import Markdown


@pytest.mark.parametrize(
    ("source", "html"),
    [
        ("# A <b>", "<h3>A &lt;b&gt;</h3>"),
        ("## B", "<h4>B</h4>"),
        ("one\ntwo", "<p>one two</p>"),
        ("one\n\ntwo", "<p>one</p><p>two</p>"),
        ("- a\n- b\n  c", "<ul><li>a</li><li>b c</li></ul>"),
        ("1. a\n2. b", "<ol><li>a</li><li>b</li></ol>"),
        ("a\n- b", "<p>a</p><ul><li>b</li></ul>"),
        ("> a\n> b", "<blockquote><p>a b</p></blockquote>"),
        ("`<x> *y*` **b** *i*", "<p><code>&lt;x&gt; *y*</code> <strong>b</strong> <em>i</em></p>"),
        ("2 * 3 * 4", "<p>2 * 3 * 4</p>"),
        ("[a](javascript:x)", "<p>[a](javascript:x)</p>"),
        ("", ""),
    ],
)
def test_it_is_set(source: str, html: str) -> None:
    assert Markdown(source).html() == html


def test_a_link_opens_beside_the_notebook() -> None:
    html = Markdown('[a "b"](https://example.org/?x=1&y=2)').html()
    assert 'href="https://example.org/?x=1&amp;y=2"' in html
    assert "&quot;b&quot;</a>" in html


def test_fenced_code_is_kept_whole_and_loses_its_word() -> None:
    block = Markdown("a\n\n```cell\n# not a heading\n<b>\n\n- x\n```\n\nb")
    assert "# not a heading\n&lt;b&gt;\n\n- x</pre><p>b</p>" in block.html()
    assert block.text() == "a\n\n```\n# not a heading\n<b>\n\n- x\n```\n\nb"
    assert "open" in Markdown("```\nopen").html()  # never closed


def test_control_characters_do_not_get_through() -> None:
    assert "\x1b" not in Markdown("a\x1b[31mb").text()
    assert "\x1b" not in Markdown("a\x1b[31mb\n```\n\x1b\n```").html()

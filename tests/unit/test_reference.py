"""The reference page says what the grammar says."""

from pathlib import Path

from course_magics.magics.reference import page

PAGE = Path(__file__).parents[2] / "docs/magics.md"


def test_the_page_is_what_the_grammar_makes() -> None:
    again = "python -m course_magics.magics.reference > docs/magics.md"
    assert PAGE.read_text("utf-8") == page(), f"make it anew: {again}"


def test_every_magic_is_on_it() -> None:
    for sign in ("%container run", "%%dockerfile", "%vagrant snapshot save", "%doctor", "%engine"):
        assert f"`{sign}" in page()

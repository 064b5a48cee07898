"""The pages that are made say what the grammar and the settings say."""

from pathlib import Path

from course_magics.magics.reference import page, settings_page
from course_magics.settings import CourseMagics

PAGE = Path(__file__).parents[2] / "docs/magics.md"


def test_the_page_is_what_the_grammar_makes() -> None:
    again = "python -m course_magics.magics.reference > docs/magics.md"
    assert PAGE.read_text("utf-8") == page(), f"make it anew: {again}"


def test_the_settings_are_what_the_traits_say() -> None:
    again = "python -m course_magics.magics.reference settings > docs/settings.md"
    shown = PAGE.with_name("settings.md").read_text("utf-8")
    assert shown == settings_page(), f"make it anew: {again}"
    for name, trait in CourseMagics.class_own_traits(config=True).items():
        assert f"| `{name}` |" in shown
        assert trait.help


def test_every_magic_is_on_it() -> None:
    for sign in ("%container run", "%%dockerfile", "%vagrant snapshot save", "%doctor", "%engine"):
        assert f"`{sign}" in page()

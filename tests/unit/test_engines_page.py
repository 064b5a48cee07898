"""The page about engines is made of the tests' own table."""

from pathlib import Path

from tests.engine.differences import page

PAGE = Path(__file__).parents[2] / "docs/reference/engines.md"


def test_the_page_is_the_table() -> None:
    made = "python -m tests.engine.differences > docs/reference/engines.md"
    assert PAGE.read_text() == "\n".join(page()) + "\n", f"make it anew: {made}"

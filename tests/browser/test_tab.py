"""Tab and Shift-Tab in JupyterLab: the list, and what each entry means, as a reader sees them."""

import re

import pytest
from playwright.sync_api import Page, expect

from .conftest import PATIENCE, Lab, picture

pytestmark = [pytest.mark.browser, pytest.mark.engine]


def type_in(page: Page, cell: int, text: str) -> None:
    """Type at the end of a cell, as a reader does."""
    page.locator(".jp-CodeCell .cm-content").nth(cell).click()
    page.keyboard.press("Control+End")
    page.keyboard.type(text)


def meanings(page: Page) -> list[str]:
    """What stands on the right of the completer's entries."""
    found = page.locator(".jp-Completer-item .jp-Completer-typeExtended").all_inner_texts()
    return [re.sub(r"\s", " ", text.replace("\N{WORD JOINER}", "")) for text in found]


def test_tab_shows_words_and_what_they_mean(lab: Lab) -> None:
    page = lab.open(
        "tab",
        "%load_ext course_magics\nx = %container ps",
        "%container r",
        "%%dockerfile\nFROM a\n",
    )
    lab.run_all(page)
    expect(page.locator(".jp-CodeCell .jp-InputPrompt").nth(0)).to_have_text(
        "[1]:", timeout=PATIENCE
    )
    completer = page.locator(".jp-Completer:visible")

    type_in(page, 1, "")
    page.keyboard.press("Tab")
    expect(completer).to_contain_text("restart")
    expect(completer).to_contain_text("rmi")
    assert "stop and start containers" in meanings(page)
    # The meaning is on one line, whole, beside its word.
    item = completer.locator(".jp-Completer-item").filter(has_text="restart")
    row, said = item.bounding_box(), item.locator(".jp-Completer-typeExtended").bounding_box()
    assert row and said
    assert said["width"] > 150
    assert said["height"] <= row["height"]
    picture(page, "tab-words")
    page.keyboard.press("Escape")

    type_in(page, 1, "estart --no-ra")
    page.keyboard.press("Tab")
    expect(completer).to_contain_text("--no-raise")
    page.keyboard.press("Enter")
    text = page.locator(".jp-CodeCell .cm-content").nth(1)
    expect(text).to_have_text("%container restart --no-raise")

    type_in(page, 2, "CO")
    page.keyboard.press("Tab")
    expect(completer).to_contain_text(
        "copy files of the context".replace(" ", "\N{NO-BREAK SPACE}")
    )
    page.keyboard.press("Enter")
    expect(page.locator(".jp-CodeCell .cm-content").nth(2)).to_contain_text("COPY")
    type_in(page, 2, "\nRUN --")
    page.keyboard.press("Tab")
    expect(completer).to_contain_text("--mount=")
    picture(page, "tab-dockerfile")
    page.close()


def test_shift_tab_shows_the_help_of_the_word(lab: Lab) -> None:
    page = lab.open("shift-tab", "%load_ext course_magics", "%container logs")
    lab.run_all(page)
    expect(page.locator(".jp-CodeCell .jp-InputPrompt").nth(0)).to_have_text(
        "[1]:", timeout=PATIENCE
    )
    type_in(page, 1, "")
    page.keyboard.press("Shift+Tab")
    tooltip = page.locator(".jp-Tooltip")
    expect(tooltip).to_contain_text("usage: %container logs", timeout=PATIENCE)
    picture(page, "shift-tab")
    page.close()

"""A quiz in JupyterLab, answered by the keyboard alone, as a reader and a screen reader meet it."""

import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Locator, Page, expect

from .conftest import PATIENCE, Lab, picture

pytestmark = [pytest.mark.browser]

LONG = (
    "A choice so long that it does not fit into one line of a notebook at 1280 pixels, which is "
    "what a reader has on a small screen, and that therefore has to go on in a second line, whole"
)
QUIZ = f"""\
title: Keys
questions:
  - id: one
    ask: Which one is right, <b>this</b> or that?
    choices:
      - text: The first, <script>alert(1)</script>
        because: It is not.
      - text: {LONG}
        right: true
        because: It is long.
      - text: The third
        because: It is not either.
  - id: both
    ask: Which of these are right?
    many: true
    choices:
      - text: A
        right: true
        because: The first letter is.
      - text: {LONG} or not
        because: This is not a letter.
      - text: B
        right: true
        because: The second letter is.
"""


@pytest.fixture
def quiz(lab: Lab) -> Iterator[Page]:
    folder = Path(lab.folder) / "quizzes"
    folder.mkdir(exist_ok=True)
    (folder / "09-keys.yaml").write_text(QUIZ, "utf-8")
    name = f"keys-{uuid.uuid4().hex[:6]}"  # a kernel of its own
    page = lab.open(name, "%load_ext course_magics", "%quiz 09-keys")
    page.on("dialog", lambda dialog: pytest.fail("a choice became a script"))
    lab.run_all(page)
    expect(output(page).get_by_role("button", name="Check").first).to_be_visible(timeout=PATIENCE)
    yield page
    page.close()


def output(page: Page) -> Locator:
    return page.locator(".jp-CodeCell").nth(1).locator(".jp-Cell-outputArea")


def tab_to(page: Page, wanted: Locator, key: str = "Tab") -> None:
    """Press Tab until `wanted` has the focus."""
    for _ in range(40):
        if wanted.evaluate("e => e === document.activeElement"):
            return
        page.keyboard.press(key)
    pytest.fail("Tab does not lead there")


def test_it_is_answered_by_the_keyboard_alone(quiz: Page) -> None:
    out = output(quiz)
    first, second = out.get_by_role("button", name="Check").all()
    radios = out.get_by_role("radio")
    expect(radios).to_have_count(3)
    assert out.get_by_role("status").all_inner_texts() == ["", ""]
    expect(out.locator(":checked")).to_have_count(0)

    tab_to(quiz, first)  # nothing chosen yet
    quiz.keyboard.press("Enter")
    expect(out.get_by_role("status").first).to_have_text("choose an answer first")

    tab_to(quiz, radios.nth(0), "Shift+Tab")
    quiz.keyboard.press("Space")
    tab_to(quiz, first)
    quiz.keyboard.press("Enter")
    said = out.get_by_role("status").first
    expect(said).to_contain_text("Not right.", timeout=PATIENCE)
    expect(said).to_contain_text("✘ The first, <script>alert(1)</script>: It is not.")
    expect(said).to_contain_text(f"→ {LONG}: It is long.")
    picture(quiz, "quiz-wrong")

    tab_to(quiz, radios.nth(1), "Shift+Tab")
    quiz.keyboard.press("Space")
    expect(radios.nth(0)).not_to_be_checked(timeout=PATIENCE)  # one answer only
    expect(radios.nth(1)).to_be_checked()
    tab_to(quiz, first)
    quiz.keyboard.press("Space")
    expect(said).to_contain_text(f"✔ {LONG}: It is long.", timeout=PATIENCE)
    expect(said).not_to_contain_text("Not right.")
    expect(said).not_to_contain_text("It is not.")

    boxes = out.get_by_role("checkbox")
    expect(boxes).to_have_count(3)
    for box in (boxes.nth(0), boxes.nth(2)):
        tab_to(quiz, box)
        quiz.keyboard.press("Space")
    tab_to(quiz, second)
    quiz.keyboard.press("Enter")
    said = out.get_by_role("status").nth(1)
    expect(said).to_contain_text("✔ A: The first letter is.", timeout=PATIENCE)
    expect(said).to_contain_text("✔ B: The second letter is.")
    picture(quiz, "quiz-answered")


def test_nothing_is_cut_and_everything_has_a_name(quiz: Page) -> None:
    out = output(quiz)
    picture(quiz, "quiz")
    assert out.get_by_role("radio", name=LONG).count() == 1
    assert out.get_by_role("checkbox", name=f"{LONG} or not").count() == 1
    for label in out.locator("label:visible").all():
        box = label.evaluate(
            "e => [e.scrollWidth - e.clientWidth, e.scrollHeight - e.clientHeight]"
        )
        assert max(box) <= 1, f"cut: {label.inner_text()}"
    area = out.bounding_box()
    assert area is not None
    for label in out.locator("label:visible").all():
        place = label.bounding_box()
        assert place is not None
        assert place["x"] + place["width"] <= area["x"] + area["width"]


def test_a_stored_quiz_is_read_without_a_kernel(lab: Lab) -> None:
    (Path(lab.folder) / "quizzes").mkdir(exist_ok=True)
    (Path(lab.folder) / "quizzes/09-keys.yaml").write_text(QUIZ, "utf-8")
    cells = [nbformat.v4.new_code_cell(c) for c in ("%load_ext course_magics", "%quiz 09-keys")]
    path = Path(lab.folder) / "paper.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    # A process of its own: playwright has an event loop here.
    store = [sys.executable, "-m", "course_magics.course", "store", str(path)]
    subprocess.run(store, check=True, capture_output=True)
    page = lab.browser.new_page(viewport={"width": 1280, "height": 800})
    page.on("dialog", lambda dialog: pytest.fail("a choice became a script"))
    page.goto(f"http://127.0.0.1:{lab.port}/lab/tree/paper.ipynb?reset")
    expect(output(page)).to_contain_text("Which of these are right?", timeout=PATIENCE)
    expect(output(page)).to_contain_text("%quiz 09-keys --answer one=1")
    picture(page, "quiz-stored")
    page.close()

"""The decks of slides in a Chromium without a network: nothing is fetched, nothing is cut."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route

from course_magics.course.slides import HEIGHT, WIDTH, make

from .conftest import picture

pytestmark = pytest.mark.browser

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
#: What a browser would fetch by itself. Addresses in comments and in prose are none.
FETCHED = re.compile(
    r"<(?:script|img|iframe|link)\b[^>]*(?:src|href)\s*=\s*[\"']?(?:https?:)?//"
    r"|@import\s+(?:url\()?[\"']?(?:https?:)?//|url\(\s*[\"']?(?:https?:)?//"
    r"|import\s[^;]*[\"']https?://|cdnjs\.|unpkg\.|jsdelivr\.|googleapis\."
)
#: Each slide in turn, all its fragments shown: how high and wide is what it holds?
MEASURE = """() => {
  const found = [], edge = document.querySelector('.slides').getBoundingClientRect();
  const most = (e, side) => Math.max(...e.map(x => x.getBoundingClientRect()[side]), 0);
  for (const slide of Reveal.getSlides()) {
    const at = Reveal.getIndices(slide);
    Reveal.slide(at.h, at.v, 1000);
    const shown = [...slide.querySelectorAll('*')].filter(e => e.getClientRects().length);
    const wide = shown.filter(e => e.scrollWidth > e.clientWidth + 2 && e.clientWidth > 0
      && getComputedStyle(e).overflowX !== 'visible').map(e => e.tagName + '.' + e.className + ' ' + e.innerText.slice(0, 60));
    found.push({
      slide: `${at.h + 1}.${(at.v || 0) + 1}`,
      title: (slide.innerText.trim().split('\\n')[0] || '').slice(0, 60),
      below: Math.round(most(shown, 'bottom') - edge.bottom),
      beside: Math.round(most(shown, 'right') - edge.right),
      zoom: slide.style.zoom, wide: wide.slice(0, 3),
      broken: [...slide.querySelectorAll('img')].filter(i => !i.naturalWidth).length,
    });
  }
  return found;
}"""


@pytest.fixture(scope="module")
def decks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("slides")
    make(NOTEBOOKS, out)
    return out


def offline(browser: Browser, fetched: list[str]) -> Page:
    """A page of one slide's size that gets files only, and writes down what else it asked for."""

    def answer(route: Route) -> None:
        if route.request.url.startswith(("file:", "data:", "blob:")):
            route.continue_()
        else:
            fetched.append(route.request.url)
            route.abort()

    page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
    page.route("**/*", answer)
    return page


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_deck_fetches_nothing_and_each_slide_holds_its_content(
    notebook: Path, decks: Path, browser: Browser
) -> None:
    deck = decks / f"{notebook.stem}.html"
    assert not FETCHED.search(deck.read_text("utf-8"))
    fetched: list[str] = []
    errors: list[str] = []
    page = offline(browser, fetched)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(deck.as_uri())
    page.wait_for_function("window.Reveal && Reveal.isReady()")
    slides: list[dict[str, Any]] = page.evaluate(MEASURE)
    page.evaluate("Reveal.slide(0, 0)")
    picture(page, f"slides-{notebook.stem}")
    page.close()
    assert (fetched, errors) == ([], [])
    assert len(slides) >= 5
    cut = [s for s in slides if s["below"] > 1 or s["beside"] > 1 or s["wide"]]
    assert not cut, "\n".join(map(str, ["these slides hold more than they show:", *cut]))
    assert not any(s["broken"] for s in slides)


def test_the_list_of_decks_leads_to_each(decks: Path, browser: Browser) -> None:
    fetched: list[str] = []
    page = offline(browser, fetched)
    page.goto((decks / "index.html").as_uri())
    links = [link.get_attribute("href") for link in page.get_by_role("link").all()]
    assert links == [f"./{path.stem}.html" for path in NOTEBOOKS]
    page.get_by_role("link").first.click()
    page.wait_for_function("window.Reveal && Reveal.isReady()")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("Reveal.getIndices().h") + page.evaluate("Reveal.getIndices().v") >= 1
    assert fetched == []
    page.close()

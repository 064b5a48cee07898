"""`make docs`: built without a warning, and its pages fetch nothing from elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from course_magics.course import site

from .conftest import picture
from .test_slides import FETCHED, NOTEBOOKS, offline

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1200)]

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site") / "docs"
    assert site.make(ROOT, out) == 0
    return out


def test_no_page_fetches_anything(built: Path) -> None:
    pages = list(built.rglob("*.html"))
    assert len(pages) > 50
    for page in [*pages, *built.rglob("*.css")]:
        assert not FETCHED.search(page.read_text("utf-8")), page


def test_every_notebook_and_page_is_there(built: Path, browser: Browser) -> None:
    fetched: list[str] = []
    page = offline(browser, fetched)
    page.goto((built / "index.html").as_uri())
    for path in NOTEBOOKS:
        assert page.locator(f"a[href='notebooks/{path.stem}.html']").count(), path
    picture(page, "site")
    page.goto((built / f"notebooks/{NOTEBOOKS[0].stem}.html").as_uri())
    expect(page.get_by_role("heading", level=1)).to_contain_text("Start here")
    expect(page.locator("body")).to_contain_text("hello from a container")
    picture(page, "site-notebook")
    page.goto((built / "api/course_magics.containers.run.html").as_uri())
    expect(page.locator("body")).to_contain_text("run_foreground")
    assert fetched == []
    page.close()


def test_the_api_page_names_every_module_of_docker_and_vagrant() -> None:
    listed = set((ROOT / "docs/api.md").read_text("utf-8").split())
    for noun in ("containers", "machines"):
        for path in sorted((ROOT / "course_magics" / noun).glob("*.py")):
            if path.stem != "__init__":
                assert f"course_magics.{noun}.{path.stem}" in listed, path

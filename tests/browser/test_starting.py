"""What a reader sees while the embedded engine starts, and what is left of it."""

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from course_magics.engine import embedded

from .conftest import PATIENCE, Lab, picture

pytestmark = [pytest.mark.browser, pytest.mark.embedded]


@pytest.fixture
def state(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A state folder of its own, emptied at the end."""
    # In a process of its own: Playwright has an event loop here.
    subprocess.run([sys.executable, "-m", "course_magics.engine.embedded.prepare"], check=True)
    with tempfile.TemporaryDirectory(prefix="course-state-") as folder:
        monkeypatch.setenv("COURSE_STATE", folder)
        yield Path(folder)
        embedded.reset()


def test_the_start_is_shown_and_goes_away(lab: Lab, state: Path, free_port: int) -> None:
    page = lab.open(
        "starting",
        f"import os\nos.environ.update(COURSE_STATE={str(state)!r}, COURSE_ENGINE='embedded')\n"
        "%load_ext course_magics",
        f"%container run -d --name page -p {free_port}:80 course/busybox httpd -f -h /bin",
        "%engine",
        "%container rm -f page",
    )
    lab.run_all(page)
    out = page.locator(".jp-CodeCell").nth(1).locator(".jp-Cell-outputArea")
    status = out.get_by_role("status")
    expect(status).to_contain_text("Starting the embedded engine", timeout=PATIENCE)
    picture(page, "engine-starting")
    expect(out).to_contain_text("page", timeout=PATIENCE)
    expect(out).to_contain_text("running", timeout=PATIENCE)
    expect(status).to_have_count(0)
    expect(out.get_by_role("link")).to_have_attribute("href", re.compile(rf":{free_port}/$"))
    shown = page.locator(".jp-CodeCell").nth(2).locator(".jp-Cell-outputArea")
    expect(shown).to_contain_text("software emulation", timeout=PATIENCE)
    picture(page, "engine-started")
    assert "Error displaying widget" not in page.inner_text("body")
    page.close()

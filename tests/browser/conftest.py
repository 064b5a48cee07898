"""A real JupyterLab in a real Chromium, for tests that look and click as a reader would."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from course_magics.patience import until

#: How long a front end may take for one step (milliseconds).
PATIENCE = 60_000


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, or the one that is installed."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    flags = ["--no-sandbox", "--disable-background-networking", "--disable-component-update"]
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=program, args=flags)
        yield found
        found.close()


class Lab:
    """A JupyterLab on loopback with folders of its own."""

    def __init__(self, folder: Path, browser: Browser) -> None:
        self.folder = folder / "root"
        self.folder.mkdir()
        self.browser = browser
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")}
        for name in ("CONFIG", "DATA", "RUNTIME"):
            environment[f"JUPYTER_{name}_DIR"] = str(folder / name.lower())
        environment["JUPYTERLAB_SETTINGS_DIR"] = str(folder / "settings")
        environment["JUPYTERLAB_WORKSPACES_DIR"] = str(folder / "workspaces")
        self.log = (folder / "lab.log").open("wb")
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
                *("--ip=127.0.0.1", f"--port={self.port}", "--ServerApp.port_retries=0"),
                *("--IdentityProvider.token=", f"--ServerApp.root_dir={self.folder}"),
                "--LabApp.news_url=None",
            ],
            env=environment,
            stdout=self.log,
            stderr=self.log,
        )
        self._wait()

    def _wait(self) -> None:
        def answers() -> bool:
            assert self.process.poll() is None, "JupyterLab ended"
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api", timeout=10).read()
            except OSError:
                return False
            return True

        until(answers, pause=0.2, what="JupyterLab")

    def open(self, name: str, *cells: str) -> Page:
        """A notebook with these cells, open in a page of 1280 x 800, its kernel idle."""
        book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
        book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
        nbformat.write(book, self.folder / f"{name}.ipynb")
        page = self.browser.new_page(viewport={"width": 1280, "height": 800})
        page.set_default_timeout(PATIENCE)
        page.goto(f"http://127.0.0.1:{self.port}/lab/tree/{name}.ipynb?reset")
        page.get_by_role("tab", name=f"{name}.ipynb").wait_for()
        self._await_idle_kernel(f"{name}.ipynb")
        return page

    def _await_idle_kernel(self, name: str) -> None:
        def states() -> list[str]:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/sessions") as answer:
                sessions = json.load(answer)
            return [s["kernel"]["execution_state"] for s in sessions if s["path"] == name]

        until(lambda: states() == ["idle"], sign=states, pause=0.2, what=f"the kernel of {name}")

    def run_all(self, page: Page) -> None:
        """Run → Run All Cells; once more when a cold front end has lost the first click."""
        prompt = page.locator(".jp-CodeCell .jp-InputPrompt").first
        for patience in (15_000, PATIENCE):
            page.get_by_role("menuitem", name="Run", exact=True).click()
            page.locator("[data-command='runmenu:run-all']").first.click()
            try:
                expect(prompt).to_have_text(re.compile(r"\[(\d+|\*)\]:"), timeout=patience)
                return
            except AssertionError:
                if patience == PATIENCE:
                    raise

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=20)
        self.log.close()


@pytest.fixture(scope="session")
def lab(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One JupyterLab for all tests, warmed up: the first page of a cold one is slow."""
    lab = Lab(tmp_path_factory.mktemp("lab"), browser)
    lab.open("warm-up", "1").close()
    yield lab
    lab.close()


def picture(page: Page, name: str) -> None:
    """Keep what a reader would see, for us to look at: build/screens/NAME.png."""
    folder = Path("build/screens")
    folder.mkdir(parents=True, exist_ok=True)
    options: dict[str, Any] = {"path": str(folder / f"{name}.png")}
    page.screenshot(**options)

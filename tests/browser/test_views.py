"""The live views in JupyterLab, as a reader sees and clicks them."""

import re
import uuid
from collections.abc import Iterator

import docker
import pytest
from playwright.sync_api import Page, expect

from course_magics import engine

from .conftest import PATIENCE, Lab, picture

pytestmark = [pytest.mark.browser, pytest.mark.engine]


@pytest.fixture
def name() -> Iterator[str]:
    name = f"screen-{uuid.uuid4().hex[:6]}"
    yield name
    api: docker.APIClient = engine.current().api
    for found in api.containers(all=True, filters={"name": name}):
        api.remove_container(found["Id"], force=True)
    for image in api.images(name):
        api.remove_image(image["Id"], force=True)


def output(page: Page, number: int):  # type: ignore[no-untyped-def]
    """The output area of a code cell (from 0)."""
    return page.locator(".jp-CodeCell").nth(number).locator(".jp-Cell-outputArea")


def test_a_build_is_shown_live_and_leaves_its_result(lab: Lab, name: str) -> None:
    page = lab.open(
        "build",
        "%load_ext course_magics",
        f"%%dockerfile -t {name} --no-cache\nFROM course/busybox\n"
        "RUN for i in 1 2 3 4 5 6; do echo line $i; sleep 0.5; done\n"
        "RUN echo '<b>bold</b>' && sleep 1\nCMD [\"true\"]",
    )
    lab.run_all(page)
    out = output(page, 1)
    bar = out.get_by_role("progressbar")
    expect(bar).to_be_visible(timeout=PATIENCE)
    expect(out).to_contain_text("line 3", timeout=PATIENCE)
    expect(out.locator("table").first).to_contain_text("running")
    picture(page, "build-running")
    expect(out).to_contain_text("0 of 3 steps cached", timeout=PATIENCE)
    expect(bar).to_have_count(0)
    text = out.inner_text()
    assert "Error displaying widget" not in text
    assert "Loading widget" not in text
    picture(page, "build-done")
    page.close()


def test_a_stored_notebook_opens_without_a_dead_widget(lab: Lab, name: str) -> None:
    page = lab.open(
        "stored",
        "%load_ext course_magics",
        f'%%dockerfile -t {name}\nFROM course/busybox\nCMD ["true"]',
    )
    lab.run_all(page)
    expect(output(page, 1)).to_contain_text("steps cached", timeout=PATIENCE)
    # The view goes a moment after the result has come.
    expect(output(page, 1).locator(".jupyter-widgets:visible")).to_have_count(0, timeout=PATIENCE)
    page.keyboard.press("Control+s")
    page.wait_for_timeout(1500)
    page.close()
    again = lab.browser.new_page(viewport={"width": 1280, "height": 800})
    again.goto(f"http://127.0.0.1:{lab.port}/lab/tree/stored.ipynb?reset")
    expect(output(again, 1)).to_contain_text("steps cached", timeout=PATIENCE)
    again.wait_for_timeout(1500)
    picture(again, "stored")
    assert "Error displaying widget" not in output(again, 1).inner_text()
    again.close()


def test_the_container_panel(lab: Lab, name: str) -> None:
    page = lab.open(
        "panel",
        "%load_ext course_magics",
        f"%container run -d --name {name} course/busybox "
        "sh -c 'echo \"<script>alert(1)</script>\"; sleep 999'",
        f"%container panel {name}",
    )
    page.on("dialog", lambda dialog: pytest.fail("a log line became a script"))
    lab.run_all(page)
    out = output(page, 2)
    expect(out).to_contain_text("running", timeout=PATIENCE)
    expect(out).to_contain_text("<script>alert(1)</script>")
    picture(page, "panel-running")
    out.get_by_role("button", name="restart").click()
    expect(out).to_contain_text(f"$ docker restart {name}", timeout=PATIENCE)
    out.get_by_role("button", name="stop").focus()
    page.keyboard.press("Enter")  # without a mouse
    expect(out).to_contain_text("exited", timeout=PATIENCE)
    expect(out).to_contain_text(f"$ docker stop {name}")
    expect(out.get_by_role("button", name="stop")).to_be_disabled()
    start = out.get_by_role("button", name=re.compile("(?<!re)start$"))  # an icon before it
    start.click()
    expect(out).to_contain_text("running", timeout=PATIENCE)
    out.get_by_role("button", name="remove").click()
    expect(out).to_contain_text("removed", timeout=PATIENCE)
    expect(start).to_be_disabled()
    picture(page, "panel-removed")
    page.close()


def test_the_diagram_of_a_life_moves_while_cells_run(lab: Lab, name: str) -> None:
    page = lab.open(
        "diagram",
        "%load_ext course_magics",
        f"%container create --name {name} course/busybox sleep 999",
        f"%container panel --diagram {name}",
        "import pathlib, time\n"
        "def seen(what):\n"
        "    while not pathlib.Path(f'diagram-{what}').exists(): time.sleep(0.05)\n"
        "seen('created')",
        f"%container start {name}",
        "seen('running')",
        f"%container pause {name}",
    )
    lab.run_all(page)
    out = output(page, 2)
    picture_of_it = out.get_by_role("img", name=f"The life of the container {name}")
    expect(picture_of_it).to_contain_text("● created", timeout=PATIENCE)
    (lab.folder / "diagram-created").touch()
    expect(picture_of_it).to_contain_text("● running", timeout=PATIENCE)
    expect(out.get_by_role("status")).to_contain_text(f"docker pause {name}")
    picture(page, "diagram-running")
    (lab.folder / "diagram-running").touch()
    expect(picture_of_it).to_contain_text("● paused", timeout=PATIENCE)
    expect(out).to_contain_text("so far: created → running → paused")
    unpause = out.get_by_role("button", name="unpause")
    unpause.focus()
    page.keyboard.press("Enter")  # without a mouse
    expect(picture_of_it).to_contain_text("● running", timeout=PATIENCE)
    expect(unpause).to_be_disabled()
    expect(out).to_contain_text(f"$ docker unpause {name}")
    docker_api: docker.APIClient = engine.current().api
    docker_api.remove_container(name, force=True)  # as somebody in a terminal would
    expect(picture_of_it).to_contain_text("● removed", timeout=PATIENCE)
    picture(page, "diagram-removed")
    page.close()


def test_a_failing_cell_shows_our_words_and_no_traceback(lab: Lab) -> None:
    page = lab.open("error", "%load_ext course_magics", "%container run --nmae x course/busybox")
    lab.run_all(page)
    out = output(page, 1)
    expect(out).to_contain_text("did you mean --name?", timeout=PATIENCE)
    assert "Traceback" not in out.inner_text()
    assert len(out.inner_text().strip().split("\n")) == 2
    picture(page, "error")
    page.close()

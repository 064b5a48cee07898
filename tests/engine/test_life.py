"""`%container panel --diagram`: it follows a real container through its whole life."""

import threading
from collections.abc import Callable, Iterator

import pytest
from docker import APIClient

from course_magics import engine
from course_magics.containers import life
from course_magics.errors import CourseError
from course_magics.visit import visit
from course_magics.widgets.lifecycle import Diagram

from .conftest import Cell

pytestmark = pytest.mark.engine


@pytest.fixture
def diagram(cell: Cell, name: str) -> Iterator[Diagram]:
    cell(f"%container create --name {name} course/busybox sleep 999")
    shown = cell(f"%container panel --diagram {name}").result
    yield shown
    shown.close()


def threads(name: str) -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name == f"course-life-{name}"]


def test_it_follows_a_container_through_all_states(cell: Cell, diagram: Diagram, name: str) -> None:
    assert f"{name}: [created]" in str(diagram)
    for word, state in (
        ("start", "running"),
        ("pause", "paused"),
        ("unpause", "running"),
        ("kill", "exited"),
        ("start", "running"),
    ):
        cell(f"%container {word} {name}")
        moment = diagram.wait(state)
        assert f"● {moment.words}" in diagram.picture.value
        assert f"[{moment.words}]" in str(diagram)
    assert diagram.now.seen == (*("created", "running", "paused", "running", "exited", "running"),)
    cell(f"%container rm -f {name}")
    diagram.wait("removed")
    assert "● removed" in diagram.picture.value
    assert all(button.disabled for button in diagram.buttons.values())
    for thread in threads(name):
        thread.join(5)
    assert not threads(name)
    assert "[removed]" in str(diagram)


def test_a_program_that_ends_by_itself_and_what_others_do(
    cell: Cell, api: APIClient, name: str
) -> None:
    cell(f"%container create --name {name} course/busybox sh -c 'sleep 0.2; exit 3'")
    shown = cell(f"%container panel --diagram {name}").result
    api.start(name)  # as in a terminal
    assert shown.wait("exited").words == "exited (3)"
    assert shown.now.seen == ("created", "running", "exited")
    api.rename(name, f"{name}-b")
    api.remove_container(f"{name}-b")
    assert shown.wait("removed").name == f"{name}-b"


def test_its_buttons_do_what_docker_does_and_show_the_line(diagram: Diagram, name: str) -> None:
    allowed = {word for word, button in diagram.buttons.items() if not button.disabled}
    assert allowed == {"start", "rm"}
    diagram.buttons["start"].click()
    diagram.wait("running")
    assert f"$ docker start {name}" in diagram.said.value
    diagram.buttons["rm"].click()  # running: docker refuses
    assert "refused" in diagram.said.value
    diagram.buttons["pause"].click()
    diagram.wait("paused")
    allowed = {word for word, button in diagram.buttons.items() if not button.disabled}
    assert allowed == {"unpause", "stop", "kill", "rm -f"}


def test_closing_it_ends_its_thread_and_says_so(diagram: Diagram, name: str) -> None:
    (thread,) = threads(name)
    diagram.close()
    diagram.close()
    thread.join(5)
    assert not thread.is_alive()
    assert "no longer followed" in diagram.picture.value
    assert f"{name}: [created]" in str(diagram)


def test_of_many_only_the_newest_are_followed(
    cell: Cell, diagram: Diagram, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(life, "_AT_ONCE", 2)
    second = cell(f"%container panel --diagram {name}").result
    third = cell(f"%container panel --diagram {name}").result
    assert "no longer followed" in diagram.now.note
    cell(f"%container start {name}")
    assert second.wait("running").note == third.wait("running").note == ""
    second.close()
    third.close()


def test_it_stays_with_the_engine_that_its_container_is_on(
    diagram: Diagram, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine.current(), "url", "unix:///other.sock")
    diagram.life._engine = type("Old", (), {"url": "unix:///old.sock", "api": None})()
    diagram.click("start")
    assert "another one now" in diagram.said.value


def test_no_such_container(fails: Callable[[str], BaseException], name: str) -> None:
    error = fails(f"%container panel --diagram {name}")
    assert isinstance(error, CourseError)
    assert error.message == f"no such container: {name}"


def test_a_container_knows_where_its_port_is_reached_from_here(cell: Cell, name: str) -> None:
    web = cell(f"%container run -d --name {name} -p 80 course/busybox httpd -f -h /etc").result
    assert "root" in visit(f"{web.url}passwd")  # it may not listen yet

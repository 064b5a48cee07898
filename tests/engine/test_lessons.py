"""Lessons on a real engine: what a check sees, two ways to one state, hints by state, no engine."""

import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest

from course_magics import engine, settings
from course_magics.errors import CheckError, EngineError
from course_magics.lessons import State, find, progress
from course_magics.lessons.new import new
from course_magics.lessons.play import play
from course_magics.patience import until

from ..fake_engine import fake_engine
from .conftest import Cell, exists

pytestmark = pytest.mark.engine
Fails = Callable[[str], BaseException]


@pytest.fixture
def lesson(here: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Path]]:
    """An exercise `19-own` about a container of the test's own; a text in it can be replaced."""
    monkeypatch.setenv("COURSE_LESSONS", str(here))
    monkeypatch.setenv("COURSE_PROGRESS", str(here / "progress.json"))
    monkeypatch.setenv("COURSE_LESSON", "")
    new("19-own")
    folder = here / "exercises/19-own"
    for path in folder.rglob("*.*"):
        path.write_text(path.read_text("utf-8").replace("thing-19", name), "utf-8")

    def change(file: str = "", before: str = "", after: str = "") -> Path:
        if file:
            text = (folder / file).read_text("utf-8")
            assert before in text
            (folder / file).write_text(text.replace(before, after), "utf-8")
        return folder

    yield change


def test_from_nothing_to_done(cell: Cell, lesson: object, name: str, api: docker.APIClient) -> None:
    cell("%lesson 19-own")
    assert cell("%check").result.hint == "create"
    assert "%container run -d" in str([cell("%hint").result, cell("%hint").result][-1])
    cell(f"%container create --name {name} course/busybox sleep 600")
    report = cell("%check").result
    assert str(report).splitlines()[:2] == [
        f"✔ there is a container called {name}",
        "✘ it does not run: it is created",
    ]
    assert report.hint == "start"
    assert "does not run" in str(cell("%hint").result)
    cell(f"%container start {name}")
    assert cell("%check --strict").result.passed
    assert api.inspect_container(name)["Config"]["Labels"]["course-magics.lesson"] == "19-own"
    cell(f"%container stop -t 0 {name}")
    assert not cell("%check").result.passed
    assert progress.load()[0].exercises["19-own"].passed
    cell("%lesson reset")
    assert not exists(api, name)
    assert "19-own" not in progress.load()[0].exercises


def test_another_way_is_as_good(
    cell: Cell, lesson: object, name: str, api: docker.APIClient
) -> None:
    """Not a magic at all: the engine's own client."""
    made = api.create_container("course/busybox", ["sleep", "600"], name=name)
    api.start(made["Id"])
    assert cell("%check 19-own").result.passed


def test_strict_fails_the_cell(cell: Cell, fails: Fails, lesson: object) -> None:
    cell("%lesson 19-own")
    assert isinstance(fails("%check --strict"), CheckError)


def test_a_play_shows_that_the_check_tells_right_from_wrong(
    lesson: Callable[..., Path], name: str, api: docker.APIClient
) -> None:
    lesson()
    said: list[str] = []
    played = play(find.exercise("19-own"), said.append)
    assert played.faults == []
    assert played.plays == 6
    assert said == [
        f"19-own: {what}"
        for what in ("untouched", "hint create", "hint start", "solution.md", "other-way.md")
    ]
    assert not exists(api, name)


def test_a_play_names_each_fault(
    lesson: Callable[..., Path], name: str, api: docker.APIClient
) -> None:
    lesson("solution.md", "run -d", "create")
    lesson("other-way.md", f"%container start {name}", "1 / 0")
    lesson("hints/start.md", f"%container create --name {name} course/busybox sleep 600", "")
    lesson(
        "hints/create.md",
        "```state\n",
        f"```state\n%container run -d --name {name} course/busybox sleep 9\n",
    )
    lesson("reset.md", f"-f --no-raise {name}", f"-f {name}-other --no-raise")
    played = play(find.exercise("19-own"))
    said = "\n".join(played.faults)
    assert "19-own, hint create: the check passes" in said
    # …and as the reset does not reset, all that comes after meets what is there already.
    assert "19-own, solution.md: cell 1 failed" in said
    assert f"it leaves: container {name}" in said
    api.remove_container(name, force=True)

    lesson("reset.md", f"-f {name}-other --no-raise", f"-f --no-raise {name}")
    played = play(find.exercise("19-own"))
    said = "\n".join(played.faults)
    assert "19-own, hint start: the first thing missing names the hint create" in said
    assert "19-own, solution.md: the check does not pass\n" in said
    assert f"    ✔ there is a container called {name}" in said
    assert "19-own, other-way.md: cell 2 failed: 1 / 0" in said
    assert "ZeroDivisionError" in said
    assert len(played.faults) == 4

    lesson("check.py", 'thing is not None,\n        "there', 'True,\n        "there')
    lesson("check.py", "    if thing is None:\n        return\n", "    return\n")
    lesson("check.py", ', hint="start")', ")")
    said = "\n".join(play(find.exercise("19-own")).faults)
    assert "19-own, untouched: the check passes, though nothing was done" in said
    assert "hints/start.md is there, check.py never names it" in said


def test_without_an_engine_one_clear_error(
    fails: Fails, lesson: object, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COURSE_ENGINE", f"unix://{here}/nowhere.sock")
    engine.forget()
    for line in ("%check 19-own", "%hint 19-own"):
        error = fails(line)
        assert isinstance(error, EngineError)
        assert "nowhere.sock" in str(error)
    engine.forget()


def test_an_engine_that_hangs_ends_the_check(
    fails: Fails, lesson: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        fake_engine(Path(folder), count=3) as (url, process),
    ):
        monkeypatch.setattr(settings.current(), "patience", 2)
        monkeypatch.setenv("COURSE_ENGINE", url)
        engine.forget()
        assert engine.current().url == url
        process.send_signal(signal.SIGSTOP)
        error = fails("%check 19-own")
        process.send_signal(signal.SIGCONT)
    assert isinstance(error, EngineError)
    assert "does not answer" in str(error)
    engine.forget()


def test_the_state_of_a_container(cell: Cell, name: str) -> None:
    cell(
        f"%container run -d --name {name} -e COLOUR=green -m 64m --cpus 0.5 --label who=me "
        f"-v {name}-data:/data -p 127.0.0.1::80 --restart on-failure course/busybox "
        "sh -c 'echo started; echo kept > /data/file; cp /data/file /kept; ln -s /kept /link; exec sleep 600'"
    )
    state = State()
    found = state.container(name)
    assert found is not None
    assert (found.name, found.state, found.running, found.exit_code) == (
        name, "running", True, None,
    )  # fmt: skip
    assert found.image == "course/busybox"
    assert found.command[:2] == ["sh", "-c"]
    assert found.env["COLOUR"] == "green"
    assert found.labels["who"] == "me"
    assert found.limits.memory == 64 * 1024 * 1024
    assert found.limits.cpus == 0.5
    assert found.restart == "on-failure"
    assert found.health == ""
    mount = found.mount("/data/")
    assert mount is not None
    assert mount["Name"] == f"{name}-data"
    assert found.mount("/nowhere") is None
    assert [p for p, (port,) in found.ports.items() if port > 0] == ["80/tcp"]
    assert len(found.networks) == 1
    assert until(lambda: "started" in state.logs(name) and state.get(name, "/link"))
    assert state.get(name, "/data/file") == state.get(name, "/link") == "kept\n"
    assert state.get(name, "/nowhere") is state.get(name, "/data") is None
    # Far more than is read; what is not read must not hold up the container.
    assert state.get(name, "/") is None
    assert state.exec(name, "cat", "/data/file") == (0, "kept\n")
    assert state.exec(name, "sh", "-c", "echo out; echo err >&2; exit 3") == (3, "out\n")
    assert state.exec(name, "cat", "/nowhere").status == 1
    assert state.container(found.id[:12]) is None  # a name is asked for
    assert [c.name for c in state.containers(label="who=me", name=name)] == [name]
    assert state.volume(f"{name}-data") is not None

    cell(f"%container stop -t 0 {name}")
    found = state.container(name)
    assert found is not None
    assert (found.state, found.running) == ("exited", False)
    assert found.exit_code == 137
    assert state.exec(name, "true") == (None, "")
    assert state.get(name, "/link") == "kept\n"
    cell(f"%container rm -f -v {name}\n")
    cell(f"%container volume rm {name}-data")
    assert state.container(name) is None
    assert state.volume(f"{name}-data") is None
    assert state.exec(name, "true").status is None
    assert state.logs(name) == ""
    assert state.get(name, "/") is None


def test_a_command_that_does_not_end_does_not_hold_up_the_check(
    cell: Cell, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings.current(), "patience", 2)
    cell(f"%container run -d --name {name} course/busybox sleep 600")
    assert State().exec(name, "sleep", "60") == (None, "")
    speaks = "for n in 1 2 3 4 5 6; do echo $n; sleep 1; done"
    assert State().exec(name, "sh", "-c", speaks) == (0, "1\n2\n3\n4\n5\n6\n"), (
        "longer, but it moves"
    )
    assert State().exec(name, "echo", "still here") == (0, "still here\n")


def test_the_state_of_images_and_networks(cell: Cell, name: str) -> None:
    state = State()
    cell(f"%%dockerfile -t {name}:one\nFROM course/busybox\nLABEL who=me\nRUN echo x > /x")
    image, base = state.image(f"{name}:one"), state.image("course/busybox")
    assert image is not None
    assert base is not None
    assert image.layers == base.layers + 1
    assert image.labels["who"] == "me"
    assert image.size >= base.size
    assert any("echo x" in step["CreatedBy"] for step in image.history)
    assert f"{name}:one" in image.names
    assert f"{name}:one" in state.images()
    assert state.image(f"{name}:two") is None
    cell(f"%container network create {name}")
    try:
        network = state.network(name)
        assert network is not None
        assert (network.name, network.driver) == (name, "bridge")
    finally:
        cell(f"%container network rm {name}")
    assert state.network(name) is None
    assert State("unix:///nowhere.sock").answers is False
    assert state.on(state.engine.url).answers
    assert state.answers


def test_without_a_swarm_there_are_no_services() -> None:
    state = State()
    if (state.api.info().get("Swarm") or {}).get("LocalNodeState") == "active":
        pytest.skip("this engine is in a swarm")
    assert state.nodes() == state.services() == state.tasks("x") == []
    assert state.service("x") is None

"""`%%compose` and `%compose`: the real compose command on the real engine."""

import contextlib
import json
import os
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import docker
import psutil
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from course_magics import engine, labels, settings
from course_magics.containers.compose import program, ready
from course_magics.errors import ContainerError, EngineError, Interrupted, OptionError
from course_magics.magics.compose import MAGIC
from course_magics.patience import until

from .conftest import Cell

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("composer")]
Fails = Callable[[str], BaseException]
PROJECT = "com.docker.compose.project"

FILE = """\
services:
  job: {image: course/busybox, command: echo done}
  web:
    image: course/busybox
    command: sh -c 'echo hello; exec sleep 999'
    stop_grace_period: 0s
    healthcheck: {test: "true", interval: 1s}
    ports: ["127.0.0.1::80"]
    volumes: ["data:/data"]
volumes:
  data:
"""


@pytest.fixture
def project(api: docker.APIClient) -> Iterator[str]:
    """A project's name of the test's own; all of it is removed afterwards."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    yield name
    mine = {"label": f"{PROJECT}={name}"}
    for c in api.containers(all=True, filters=mine):
        api.remove_container(c["Id"], force=True, v=True)
    for n in api.networks(filters=mine):
        api.remove_network(n["Id"])
    for v in api.volumes(filters=mine).get("Volumes") or ():
        api.remove_volume(v["Name"])


@pytest.fixture
def shop(cell: Cell, project: str, here: Path) -> str:
    """FILE, up and well."""
    cell(f"%%compose -p {project}\n{FILE}")
    return project


def one(service: str, command: str, more: str = "") -> str:
    return (
        f"services:\n  {service}:\n    image: course/busybox\n    command: {command}\n"
        f"    stop_grace_period: 0s\n{more}"
    )


# --- up ---------------------------------------------------------------------------------------


def test_the_cell_comes_up_and_is_well(cell: Cell, project: str, here: Path, api) -> None:  # type: ignore[no-untyped-def]
    stack = cell(f"%%compose -p {project}\n{FILE}").result
    assert str(stack).splitlines() == [
        "SERVICE  IMAGE           STATE       HEALTH   PORTS",
        "job      course/busybox  exited (0)",
        "web      course/busybox  running     healthy  127.0.0.1:*->80/tcp",
        f"$ docker compose -p {project} -f - up -d < CELL",
    ]
    assert stack["web"].state == "running, healthy"
    assert stack.services == ["job", "web"]
    with pytest.raises(EngineError, match="did you mean web"):
        stack["wbe"]
    mine = {"label": [f"{PROJECT}={project}", labels.SESSION]}
    assert len(api.containers(all=True, filters=mine)) == 2
    assert len(api.networks(filters=mine)) == 1
    assert len(api.volumes(filters=mine)["Volumes"]) == 1


def test_cleaning_what_this_session_made(
    shop: str, api: docker.APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    from course_magics.containers.clean import remove_all
    from course_magics.containers.compose import project

    monkeypatch.setattr(project, "made", {shop})
    monkeypatch.setattr(labels, "_session", "nobody's")
    kept = remove_all(mine=True)
    assert (kept.removed["volumes"], kept.asks) == ([], {"volumes": [f"{shop}_data"]})
    assert api.inspect_volume(f"{shop}_data")
    removed = {**kept.removed, "volumes": remove_all(mine=True, force=True).removed["volumes"]}
    assert removed["containers"] == [f"{shop}-job-1", f"{shop}-web-1"]
    assert (removed["networks"], removed["volumes"]) == ([f"{shop}_default"], [f"{shop}_data"])


def test_another_session_makes_nothing_anew(
    cell: Cell, shop: str, api: docker.APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = api.inspect_container(f"{shop}-web-1")["Id"]
    monkeypatch.setattr(labels, "_session", "another")
    cell(f"%%compose -p {shop}\n{FILE}")
    assert api.inspect_container(f"{shop}-web-1")["Id"] == before


def test_a_service_that_ends_badly_fails_the_cell(fails: Fails, project: str, here: Path) -> None:
    error = fails(f"%%compose -p {project}\n" + one("web", "sh -c 'echo oops; exit 3'"))
    assert isinstance(error, ContainerError)
    assert "web ended with status 3" in error.message
    assert "web | oops" in str(error)
    assert error.result["web"].state == "exited (3)"  # type: ignore[attr-defined]


def test_an_unhealthy_service_fails_the_cell(fails: Fails, project: str, here: Path) -> None:
    check = '    healthcheck: {test: "echo broken; false", interval: 1s, retries: 1}\n'
    error = fails(f"%%compose -p {project}\n" + one("web", "sh -c 'echo hi; sleep 99'", check))
    assert "web is unhealthy" in str(error)
    assert "web | broken" in str(error)
    assert "web | hi" in str(error)


def test_compose_s_own_wait(fails: Fails, project: str, here: Path) -> None:
    error = fails(f"%%compose -p {project} up --wait\n" + one("web", "sh -c 'echo no; exit 4'"))
    assert "web ended with status 4" in str(error)
    assert "web | no" in str(error)


def test_not_ready_in_time(fails: Fails, project: str, here: Path) -> None:
    check = '    healthcheck: {test: "false", interval: 60s}\n'
    error = fails(f"%%compose -p {project} --wait-timeout 1\n" + one("web", "sleep 99", check))
    assert "not ready in time: web" in str(error)


def test_a_check_that_takes_longer_than_the_patience_is_waited_for(
    cell: Cell, project: str, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings.current(), "patience", 1)
    check = '    healthcheck: {test: "test -e /well", interval: 1s, retries: 60}\n'
    slow = "sh -c 'sleep 4; touch /well; sleep 99'"
    found = cell(f"%%compose -p {project}\n" + one("web", slow, check)).result
    assert "healthy" in str(found)


def test_a_service_that_never_starts_is_given_up(
    cell: Cell, fails: Fails, project: str, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compose has made it, and somebody else's hand keeps it from starting: `up` is cut short."""
    monkeypatch.setattr(settings.current(), "patience", 1)
    file = f"name: {project}\n" + one("web", "sleep 99")
    (here / "compose.yaml").write_text(file)
    cell("%compose create")
    with pytest.raises(ready.TooLong) as late:
        ready.wait(project, seconds=None, watch=lambda rows: None)
    assert [row["State"] for row in late.value.rows] == ["created"]
    assert late.value.still == 1


def test_a_dependency_that_fails(fails: Fails, project: str, here: Path) -> None:
    text = one("db", "sh -c 'echo no disk; exit 1'") + (
        "  web:\n    image: course/busybox\n    command: sleep 9\n"
        "    depends_on: {db: {condition: service_completed_successfully}}\n"
    )
    error = fails(f"%%compose -p {project} up -d\n{text}")
    assert "db" in str(error)
    assert "no disk" in str(error)


def test_in_the_foreground_each_line_has_its_service(
    cell: Cell, project: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (
        one("a", "echo one") + "  longer: {image: course/busybox, command: sh -c 'echo two >&2'}\n"
    )
    stack = cell(f"%%compose -p {project} up\n{text}").result
    shown = capsys.readouterr()
    assert "\x1b[36ma-1      | \x1b[0mone\n" in shown.out
    assert "\x1b[33mlonger-1 | \x1b[0mtwo\n" in shown.out
    assert shown.err == ""
    assert [r["State"] for r in stack.rows] == ["exited (0)", "exited (0)"]


def test_exit_code_from(fails: Fails, project: str, here: Path) -> None:
    text = one("web", "sh -c 'exit 7'")
    error = fails(f"%%compose -p {project} up --exit-code-from web\n{text}")
    assert (type(error), error.status) == (ContainerError, 7)  # type: ignore[attr-defined]


def test_a_build_in_the_notebook_s_folder(cell: Cell, project: str, here: Path) -> None:
    (here / "web").mkdir()
    (here / "web/Dockerfile").write_text("FROM course/busybox\nCOPY word /word\n")
    (here / "web/word").write_text("from the folder\n")
    text = "services:\n  web:\n    build: web\n    command: cat /word\n"
    try:
        built = cell(f"%%compose -p {project} build\n{text}").result
        assert built.rows == [{"kind": "image", "name": f"{project}-web", "done": "built for web"}]
        assert cell(f"%compose -p {project} run --rm web").result.stdout == "from the folder\n"
    finally:
        cell(f"%compose -p {project} down --rmi all")


def test_the_folders_that_are_mounted(
    cell: Cell, fails: Fails, project: str, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in for the embedded engine's answer, which sees other folders than this computer."""
    more = "    volumes: ['./data:/data', 'named:/n']\nvolumes: {named: }\n"
    text = one("web", "cat /data/word", more)
    (here / "data").mkdir()
    (here / "data/word").write_text("mounted\n")
    cell(f"%%compose -p {project} config -q\n{text}")
    assert cell(f"%%compose -p {project} run --rm web\n{text}").result.stdout == "mounted\n"

    def mountable(self: object, path: str) -> None:
        assert path == str(here / "data")
        raise EngineError("not seen")

    monkeypatch.setattr(engine.Engine, "mountable", mountable)
    monkeypatch.setattr(engine.current(), "lease", SimpleNamespace(alive=True))
    assert "not seen" in str(fails(f"%%compose -p {project} run --rm web\n{text}"))


def test_a_build_that_fails(fails: Fails, project: str, here: Path) -> None:
    error = fails(f"%%compose -p {project} build\nservices:\n  web:\n    build: nowhere\n")
    assert isinstance(error, EngineError)
    assert "nowhere" in str(error)


# --- faults of the file -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "caret", "hint"),
    [
        ("services:\n  web:\n    imagee: x\n", 3, "imagee", "did you mean image?"),
        ("servces:\n  web: {image: x}\n", 1, "servces", "did you mean services?"),
        ("services:\n\tweb:\n", 2, "\t", "spaces only"),
        ("services:\n  web:\n    image: x\n   bad: 1\n", 4, "b", "indentation"),
        ("services:\n  web:\n    image: x\n    image: y\n", 4, "image: y", "leave one"),
        ('services:\n  web:\n    image: "x\n', 3, '"', "quote"),
        ("services:\n  web:\n    image: 5\n", 3, "image", 'in quotes: "5"'),
        ("services:\n  web:\n    image: x\n    ports: 5\n", 4, "ports", "as a list"),
        ("services:\n  web:\n    image: x\n    ports:\n      - 99999:80\n", 5, "99999:80", "65535"),
        ("services:\n  web:\n    image: x\n    ports: [abc]\n", 4, "abc", "HOST:CONTAINER"),
        ("services:\n  a:\n    image: x\n    depends_on: [stor]\n  store: {image: x}\n", 4, "stor", "mean store"),
        ("services:\n  a:\n    image: x\n    networks: [front]\n", 4, "front", "networks:"),
        ("services:\n  a:\n    image: x\n    volumes: ['data:/d']\n", 4, "'data:/d'", "volumes:"),
        ("services:\n  a:\n    command: x\n", 2, "a", "image: NAME"),
        ("services:\n  a:\n    image: x\n    healthcheck: {interval: 5q}\n", 4, "interval", "10s"),
        ("services:\n  a:\n    image: ${NOT_SET:?please}\n", 3, "${NOT_SET:?please}", "%env"),
        ("services:\n  a:\n    image: x\nports: []\n", 4, "ports", "below services"),
        ("hello\n", 1, "hello", "services:"),
    ],
)  # fmt: skip
def test_a_fault_is_shown_on_its_line(
    fails: Fails, project: str, here: Path, text: str, line: int, caret: str, hint: str
) -> None:
    error = fails(f"%%compose -p {project} config -q\n{text}")
    assert isinstance(error, OptionError), error
    assert error.message.startswith(f"line {line} of the cell: ")
    excerpt, mark = (error.detail or "").splitlines()
    begins = excerpt.index(caret.replace("\t", "→"))
    assert mark.index("^") == begins
    assert mark.count("^") == len(caret)
    assert hint in (error.hint or "")


def test_a_faulty_cell_is_not_kept(cell: Cell, fails: Fails, shop: str) -> None:
    fails(f"%%compose -p {shop}\nservices:\n  web:\n    imagee: x\n")
    assert len(cell("%compose ps").result) == 1


def test_a_good_file_has_no_fault(cell: Cell, project: str, here: Path) -> None:
    shown = cell(f"%%compose -p {project} config --services\n{FILE}").result
    assert sorted(shown.lines) == ["job", "web"]  # compose promises no order


# --- the words after it -------------------------------------------------------------------------


def test_looking(cell: Cell, shop: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert [r["Service"] for r in cell("%compose ps").result] == ["web"]
    assert sorted(r["Service"] for r in cell("%compose ps -a").result) == ["job", "web"]
    assert cell("%compose ps --services").result.lines == ["web"]
    assert json.loads(cell("%compose ps --format json").result.lines[0])["Service"] == "web"
    assert "sleep 999" in str(cell("%compose top").result)
    assert cell("%compose images").result[0]["Repository"] == "course/busybox"
    assert cell("%compose port web 80").result.text.startswith("127.0.0.1:")
    assert cell("%compose stats").result[0]["Name"] == f"{shop}-web-1"
    assert shop in [r["Name"] for r in cell("%compose ls").result]
    assert cell("%compose version --short").result.text.startswith(("2.", "v2.", "5."))
    capsys.readouterr()
    cell("%compose logs --no-color")
    lines = capsys.readouterr().out.splitlines()  # each service's own order is all that is promised
    assert {"job-1 | done", "web-1 | hello"} <= set(lines)
    cell("%compose logs --no-log-prefix web")
    assert capsys.readouterr().out.startswith("hello\n")


def test_doing(cell: Cell, shop: str, api: docker.APIClient, here: Path) -> None:
    def state() -> str:
        return str(api.inspect_container(f"{shop}-web-1")["State"]["Status"])

    cell("%compose pause web")
    assert state() == "paused"
    cell("%compose unpause web")
    cell("%compose stop web")
    assert state() == "exited"
    changed = cell("%compose start web").result
    assert changed.names == [f"{shop}-web-1"]
    assert state() == "running"
    cell("%compose restart web")
    cell("%compose scale web=2")
    assert [r["shown name"] for r in cell("%compose ps").result] == ["web-1", "web-2"]
    assert cell("%compose exec --index 2 web hostname").result.stdout.strip()
    assert cell("%%compose exec web\necho in $((1 + 1))\n").result.stdout == "in 2\n"
    assert cell("%compose run --rm -e A=1 web sh -c 'echo $A'").result.stdout == "1\n"
    cell("%compose cp web:/etc/passwd passwd")
    assert "root" in (here / "passwd").read_text()
    cell("%compose kill")
    assert state() == "exited"
    assert len(cell("%compose rm").result.rows) == 3
    cell("%compose create")
    assert state() == "created"
    down = cell("%compose down -v").result
    assert [r["kind"] for r in down.rows] == ["container", "container", "network", "volume"]
    assert not api.containers(all=True, filters={"label": f"{PROJECT}={shop}"})
    assert not api.volumes(filters={"label": f"{PROJECT}={shop}"})["Volumes"]
    assert "nothing to do" in str(cell("%compose down").result)


_REFUSED = [
    ("logs wbe", "did you mean web?"),
    ("up -d wbe", "did you mean web?"),
    ("start wbe", "did you mean web?"),
    ("exec wbe ls", "did you mean web?"),
    ("exec job ls", "job is not running"),
    ("exec web", "the command is missing"),
    ("exec web false", "status 1"),
    ("run --rm web sh -c 'exit 5'", "status 5"),
    ("port web 99", "99"),
    ("wait job", "ps -a"),
    ("scale wbe=2", "wbe"),
    ("cp web:/nowhere x", "nowhere"),
    ("stop wbe", "did you mean web?"),
    ("up --waitt", "did you mean --wait?"),
    ("up -p x", "goes before the word"),
    ("psx", "did you mean %compose ps?"),
    ("attach web", "%compose logs -f web"),
    ("up --watch", "%compose watch"),
    ("ps --format '{{.Nope}}'", "Nope"),
    ("-p Up ps", "type up"),
    ("-f nowhere.yaml ps", "no file nowhere.yaml"),
    ("--dir nowhere ps", "no folder nowhere"),
]


def test_a_word_that_fails_says_why(fails: Fails, shop: str) -> None:
    for line, words in _REFUSED:
        error = fails(f"%compose {line}")
        assert isinstance(error, ContainerError | EngineError | OptionError), line
        assert words in str(error), line


def test_pull_and_push_say_why_they_cannot(
    cell: Cell, fails: Fails, project: str, here: Path
) -> None:
    (here / "Dockerfile").write_text("FROM course/busybox\n")
    text = f"services:\n  web:\n    build: .\n    image: 127.0.0.1:9/{project}\n"
    cell(f"%%compose -p {project} build\n{text}")
    try:
        for word in ("pull", "push"):
            error = fails(f"%compose -p {project} {word}")
            assert isinstance(error, EngineError)
            assert "127.0.0.1:9" in str(error)
    finally:
        cell(f"%container rmi 127.0.0.1:9/{project}")


def test_without_a_file(fails: Fails, here: Path) -> None:
    error = fails("%compose ps")
    assert "there is no compose file here" in str(error)


def test_a_real_file(cell: Cell, project: str, here: Path) -> None:
    (here / "compose.yaml").write_text(f"name: {project}\n" + one("web", "sleep 99"))
    stack = cell("%compose up -d").result
    assert str(stack).endswith(f"$ docker compose -p {project} up -d")
    assert [r["Service"] for r in cell("%compose ps").result] == ["web"]
    cell("%compose -f compose.yaml down")


def test_the_cell_is_found_again_by_the_next_kernel(
    cell: Cell, shop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from course_magics.containers.compose import project

    monkeypatch.setattr(project, "_last", {})
    assert [r["Service"] for r in cell("%compose ps").result] == ["web"]


def test_a_project_whose_folder_has_gone_can_be_taken_down(
    cell: Cell, project: str, here: Path, api: docker.APIClient
) -> None:
    (here / "gone").mkdir()
    cell(f"%%compose -p {project} --dir gone\n{FILE}")
    (here / "gone").rmdir()
    assert "web" in str(cell(f"%compose -p {project} ps").result)
    cell(f"%compose -p {project} down -v")
    assert not api.containers(all=True, filters={"label": f"{PROJECT}={project}"})


def test_a_profile_and_a_variable(
    cell: Cell, project: str, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORD", "hello")
    text = one("web", "echo $WORD") + "  extra: {image: course/busybox, profiles: [more]}\n"
    config = cell(f"%%compose -p {project} --profile more config\n{text}").result
    assert "hello" in config.text
    assert "extra" in config.text


# --- interrupts ---------------------------------------------------------------------------------


def interrupted(
    fails: Fails, text: str, begun: Callable[[], object]
) -> tuple[BaseException, float]:
    """Runs a cell, interrupts it once `begun` is true; its error, and how long it took then."""
    at: list[float] = []

    def press() -> None:
        until(begun)
        at.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=press)
    thread.start()
    error = fails(text)
    took = time.monotonic() - at[0]
    thread.join()
    return error, took


def running(api: docker.APIClient, project: str) -> list[str]:
    found = api.containers(filters={"label": f"{PROJECT}={project}"})
    return [c["Names"][0] for c in found]


@pytest.mark.parametrize("word", ["", "up"])
def test_interrupting_up(
    fails: Fails, project: str, here: Path, api: docker.APIClient, word: str
) -> None:
    check = '    healthcheck: {test: "false", interval: 60s}\n'
    look = docker.APIClient(base_url=engine.current().url)  # the cell's own connection is busy
    error, _ = interrupted(
        fails,
        f"%%compose -p {project} {word}\n" + one("web", "sleep 99", check),
        lambda: running(look, project),
    )
    assert isinstance(error, Interrupted)
    assert "web" in error.message
    assert "stopped" in error.message
    assert running(api, project) == []


def test_interrupting_logs_run_and_exec(
    cell: Cell, fails: Fails, shop: str, api: docker.APIClient, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    error, _ = interrupted(fails, "%compose logs -f", lambda: "hello" in capsys.readouterr().out)
    assert "the services go on" in str(error)
    assert running(api, shop) == [f"/{shop}-web-1"]
    look = docker.APIClient(base_url=engine.current().url)
    error, _ = interrupted(
        fails, "%compose run web sleep 99", lambda: len(running(look, shop)) == 2
    )
    assert "killed and removed" in str(error)
    assert running(api, shop) == [f"/{shop}-web-1"]
    error, _ = interrupted(
        fails,
        "%compose exec web sleep 77",
        lambda: "sleep 77" in str(look.top(f"{shop}-web-1")),
    )
    assert isinstance(error, Interrupted)
    assert "sleep 77" not in str(api.top(f"{shop}-web-1"))


def test_an_interrupted_up_leaves_what_ran_before(
    cell: Cell, fails: Fails, shop: str, api: docker.APIClient
) -> None:
    look = docker.APIClient(base_url=engine.current().url)
    more = '  db: {image: course/busybox, command: sleep 99, healthcheck: {test: "false"}}\n'
    text = FILE.replace("volumes:\n  data:", f"{more}volumes:\n  data:")
    error, _ = interrupted(
        fails, f"%%compose -p {shop}\n{text}", lambda: f"/{shop}-db-1" in running(look, shop)
    )
    assert "interrupted: db" in str(error)
    assert running(api, shop) == [f"/{shop}-web-1"]


# --- where there is no compose, or no engine ------------------------------------------------------


def test_without_compose(
    fails: Fails, here: Path, monkeypatch: pytest.MonkeyPatch, ip: InteractiveShell
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(here))
    monkeypatch.setenv("COURSE_CACHE", str(here))
    monkeypatch.setenv("PATH", str(here))
    monkeypatch.setattr(program, "plugin", lambda name: None)
    error = fails("%%compose\n" + one("web", "true"))
    assert "docker compose is not installed" in str(error)
    assert "course-magics compose fetch" in str(error)
    old = here / "docker-compose"
    old.write_text("#!/bin/sh\necho 1.29.2\n")
    old.chmod(0o755)
    assert "compose 1" in str(fails("%%compose\n" + one("web", "true")))


def test_an_engine_that_has_gone(fails: Fails, shop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = engine.Engine("docker", "unix:///nowhere/docker.sock", "", engine.current().api)
    monkeypatch.setattr(engine.Engine, "environment", gone.environment)
    error = fails("%compose images")
    assert isinstance(error, EngineError)
    assert len(error.message.splitlines()) == 1


# --- a stranger's file in a folder above ----------------------------------------------------------

#: What each word is tried with; events never end, attach is refused.
ARGUMENTS = {"scale": "web=1", "port": "web 80", "cp": "web:/etc/hostname .", "run": "web true"}
ARGUMENTS |= dict.fromkeys(("exec", "wait"), "web true")


@pytest.mark.parametrize(
    "word", sorted({w.name for w in MAGIC.words if w.name} - {"events", "attach", "ls", "version"})
)
def test_no_word_reads_a_compose_file_above(
    ip: InteractiveShell, project: str, here: Path, api: docker.APIClient, word: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    (here / "compose.yaml").write_text(one("web", "touch /stranger"))
    (here / "below").mkdir()
    monkeypatch.chdir(here / "below")
    with capture_output() as shown:
        done = ip.run_cell(f"%compose -p {project} {word} {ARGUMENTS.get(word, '')}")
    assert "touch" not in shown.stdout + str(done.result)
    assert api.containers(all=True, filters={"label": f"{PROJECT}={project}"}) == []
    assert not api.networks(filters={"label": f"{PROJECT}={project}"})
    if word in ("up", "run", "config", "create"):
        assert "there is no compose file here" in str(done.error_in_exec)


def test_a_project_known_by_its_name_is_taken_down_below_a_stranger_s_file(
    cell: Cell, shop: str, here: Path, api: docker.APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "compose.yaml").write_text(one("other", "true"))
    (here / "below").mkdir()
    monkeypatch.chdir(here / "below")
    monkeypatch.setenv("COURSE_STATE", str(here / "another-state"))
    rows = cell(f"%compose -p {shop} ps -a").result.rows
    assert {row["Service"] for row in rows} == {"job", "web"}
    cell(f"%compose -p {shop} down")
    assert api.containers(all=True, filters={"label": f"{PROJECT}={shop}"}) == []


def test_a_value_of_run_stands_on_no_command_line(cell: Cell, project: str, here: Path) -> None:
    """Every account of the computer may read those; the program in the container has the value."""
    found: list[list[str]] = []

    def look() -> None:
        until(lambda: found.extend(_compose_lines(project)) or len(found) > 3, seconds=60)

    looking = threading.Thread(target=look)
    looking.start()
    file = one("a", "sh -c 'sleep 2; echo it is $$A'", "    environment: {A: none}\n")
    done = cell(f"%%compose -p {project} run --rm -e A=hunter2-xyzzy a\n{file}").result
    looking.join()
    assert done.stdout == "it is hunter2-xyzzy\n"
    assert any("-e" in line for line in found)
    assert "hunter2" not in str(found)


def _compose_lines(project: str) -> list[list[str]]:
    """The command lines of compose's that are about the project."""
    lines = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if project in (line := process.cmdline()) and "run" in line:
                lines.append(line)
    return lines

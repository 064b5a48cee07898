"""`%container stack` on a swarm of one real engine of its own; the shared one is never part of it."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from course_magics import engine, labels
from course_magics.containers.compose import program
from course_magics.engine.namespaced import lacks
from course_magics.errors import EngineError, OptionError
from course_magics.patience import until
from course_magics.swarms.local import Swarm

from .conftest import Cell

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(bool(lacks()), reason=f"needs root on Linux and dockerd: {lacks()}"),
]
Fails = Callable[[str], BaseException]
FILE = """\
version: "3.8"
services:
  web:
    image: course/busybox
    command: sleep 999
    stop_grace_period: 0s
    deploy: {replicas: 2, endpoint_mode: dnsrr}
"""


@pytest.fixture(scope="module")
def swarm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swarm]:
    folder = tmp_path_factory.mktemp("stack")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COURSE_STATE", str(folder / "state"))
        patch.setenv("DOCKER_CONFIG", str(folder / "docker"))
        (folder / "docker").mkdir()
        (folder / "docker" / "config.json").write_text("{}")
        made = Swarm(f"s{uuid.uuid4().hex[:5]}")
        engine.forget()
        made.up(1, images=["course/busybox"])
        engine.use(f"{made.name}-1")
        try:
            yield made
        finally:
            engine.use("")
            made.down()


def test_a_stack_from_deploy_to_rm(swarm: Swarm, cell: Cell, here: Path) -> None:
    deployed = cell(f"%%container stack deploy --resolve-image never shop\n{FILE}").result
    assert [(r["kind"], r["name"], r["done"]) for r in deployed.rows] == [
        ("network", "shop_default", "created"),
        ("service", "shop_web", "created"),
    ]
    assert str(deployed).endswith("$ docker stack deploy -c - --resolve-image never shop < CELL")
    assert list(here.glob(".stack-*")) == []
    api = engine.current().api
    assert len(api.services(filters={"label": labels.SESSION})) == 1
    assert [r["Name"] for r in cell("%container stack ls").result] == ["shop"]
    services = cell("%container stack services shop").result
    assert (services[0]["Name"], services[0]["Image"]) == ("shop_web", "course/busybox:latest")

    def states() -> list[str]:
        return [r["shown state"] for r in cell("%container stack ps shop").result]

    until(lambda: states() == ["Running"] * 2, sign=states, pause=0.5, what="the stack")
    assert len(api.containers(filters={"label": "com.docker.stack.namespace=shop"})) == 2
    assert cell("%container stack services -q shop").result.lines
    (here / "compose.yaml").write_text(FILE.replace("replicas: 2", "replicas: 1"))
    again = cell("%container stack deploy -c compose.yaml --resolve-image never shop").result
    assert again.rows == [{"kind": "service", "name": "shop_web", "done": "updated"}]
    removed = cell("%container stack rm shop").result
    assert {r["done"] for r in removed.rows} == {"removed"}
    assert api.services() == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"%%container stack deploy x\n{FILE.replace('image:', 'imge:')}", "line 4 of the cell"),
        (f"%%container stack deploy x\n{FILE.replace('image:', 'imge:')}", "did you mean image?"),
        ("%%container stack deploy x\nservices:\n\tweb:\n", "line 2 of the cell"),
        ("%container stack deploy x", "the compose file is missing"),
        ("%container stack deploy -c nowhere.yaml x", "no file nowhere.yaml"),
        (f"%%container stack deploy -c a.yaml x\n{FILE}", "the cell is the file"),
        ("%container stack ps nothing", "stack ls"),
        ("%container stack deploi", "did you mean %container stack deploy?"),
    ],
)
def test_what_is_wrong(swarm: Swarm, fails: Fails, here: Path, text: str, words: str) -> None:
    error = fails(text)
    assert isinstance(error, EngineError | OptionError)
    assert words in str(error)


def test_without_a_swarm(fails: Fails, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOCKER_CONFIG", raising=False)
    before = engine.current()
    engine.use("unix:///var/run/docker.sock")
    try:
        error = fails("%container stack ls")
    finally:
        engine.use(before.url)
    assert "swarm init" in str(error)


def test_without_the_docker_client(
    fails: Fails, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(here))
    monkeypatch.setattr(program, "cached_docker", lambda: here / "docker")
    error = fails("%container stack ls")
    assert "course-magics compose fetch --docker" in str(error)

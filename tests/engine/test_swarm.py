"""A swarm of three real engines on this computer: what runs where, and what happens on failure.

Its engines are its own: the shared one is never part of a swarm.
"""

import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from course_magics import engine, labels, patience, settings
from course_magics.containers.swarm import converge
from course_magics.containers.swarm.talk import ipvs
from course_magics.engine.namespaced import lacks
from course_magics.errors import EngineError, Interrupted, OptionError
from course_magics.swarms.local import Swarm

from .beside import traces
from .conftest import Cell

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(bool(lacks()), reason=f"needs root on Linux and dockerd: {lacks()}"),
]
Fails = Callable[[str], BaseException]
#: Replicas are small, have their own addresses, and count as running after a second.
QUICK = "--endpoint-mode dnsrr --update-monitor 1s --restart-delay 0s --stop-grace-period 0s"


@pytest.fixture(scope="module")
def swarm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swarm]:
    folder = tmp_path_factory.mktemp("swarm")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COURSE_STATE", str(folder / "state"))
        patch.setenv("DOCKER_CONFIG", str(folder / "docker"))
        (folder / "docker").mkdir()
        (folder / "docker" / "config.json").write_text("{}")
        made = Swarm(f"s{uuid.uuid4().hex[:5]}")
        engine.forget()
        made.up(3, images=["course/busybox"])
        try:
            yield made
        finally:
            engine.use("")
            made.down()
            assert not any(traces(made.name).values()), traces(made.name)


@pytest.fixture
def cell(swarm: Swarm, cell: Cell, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cell]:
    """Cells run on the first node; services are removed afterwards."""
    cell(f"%engine use {swarm.name}-1")
    monkeypatch.setattr(settings.current(), "patience", 30)
    yield cell
    api = engine.current().api
    for service in api.services():
        api.remove_service(service["ID"])
    engine.use("")


def until(true: Callable[[], Any]) -> Any:
    """Wait for a state that the swarm reaches by itself, as long as one of its tasks moves."""

    def moves() -> object:
        try:
            tasks = engine.current().api.tasks()
        except Exception:  # it has no leader at this moment, or the engine is the killed one
            return None
        return sorted((t["ID"], t["Status"]["State"]) for t in tasks)

    return patience.until(true, sign=moves, pause=0.3, what="the swarm")


def running(cell: Cell, service: str) -> list[str]:
    """The nodes on which a service's tasks run."""
    rows = cell(f"%container service ps {service} --filter desired-state=running").result.rows
    return sorted(r["Node"] for r in rows if r["shown state"] == "Running")


def test_replicas_scale_update_rollback(cell: Cell, fails: Fails, swarm: Swarm) -> None:
    nodes = [f"{swarm.name}-{n}" for n in (1, 2, 3)]
    made = cell(
        f"%container service create --name web --replicas 3 {QUICK} -e COLOUR=red "
        "course/busybox sh -c 'echo I am $COLOUR; exec sleep 1000'"
    ).result
    assert (made.progress.ready, made.progress.wanted) == (3, 3)
    assert "tasks    3 of 3 run" in str(made)
    assert "$ docker service create --name web" in str(made)
    assert running(cell, "web") == nodes, "one on each"
    listed = cell("%container service ls").result
    assert (listed[0]["Name"], listed[0]["Replicas"]) == ("web", "3/3")
    assert [r["Hostname"] for r in cell("%container node ls").result.rows] == nodes

    assert len(cell("%container service scale web=4").result) == 1
    assert len(running(cell, "web")) == 4
    cell("%container service update --env-add COLOUR=blue --update-parallelism 2 web")
    env = "'{{json .Spec.TaskTemplate.ContainerSpec.Env}}'"
    assert cell(f"%container service inspect -f {env} web").result.text == '["COLOUR=blue"]'
    said = until(lambda: cell("%container service logs web").result.stdout)
    assert "web.1@" in said
    assert "I am blue" in said
    cell("%container service rollback web")
    assert cell(f"%container service inspect -f {env} web").result.text == '["COLOUR=red"]'
    assert len(running(cell, "web")) == 4

    error = fails("%container service ps wbe")
    assert "did you mean web?" in (error.hint or "")  # type: ignore[attr-defined]
    cell("%container service rm web")
    assert len(cell("%container service ls").result) == 0
    assert isinstance(fails("%container service rm web"), EngineError)


def test_names_over_nodes_secrets_and_configs(cell: Cell, fails: Fails) -> None:
    api = engine.current().api
    api.create_network("net", driver="overlay", attachable=True)
    try:
        cell("%%container secret create word\nopen sesame")
        cell("%%container config create page\nhello from a config\n")
        assert "open sesame" not in str(cell("%container secret inspect word").result)
        assert "already" in str(fails("%%container secret create word\nx"))
        cell(
            f"%container service create --name site --mode global {QUICK} --network net "
            "--secret word --config source=page,target=/www/index.html course/busybox "
            "sh -c 'cat /run/secrets/word >> /www/index.html || cp /run/secrets/word /www/word; "
            "exec httpd -f -h /www'"
        )
        assert len(running(cell, "site")) == 3
        asked = cell(
            "%container run --rm --network net course/busybox sh -c "
            "'nslookup site | grep -c ^Address; wget -qO- http://site/index.html; "
            "wget -qO- http://site/word'"
        ).result.stdout
        assert "hello from a config" in asked
        assert "open sesame" in asked
        assert int(asked.split()[0]) >= 3, "an address for each task, on three nodes"
        assert "did you mean net?" in str(
            fails("%container service create --network nett course/busybox")
        )
        cell("%container service rm site")
        until(lambda: not api.containers(filters={"label": "com.docker.swarm.service.name=site"}))
        cell("%container secret rm word")
        cell("%container config rm page")
        assert len(cell("%container config ls").result) == 0
    finally:
        for service in api.services():
            api.remove_service(service["ID"])
        until(lambda: not api.networks(names=["net"]) or _gone(api, "net"))


def _gone(api: Any, network: str) -> bool:
    from docker.errors import APIError

    try:
        api.remove_network(network)
    except APIError:
        return False
    return True


def test_drain_and_a_node_that_fails(cell: Cell, swarm: Swarm) -> None:
    one, two, three = (f"{swarm.name}-{n}" for n in (1, 2, 3))
    cell(f"%container service create --name w --replicas 3 {QUICK} course/busybox sleep 1000")
    cell(f"%container node update --availability drain {three}")
    until(lambda: (found := running(cell, "w")) and len(found) == 3 and three not in found)
    cell(f"%container node update --availability active {three}")

    swarm.kill(two)
    status = {n.name: n.state for n in until(lambda: _down(swarm, two))}
    assert status[one] == "ready"
    rows = {r["Hostname"]: r["Status"] for r in cell("%container node ls").result.rows}
    assert rows[two] == "Down"
    until(lambda: (found := running(cell, "w")) and len(found) == 3 and two not in found)
    with pytest.raises(EngineError, match="does not run"):
        swarm.kill("2")
    swarm.start("2")
    until(lambda: all(n.state == "ready" for n in swarm.status()))


def _down(swarm: Swarm, name: str) -> Any:
    found = swarm.status()
    return found if any(n.name == name and n.state == "down" for n in found) else None


def test_a_port_that_no_node_has_left_ends_with_a_reason(
    cell: Cell, fails: Fails, swarm: Swarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    import urllib.request

    monkeypatch.setattr(settings.current(), "patience", 3)
    error = fails(
        f"%container service create --name p --replicas 4 {QUICK} "
        "--publish mode=host,target=80,published=8099 course/busybox httpd -f -h /etc"
    )
    assert isinstance(error, EngineError)
    assert "3 of 4 tasks run, and nothing has moved for 3 s; p." in error.message
    assert "port already in use on 3 nodes" in error.message
    address = swarm.nodes[1].address
    with urllib.request.urlopen(f"http://{address}:8099/group", timeout=10) as page:
        assert b"root" in page.read()
    cell("%container service scale p=3")


SLOW = QUICK.replace("grace-period 0s", "grace-period 2s") + " --rollback-monitor 1s"


def test_what_takes_long_in_total_but_moves_is_waited_for(
    cell: Cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each old task takes its grace, one after the other: twice the patience in all."""
    deaf = "course/busybox sh -c 'trap : TERM; while :; do sleep 1; done'"
    cell(f"%container service create --name slow --replicas 3 {SLOW} {deaf}")
    monkeypatch.setattr(settings.current(), "patience", 2)
    seen: list[tuple[int, int]] = []
    look = converge.look

    def looking(api: Any, service: str) -> converge.Progress:
        found = look(api, service)
        seen.append((found.ready, found.wanted))
        return found

    monkeypatch.setattr(converge, "look", looking)
    for change in ("service update --env-add COLOUR=blue slow", "service rollback slow"):
        seen.clear()
        begun = time.monotonic()
        made = cell(f"%container {change}").result
        assert time.monotonic() - begun > 2, "it was not slow: this test proves nothing"
        assert "tasks    3 of 3 run" in str(made)
        assert len({ready for ready, _ in seen}) > 2, "it is seen converging, task by task"


def test_a_service_that_does_not_move_is_given_up(
    cell: Cell, fails: Fails, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings.current(), "patience", 3)
    nowhere = "--constraint node.labels.disk==fast course/busybox sleep 99"
    error = fails(f"%container service create --name stuck {QUICK} {nowhere}")
    assert isinstance(error, EngineError)
    assert "stuck: 0 of 1 tasks run, and nothing has moved for 3 s; stuck.1: no su" in error.message
    assert "CourseMagics.patience" in str(error.hint)
    crashes = "course/busybox sh -c 'exit 3'"
    error = fails(f"%container service create --name crashes {QUICK} {crashes}")
    assert "nothing has moved" in str(error), "to be tried again and again is no progress"
    assert "non-zero exit (3)" in str(error)


def test_a_job_that_computes_longer_than_the_patience_is_waited_for(
    cell: Cell, fails: Fails, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings.current(), "patience", 2)
    job = "--mode replicated-job --endpoint-mode dnsrr course/busybox"
    made = cell(f"%container service create --name job {job} sleep 6").result
    assert made.progress.ready == 1


def test_without_ipvs_published_ports_need_mode_host(cell: Cell) -> None:
    made = cell("%container service create --name m -d -p 8098:80 course/busybox httpd -f")
    assert ("no IPVS" in str(made.result)) == (not ipvs())


def test_engine_clean_removes_what_cells_made_in_a_swarm(
    cell: Cell, fails: Fails, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = engine.current().api
    theirs = api.create_config("theirs", b"x")
    cell("%%container config create ours\nx")
    cell("%container network create -d overlay ournet")
    cell(
        f"%container service create -d --name ours --network ournet {QUICK} course/busybox sleep 99"
    )
    (service,) = api.services(filters={"name": "ours"})
    assert service["Spec"]["Labels"][labels.USER] == labels.user()
    monkeypatch.setenv("COURSE_USER", "another")
    for line in ("config create ours /etc/hostname", "service create --name ours course/busybox"):
        assert "on this engine belongs to" in str(fails(f"%container {line}"))
    assert cell("%engine clean").result.removed["services"] == []
    monkeypatch.delenv("COURSE_USER")
    gone = cell("%engine clean --mine").result.removed
    assert (gone["services"], gone["configs"], gone["networks"]) == (["ours"], ["ours"], ["ournet"])
    assert [c["Spec"]["Name"] for c in api.configs()] == ["theirs"]
    api.remove_config(theirs["ID"])


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("service create --mode global --replicas 2 course/busybox", "exclude each other"),
        ("service create --publish target=99999 course/busybox", "1 to 65535"),
        ("service create --publish traget=80 course/busybox", "did you mean target"),
        ("service create --constraint worker course/busybox", "--constraint takes"),
        ("service create --secret nothing course/busybox", "no such secret"),
        ("service scale web", "NAME=COUNT"),
        ("node update self", "nothing to change"),
        ("secret create alone", "the value is missing"),
        ("swarm join-token boss", "worker or manager"),
    ],
)
def test_what_is_wrong_is_one_line(cell: Cell, fails: Fails, line: str, said: str) -> None:
    error = fails(f"%container {line}")
    assert isinstance(error, OptionError | EngineError)
    assert said in str(error)


def test_interrupting_a_service_that_is_waited_for(cell: Cell, fails: Fails) -> None:
    """Its constraint fits no node, so only the interrupt ends the waiting; the service stays."""
    api = engine.current().api

    def press() -> None:
        until(lambda: api.services(filters={"name": "slow"}))
        os.kill(os.getpid(), signal.SIGINT)

    presser = threading.Thread(target=press)
    presser.start()
    error = fails(
        f"%container service create --name slow --constraint node.role==nobody {QUICK} "
        "course/busybox sleep 99"
    )
    presser.join()
    assert isinstance(error, Interrupted)
    assert error.message == "interrupted: stopped waiting; the service slow stays"
    assert [s["Spec"]["Name"] for s in api.services()] == ["slow"]


def test_tokens_joining_and_leaving(cell: Cell, fails: Fails, swarm: Swarm) -> None:
    told = cell("%container swarm join-token worker").result
    assert told.facts["token"] not in str(told)
    assert cell("%container swarm join-token -q worker").result.text == told.facts["token"]
    assert "BEGIN CERTIFICATE" in cell("%container swarm ca").result.text
    cell(f"%engine use {swarm.name}-3")
    assert "only managers" in str(fails("%container service ls"))
    address = told.facts["address"]
    cell("%container swarm leave")
    assert "swarm init" in str(fails("%container service create course/busybox"))
    assert "--token is missing" in str(fails(f"%container swarm join {address}"))
    wrong = told.facts["token"][:-5] + "aaaaa"
    error = fails(f"%container swarm join --token {wrong} {address}")
    assert "does not accept this token" in str(error)
    assert wrong not in str(error)
    nobody = address.replace(":2377", ":2399")
    error = fails(f"%container swarm join --token {told.facts['token']} {nobody}")
    assert f"no manager of a swarm answers at {nobody}" in str(error)
    assert told.facts["token"] not in str(error)
    cell(f"%container swarm join --token {told.facts['token']} {address}")
    cell(f"%engine use {swarm.name}-1")
    three = f"{swarm.name}-3"
    until(lambda: _ready_and_down(cell, three) == ["Down", "Ready"])
    gone = next(
        r["ID"]
        for r in cell("%container node ls").result.rows
        if r["Hostname"] == three and r["Status"] == "Down"
    )
    cell(f"%container node rm {gone}")
    cell(f"%container node promote {three}")
    until(lambda: "Reachable" in [r["ManagerStatus"] for r in cell("%container node ls").result])
    cell(f"%container node demote {three}")


def _ready_and_down(cell: Cell, name: str) -> list[str]:
    rows = cell("%container node ls").result.rows
    return sorted(r["Status"] for r in rows if r["Hostname"] == name)


def test_up_twice_and_what_cannot_be(swarm: Swarm, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EngineError, match="there already"):
        swarm.up(3)
    assert len(swarm.status()) == 3
    with pytest.raises(OptionError, match="--nodes takes"):
        Swarm("sother").up(0)
    with pytest.raises(EngineError, match="there is no swarm"):
        Swarm("sother").status()
    monkeypatch.setattr(os, "geteuid", lambda: 1000)  # the one fault that root cannot have
    with pytest.raises(EngineError, match="this is not root"):
        Swarm("sother").up(3, on="namespaces")


def test_an_interrupt_while_it_comes_up_leaves_nothing(tmp_path: Path) -> None:
    name = f"s{uuid.uuid4().hex[:5]}"
    program = "import sys; from course_magics.cli import main; sys.exit(main(sys.argv[1:]))"
    environment = {
        **os.environ,
        "COURSE_STATE": str(tmp_path / "state"),
        "DOCKER_CONFIG": str(tmp_path / "docker"),
    }
    with subprocess.Popen(
        [sys.executable, "-c", program, "swarm", "up", "--name", name],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        for line in process.stdout:
            if "answers" in line:
                break
        process.send_signal(2)
        assert process.wait(30) == 1
        assert "nothing is left of the swarm" in process.stderr.read()
    assert not any(traces(name).values()), traces(name)

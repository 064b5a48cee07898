"""`%container network` and `%container volume` on the real engine, beside what `docker` itself says."""

import contextlib
import json
import random
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest

from course_magics import engine, labels, settings
from course_magics.engine.namespaced import Namespaced, engine_beside, lacks
from course_magics.errors import EngineError, OptionError
from course_magics.guest import cache_dir

from .conftest import Cell

pytestmark = pytest.mark.engine
Fails = Callable[[str], BaseException]


@pytest.fixture
def net(api: docker.APIClient, name: str) -> Iterator[str]:
    """A name; networks and volumes whose names begin with it are removed, containers before them."""
    yield name
    for found in api.containers(all=True, filters={"name": name}):
        api.remove_container(found["Id"], force=True, v=True)
    for n in api.networks(filters={"name": name}):
        api.remove_network(n["Id"])
    for v in api.volumes(filters={"label": f"test={name}"})["Volumes"] or ():
        api.remove_volume(v["Name"])


@pytest.fixture
def subnet() -> str:
    """The first three numbers of a range that nobody else uses now."""
    return f"10.{random.randrange(130, 250)}.{random.randrange(256)}"


def docker_says(*words: str) -> str:
    return subprocess.run(
        ["docker", *words], capture_output=True, text=True, check=True
    ).stdout.rstrip("\n")


# --- networks -----------------------------------------------------------------------------------


def test_a_network_with_all_that_can_be_said_of_it(cell: Cell, api, net: str, subnet: str) -> None:  # type: ignore[no-untyped-def]
    made = cell(
        f"%container network create -d bridge --subnet {subnet}.0/24 --gateway {subnet}.1 "
        f"--ip-range {subnet}.128/25 --aux-address printer={subnet}.200 --internal --attachable "
        f"-o com.docker.network.bridge.enable_icc=false --label color=blue --label plain {net}"
    ).result
    found = api.inspect_network(net)
    assert found["IPAM"]["Config"] == [
        {
            "Subnet": f"{subnet}.0/24",
            "IPRange": f"{subnet}.128/25",
            "Gateway": f"{subnet}.1",
            "AuxiliaryAddresses": {"printer": f"{subnet}.200"},
        }
    ]
    assert (found["Internal"], found["Attachable"], found["Driver"]) == (True, True, "bridge")
    assert found["Options"] == {"com.docker.network.bridge.enable_icc": "false"}
    assert (found["Labels"]["color"], found["Labels"]["plain"]) == ("blue", "")
    assert labels.SESSION in found["Labels"], "%engine clean would not find it"
    assert (made.id, made.subnets) == (found["Id"], [f"{subnet}.0/24"])
    assert f"created network {net}" in str(made)
    assert found["Id"][:12] not in str(made)


def test_two_containers_find_each_other_by_name(
    cell: Cell, fails: Fails, net: str, subnet: str
) -> None:
    made = cell(f"%container network create --subnet {subnet}.0/24 {net}").result
    cell(f"%container run -d --name {net}-a course/busybox sleep 999")
    cell(f"%container run -d --name {net}-b course/debian sleep 999")
    reach = f"%container exec {net}-b getent hosts shop"
    assert fails(reach).status == 2  # type: ignore[attr-defined]
    cell(f"%container network connect --ip {subnet}.77 --alias shop {net} {net}-a")
    cell(f"%container network connect {net} {net}-b")
    assert cell(reach).result.stdout.split()[0] == f"{subnet}.77"
    assert made.containers[f"{net}-a"] == f"{subnet}.77"
    error = fails(f"%container network rm {net}")
    assert "network disconnect" in str(error)
    cell(f"%container network disconnect {net} {net}-a")
    assert fails(reach).status == 2  # type: ignore[attr-defined]
    cell(f"%container network disconnect -f {net} {net}-b")
    assert cell(f"%container network rm {net}").result.names == [net]


@pytest.mark.parametrize(
    "template",
    ["{{.Name}} {{.Driver}} {{.Scope}}", "{{.ID}}", "{{.IPv6}} {{.Internal}}", "{{.CreatedAt}}"],
)
def test_network_ls_format_is_docker_s(cell: Cell, net: str, template: str) -> None:
    cell(f"%container network create {net}")
    ours = cell(f"%container network ls --filter name={net} --format '{template}'").result
    assert ours.text == docker_says(
        "network", "ls", "--filter", f"name={net}", "--format", template
    )


def test_network_ls_and_inspect(cell: Cell, net: str) -> None:
    cell(f"%container network create --label color=blue {net}")
    table = cell(f"%container network ls --filter label=color=blue --filter name={net}").result
    assert str(table).split("\n")[:2] == [
        f"{'NAME':{len(net)}}  DRIVER  SCOPE",
        f"{net}  bridge  local",
    ]
    assert len(cell(f"%container network ls -q --filter name={net}").result.text) == 12
    full = cell(f"%container network ls -q --no-trunc --filter name={net}").result.text
    assert full == docker_says("network", "inspect", "-f", "{{.Id}}", net)
    assert cell(f"%container network inspect {net}").result.data == json.loads(
        docker_says("network", "inspect", net)
    )
    assert cell(f"%container network inspect -v -f '{{{{.Name}}}}' {net}").result.text == net


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("--subnet 10.1.2.3/24 N", "did you mean 10.1.2.0/24?"),
        ("--subnet hello N", "takes addresses such as"),
        ("--subnet 10.9.0.0/24 --gateway 10.8.0.1 N", "lies in no subnet"),
        ("--gateway 10.8.0.1 N", "add --subnet"),
        ("--subnet 10.9.0.0/24 --subnet 10.9.0.0/16 N", "overlap"),
        ("--subnet 10.9.0.0/24 --gateway 10.9.0.1 --gateway 10.9.0.2 N", "twice"),
        ("--subnet 10.9.0.0/24 --aux-address 10.9.0.7 N", "NAME=VALUE"),
        ("-o fast N", "--opt takes NAME=VALUE"),
        ("--subnet", "needs a value"),
    ],
)
def test_a_bad_network_is_one_clear_line(fails: Fails, net: str, words: str, says: str) -> None:
    error = fails(f"%container network create {words.replace('N', net)}")
    assert isinstance(error, OptionError)
    assert says in str(error)


def test_what_the_engine_refuses_of_networks(
    cell: Cell, fails: Fails, net: str, subnet: str
) -> None:
    cell(f"%container network create --subnet {subnet}.0/24 {net}")
    assert "network ls" in str(fails(f"%container network create {net}"))
    error = fails(f"%container network create --subnet {subnet}.0/25 {net}-2")
    assert isinstance(error, EngineError)
    assert "another --subnet" in str(error)
    assert f"did you mean {net}?" in str(fails(f"%container network inspect {net}x"))
    assert f"did you mean {net}?" in str(fails(f"%container network rm {net}x"))
    cell(f"%container create --name {net} course/busybox")
    assert f"did you mean {net}?" in str(fails(f"%container network connect {net}x {net}"))
    assert "no such container" in str(fails(f"%container network connect {net} {net}-nobody"))
    assert isinstance(fails(f"%container network connect --ip 1.2.3 {net} x"), OptionError)
    assert isinstance(fails("%container network rm ../volumes"), EngineError)
    assert cell(f"%container network rm -f {net}-2").result.names == [f"{net}-2"]


# --- volumes --------------------------------------------------------------------------------------


def test_a_volume_keeps_what_is_written(cell: Cell, api: docker.APIClient, net: str) -> None:
    made = cell(f"%container volume create --label test={net} {net}").result
    assert str(made).split("\n") == [
        f"created volume {net}",
        f"$ docker volume create --label test={net} {net}",
    ]
    assert labels.SESSION in api.inspect_volume(net)["Labels"]
    cell(f"%container run --rm -v {net}:/data course/busybox sh -c 'echo kept > /data/file'")
    run = cell(f"%container run --rm -v {net}:/data course/busybox cat /data/file").result
    assert run.stdout == "kept\n"
    assert cell(f"%container volume inspect {net}").result.data == json.loads(
        docker_says("volume", "inspect", net)
    )
    for template in ("{{.Name}} {{.Driver}}", "{{.Mountpoint}}", "{{.Scope}} {{.Links}}"):
        ours = cell(f"%container volume ls --filter name={net} --format '{template}'").result
        assert ours.text == docker_says(
            "volume", "ls", "--filter", f"name={net}", "--format", template
        )
    assert cell(f"%container volume ls -q --filter name={net}").result.lines == [net]


def test_a_volume_with_options_and_one_without_a_name(cell: Cell, net: str) -> None:
    cell(
        f"%container volume create --label test={net} -o type=tmpfs -o device=tmpfs -o o=size=1m {net}"
    )
    shown = cell(f"%container run --rm -v {net}:/data course/busybox df -k /data").result.stdout
    assert "1024" in shown
    made = cell(f"%container volume create --label test={net}").result
    assert len(made.name) == 64
    assert made.name not in str(made)


def test_what_the_engine_refuses_of_volumes(cell: Cell, fails: Fails, net: str) -> None:
    cell(f"%container volume create --label test={net} {net}")
    cell(f"%container run -d --name {net} -v {net}:/data course/busybox sleep 999")
    assert "--filter volume=NAME" in str(fails(f"%container volume rm {net}"))
    assert f"did you mean {net}?" in str(fails(f"%container volume rm {net}x"))
    assert f"did you mean {net}?" in str(fails(f"%container volume inspect {net}x"))
    assert isinstance(fails("%container volume create -o size"), OptionError)
    assert isinstance(fails("%container volume ls --filter nmae=x"), OptionError)
    error = fails(f"%container volume update --availability drain {net}")
    assert "cluster volumes" in str(error)
    assert cell(f"%container volume rm -f {net}-none").result.names == [f"{net}-none"]


# --- prune ------------------------------------------------------------------------------------------


def test_prune_says_what_it_would_remove_and_does_it_with_force(
    cell: Cell, fails: Fails, api: docker.APIClient, net: str
) -> None:
    only = f"--filter label=test={net}"
    cell(f"%container network create --label test={net} {net}")
    cell(f"%container network create {net}-other")
    error = fails(f"%container network prune {only}")
    assert isinstance(error, OptionError)
    assert f"networks: {net}" in str(error)
    assert "add -f" in str(error)
    assert api.networks(names=[net]), "it must not be removed without -f"
    assert cell(f"%container network prune -f {only}").result.removed == {"networks": [net]}
    assert [n["Name"] for n in api.networks(filters={"name": net})] == [f"{net}-other"]
    assert "nothing to remove" in str(cell(f"%container network prune -f {only}").result)

    cell(f"%container volume create --label test={net} {net}")
    assert net in str(fails(f"%container volume prune -a {only}"))
    assert cell(f"%container volume prune -a -f {only}").result.removed == {"volumes": [net]}
    assert not api.volumes(filters={"name": net})["Volumes"]


def test_system_prune_takes_only_what_matches(
    cell: Cell, fails: Fails, api: docker.APIClient, net: str
) -> None:
    only = f"--filter label=test={net}"
    for what in ("kept", f"test={net}"):
        cell(f"%container create -l {what} --name {net}-{what[:4]} course/busybox true")
    cell(f"%container network create --label test={net} {net}")
    cell(f"%%dockerfile -t {net} --label test={net}\nFROM course/busybox\nENV A=1\n")
    error = fails(f"%container system prune {only}")
    assert f"containers: {net}-test" in str(error)
    assert f"networks: {net}" in str(error)
    assert "build cache" not in str(error), "it has no labels: the engine would empty it"
    done = cell(f"%container system prune -a -f {only}").result
    assert done.removed["containers"] == [f"{net}-test"]
    assert done.removed["networks"] == [net]
    assert done.removed["images"] == [f"{net}:latest"]
    assert "build cache" not in done.removed
    assert not api.images(filters={"reference": net})
    assert [c["Names"] for c in api.containers(all=True, filters={"name": net})] == [
        [f"/{net}-kept"]
    ]


def test_a_bad_prune_is_one_clear_line(fails: Fails) -> None:
    assert "allowed: label" in str(fails("%container system prune -f --filter color=blue"))
    assert "volumes" in str(fails("%container system prune -f --volumes --filter until=1h"))
    assert isinstance(fails("%container network prune -f --filter until=soon"), OptionError)


def test_prune_waits_for_another_kernel_s(cell: Cell, net: str) -> None:
    over = threading.Event()
    url = engine.current().url

    def other_kernel() -> None:
        with contextlib.closing(docker.APIClient(url, version="auto")) as second:
            while not over.is_set():
                with contextlib.suppress(docker.errors.APIError):
                    second.prune_networks(filters={"label": f"test={net}-none"})

    others = [threading.Thread(target=other_kernel) for _ in range(3)]
    for other in others:
        other.start()
    try:
        for _ in range(20):
            shown = cell(f"%container network prune -f --filter label=test={net}").result
            assert "nothing to remove" in str(shown)
    finally:
        over.set()
        for other in others:
            other.join()


def test_a_prune_that_never_ends_is_named(
    fails: Fails, monkeypatch: pytest.MonkeyPatch, net: str
) -> None:
    """A fake: the engine's own prunes are over within milliseconds."""

    def busy(*_: object, **__: object) -> None:
        raise docker.errors.APIError("409", explanation="a prune operation is already running")

    monkeypatch.setattr("course_magics.containers.prune.request", busy)
    monkeypatch.setattr(settings.current(), "patience", 1)
    error = fails(f"%container network prune -f --filter label=test={net}")
    assert isinstance(error, EngineError)
    assert "a prune operation is already running" in str(error)


# --- cluster volumes ------------------------------------------------------------------------------


@pytest.fixture
def newer(net: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Namespaced]:
    """Debian 13's engine as the one in use: 20.10 knows no cluster volumes."""
    monkeypatch.setenv("COURSE_STATE", str(tmp_path))
    with engine_beside(f"v{net[-6:]}", programs=cache_dir() / "newer-docker/bin") as beside:
        with monkeypatch.context() as changed:
            changed.setenv("COURSE_ENGINE", beside.url)
            engine.forget()
            yield beside
        engine.forget()


@pytest.mark.skipif(bool(lacks()), reason=f"needs root on Linux and dockerd: {lacks()}")
def test_a_cluster_volume_of_a_swarm(newer: Namespaced, cell: Cell, fails: Fails, net: str) -> None:
    """No plugin ever makes this one: it stays a wish, as docker's own would."""
    flags = "--group slow --type mount --sharing all --scope multi --required-bytes 1g"
    assert "swarm" in str(fails(f"%container volume create -d csi.example {flags} {net}"))
    there = docker.APIClient(base_url=newer.url, version="auto")
    there.init_swarm(advertise_addr=newer.address)
    secret = there.create_secret("id", b"x")["ID"]
    cell(
        f"%container volume create -d csi.example {flags} --secret key={secret} "
        f"--topology-required region=R1,zone=Z1 {net}"
    )
    cell(f"%container volume update --availability drain {net}")
    spec = there.inspect_volume(net)["ClusterVolume"]["Spec"]
    assert (spec["Group"], spec["Availability"]) == ("slow", "drain")
    assert spec["AccessMode"] == {"Scope": "multi", "Sharing": "all", "MountVolume": {}}
    assert spec["CapacityRange"]["RequiredBytes"] == 1024**3
    assert spec["Secrets"] == [{"Key": "key", "Secret": secret}]
    wanted = {"region": "R1", "zone": "Z1"}
    assert spec["AccessibilityRequirements"]["Requisite"] == [{"Segments": wanted}]
    cell("%container volume create plain")
    (row,) = cell("%container volume ls --cluster").result.rows
    assert (row["Name"], row["Group"], row["Availability"]) == (net, "slow", "drain")
    there.close()


def test_no_cluster_volume_without_a_swarm(fails: Fails, api: docker.APIClient, net: str) -> None:
    """An engine that does not know them would have made a common volume."""
    reason = "API 1.42" if api.api_version < "1.42" else "swarm"
    assert reason in str(fails(f"%container volume create --type mount {net}"))
    assert net not in [v["Name"] for v in api.volumes()["Volumes"] or ()]
    assert isinstance(fails(f"%container volume create --type disk {net}"), OptionError)

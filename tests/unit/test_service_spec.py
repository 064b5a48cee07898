"""A service's specification, made and changed by docker's flags."""

from typing import Any

import pytest

from course_magics.containers.swarm import spec
from course_magics.errors import OptionError
from course_magics.magics.container import MAGIC
from course_magics.magics.grammar import parse


def made(*words: str) -> dict[str, Any]:
    call = parse(MAGIC, ["service", "create", *words])
    image, *args = call.args
    return spec.create(image, args, call.flags, call.given)


def changed(service: dict[str, Any], *words: str) -> dict[str, Any]:
    call = parse(MAGIC, ["service", "update", *words, "web"])
    spec.apply(service, call.flags, call.given, adding="_add")
    return service


def test_flags_go_where_the_engine_wants_them() -> None:
    found = made(
        *[
            "--name",
            "web",
            "--replicas",
            "3",
            "-e",
            "A=1",
            "--limit-cpu",
            "0.5",
            "--limit-memory",
            "64m",
            "--restart-delay",
            "1s",
        ],
        *[
            "--update-parallelism",
            "2",
            "--update-order",
            "start-first",
            "--constraint",
            "node.role==worker",
        ],
        *["--publish", "8080:80/udp", "--publish", "mode=host,target=90,published=9090"],
        *[
            "--mount",
            "type=volume,source=v,target=/v",
            "--host",
            "db:10.0.0.1",
            "busybox",
            "echo",
            "-n",
            "hi",
        ],
    )
    task = found["TaskTemplate"]
    assert found["Name"] == "web"
    assert found["Mode"] == {"Replicated": {"Replicas": 3}}
    assert task["ContainerSpec"]["Args"] == ["echo", "-n", "hi"]
    assert task["ContainerSpec"]["Env"] == ["A=1"]
    assert task["ContainerSpec"]["Hosts"] == ["10.0.0.1 db"]
    assert task["ContainerSpec"]["Mounts"][0]["Target"] == "/v"
    assert task["Resources"]["Limits"] == {"NanoCPUs": 500_000_000, "MemoryBytes": 64 << 20}
    assert task["RestartPolicy"] == {"Delay": 1_000_000_000}
    assert task["Placement"] == {"Constraints": ["node.role==worker"]}
    assert found["UpdateConfig"] == {"Parallelism": 2, "Order": "start-first"}
    assert found["EndpointSpec"]["Ports"] == [
        {"TargetPort": 80, "Protocol": "udp", "PublishedPort": 8080, "PublishMode": "ingress"},
        {"Protocol": "tcp", "PublishMode": "host", "TargetPort": 90, "PublishedPort": 9090},
    ]


def test_update_adds_changes_and_takes_away() -> None:
    service = made("--name", "web", "-e", "A=1", "-e", "B=2", "-l", "x=1", "-p", "80:80", "busybox")
    changed(service, "--env-add", "A=9", "--env-rm", "B", "--label-add", "y=2", "--label-rm", "x")
    changed(service, "--publish-rm", "80", "--args", "sleep '1 0'", "--replicas", "0", "--force")
    box = service["TaskTemplate"]["ContainerSpec"]
    assert box["Env"] == ["A=9"]
    assert service["Labels"] == {"y": "2"}
    assert service["EndpointSpec"]["Ports"] == []
    assert box["Args"] == ["sleep", "1 0"]
    assert service["Mode"]["Replicated"]["Replicas"] == 0
    assert service["TaskTemplate"]["ForceUpdate"] == 1


def test_every_flag_of_the_tables_can_be_typed() -> None:
    words = {w.name: {f.key for f in w.flags} for w in MAGIC.words if w.name.startswith("service")}
    both = set(spec.SCALARS) - {"image", "args"}
    assert both <= words["service create"]
    assert set(spec.SCALARS) <= words["service update"]
    assert set(spec.LISTS) <= words["service create"]
    plain = {"cap_add", "cap_drop", "log_opt"}
    assert {f"{n}_{e}" for n in set(spec.LISTS) - plain for e in ("add", "rm")} <= words[
        "service update"
    ]


@pytest.mark.parametrize(
    "line",
    [
        "--mode global --replicas 2 busybox",
        "--replicas -1 busybox",
        "-p 127.0.0.1:80:80 busybox",
        "--publish target=80,mode=guest busybox",
        "--placement-pref tight busybox",
        "--constraint node.role=worker busybox",
        "--no-healthcheck --health-cmd true busybox",
        "--secret target=x busybox",
        "--host db busybox",
    ],
)
def test_what_cannot_be_is_refused(line: str) -> None:
    with pytest.raises(OptionError):
        made(*line.split())
    made("busybox")


def test_a_global_service_is_not_scaled() -> None:
    service = made("--name", "web", "--mode", "global", "busybox")
    with pytest.raises(OptionError, match="once on each node"):
        changed(service, "--replicas", "2")

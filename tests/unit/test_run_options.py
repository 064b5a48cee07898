"""`docker run`'s flags as the engine takes them, and one clear line for a bad value."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from course_magics.containers.build.build import BuildOptions, build
from course_magics.containers.compose.failure import failed
from course_magics.containers.contexts import endpoint
from course_magics.containers.naming import pairs
from course_magics.containers.options import RunOptions, config
from course_magics.containers.swarm.spec import LISTS
from course_magics.errors import OptionError


def host(**flags: Any) -> dict[str, Any]:
    return dict(config("i", [], RunOptions(**flags))["HostConfig"])


def test_ports() -> None:
    bindings = host(publish=["127.0.0.1:8080:80/udp", "9000-9001:90-91", "70"])["PortBindings"]
    assert bindings == {
        "80/udp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}],
        "90/tcp": [{"HostIp": "", "HostPort": "9000"}],
        "91/tcp": [{"HostIp": "", "HostPort": "9001"}],
        "70/tcp": [{"HostIp": "", "HostPort": ""}],
    }


def test_a_folder_of_this_computer(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    volumes = ["./x:/a", "$PWD:/b:ro", "$(pwd)/y:/c", "~/z:/d", "name:/e", "/abs:/f"]
    assert host(volume=volumes)["Binds"] == [
        f"{here}/x:/a",
        f"{here}:/b:ro",
        f"{here}/y:/c",
        "/home/me/z:/d",
        "name:/e",
        "/abs:/f",
    ]
    assert config("i", [], RunOptions(volume=["/anonymous"]))["Volumes"] == {"/anonymous": {}}


def test_mounts(here: Path) -> None:
    mounts = host(
        mount=[
            "type=bind,src=.,dst=/w,readonly",
            "source=v,target=/v",
            "type=tmpfs,dst=/t,tmpfs-size=1m",
        ]
    )["Mounts"]
    assert mounts == [
        {"Type": "bind", "Source": str(here), "Target": "/w", "ReadOnly": True},
        {"Type": "volume", "Source": "v", "Target": "/v"},
        {"Type": "tmpfs", "Target": "/t", "TmpfsOptions": {"SizeBytes": 1 << 20}},
    ]


def test_environment(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FROM_HERE", "yes")
    (here / "env").write_text("\ufeff# comment\n\n  A=1 2\nFROM_HERE\nNOT_SET_ANYWHERE\n")
    made = config("i", [], RunOptions(env=["B=x=y"], env_file=["env"]))
    assert made["Env"] == ["A=1 2", "FROM_HERE=yes", "B=x=y"]


def test_a_bad_line_of_a_file_is_named_without_its_value(here: Path) -> None:
    (here / "env").write_text("A=1\n# comment\n\n  bad key=topsecretvalue\n")
    (here / "labels").write_text("a=1\n=topsecretvalue\n")
    with pytest.raises(OptionError) as caught:
        config("i", [], RunOptions(env_file=["env"]))
    assert str(caught.value) == "--env-file env, line 4: NAME=VALUE or NAME, not 'bad key=…'"
    with pytest.raises(OptionError) as caught:
        config("i", [], RunOptions(label_file=["labels"]))
    assert str(caught.value) == "--label-file labels, line 2: NAME=VALUE, not '=…'"


@pytest.mark.parametrize(
    "read",
    [
        lambda: config("i", [], RunOptions(env=["bad key=topsecretvalue"])),
        lambda: config("i", [], RunOptions(label=["=topsecretvalue"])),
        lambda: config("i", [], RunOptions(sysctl=["=topsecretvalue"])),
        lambda: config("i", [], RunOptions(network=["name=n,password=topsecretvalue"])),
        lambda: config("i", [], RunOptions(network=["alias=topsecretvalue"])),
        lambda: pairs(["=topsecretvalue"], "--opt"),
        lambda: endpoint(["password=topsecretvalue"]),
        lambda: LISTS["label"].read("=topsecretvalue"),
        lambda: LISTS["secret"].read("source=s,password=topsecretvalue"),
        lambda: build("FROM x", BuildOptions(build_arg=["bad key=topsecretvalue"])),
    ],
    ids=range(10),
)
def test_no_error_repeats_the_value_of_a_name(read: Callable[[], object], here: Path) -> None:
    with pytest.raises(OptionError) as caught:
        read()
    assert "topsecret" not in str(caught.value)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("line 3: unterminated quoted value 'topsecret\n", "line 3: unterminated quoted value"),
        (
            'failed to read /x/.env: line 2: unterminated quoted value "topsecret\nsecret"',
            "failed to read /x/.env: line 2: unterminated quoted value",
        ),
        (
            'failed to read /x/.env: Invalid template: "${topsecret"',
            "read /x/.env: Invalid template",
        ),
        ('Invalid template: "${topsecret"', "Invalid template"),
    ],
)
def test_compose_s_words_on_an_env_file_are_shown_without_its_values(words: str, said: str) -> None:
    """As compose 2.26 words them."""
    error = str(failed(None, "docker compose up", 1, words))
    assert said in error
    assert "secret" not in error


def test_the_last_value_wins_and_a_bare_name_takes_away() -> None:
    made = config("i", [], RunOptions(env=["A=1", "B=", "A=2", "NOT_SET_ANYWHERE"]))
    assert made["Env"] == ["A=2", "B=", "NOT_SET_ANYWHERE"]


def test_limits_and_rights() -> None:
    made = host(
        memory=1 << 26, cpus=0.5, pids_limit=9, ulimit=["nofile=1:2"], restart="on-failure:3",
        cap_drop=["ALL"], read_only=True, tmpfs=["/run:size=1m"], init=True,
        device=["/dev/null:/dev/x:r"],
    )  # fmt: skip
    assert made["NanoCpus"] == 500_000_000
    assert made["Ulimits"] == [{"Name": "nofile", "Soft": 1, "Hard": 2}]
    assert made["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 3}
    assert made["Tmpfs"] == {"/run": "size=1m"}
    assert made["Devices"][0]["CgroupPermissions"] == "r"


@pytest.mark.parametrize(
    "flags",
    [
        {"publish": ["x"]},
        {"publish": ["99999:80"]},
        {"publish": ["80:80/xyz"]},
        {"publish": ["300.1.1.1:80:80"]},
        {"publish": ["80:80:80:80"]},
        {"publish": ["82-80"]},
        {"publish": ["8000-8001:80-82"]},
        {"publish": ["localhost:80:80"]},
        {"expose": ["x"]},
        {"expose": ["70000"]},
        {"ip": "10.0.0.2"},
        {"network": ["bridge"], "network_alias": ["x"]},
        {"dns": ["x"]},
        {"sysctl": ["x"]},
        {"device": ["null"]},
        {"device": ["/dev/null:q"]},
        {"ulimit": ["bogus=1"]},
        {"ulimit": ["nofile=20:10"]},
        {"no_healthcheck": True, "health_cmd": "x"},
        {"mount": ["type=bind,src=/,dst=/x,readonly=yes"]},
        {"mount": ["type=tmpfs,dst=/x,tmpfs-mode=9"]},
        {"volume": ["rel/path:/x"]},
        {"volume": ["./x:relative"]},
        {"volume": ["a:/b:c:d"]},
        {"mount": ["typ=bind"]},
        {"mount": ["type=bind,dst=/x"]},
        {"mount": ["type=nothing,dst=/x"]},
        {"mount": ["type=volume"]},
        {"env": ["=x"]},
        {"env": ["a b=c"]},
        {"env_file": ["missing"]},
        {"label": ["=x"]},
        {"restart": "sometimes"},
        {"restart": "always:3"},
        {"restart": "always", "rm": True},
        {"ulimit": ["nofile"]},
        {"tmpfs": ["relative"]},
        {"memory_swap": "lots"},
        {"add_host": ["name"]},
        {"cpus": -1.0},
        {"security_opt": ["seccomp=missing.json"]},
    ],
)
def test_a_bad_value_is_one_clear_line(here: Path, flags: dict[str, Any]) -> None:
    with pytest.raises(OptionError) as caught:
        config("i", [], RunOptions(**flags))
    assert "\n" not in caught.value.message

"""`%container system …`, `info`, `version` and `events` on the real engine."""

import contextlib
import json
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from typing import Any

import docker
import pytest

from course_magics.errors import EngineError, Interrupted, OptionError
from course_magics.patience import until
from course_magics.streams import Stream

from .conftest import Cell

pytestmark = pytest.mark.engine
Fails = Callable[[str], BaseException]


def docker_says(*words: str) -> str:
    return subprocess.run(
        ["docker", *words], capture_output=True, text=True, check=True
    ).stdout.rstrip("\n")


def same(ours: Callable[[], str], theirs: Callable[[], str]) -> None:
    """Other tests change what the engine has meanwhile: the two must agree once."""
    said: list[str] = []

    def agree() -> bool:
        with contextlib.suppress(subprocess.CalledProcessError):  # Podman's, meanwhile
            said[:] = [ours(), theirs()]
        return len(said) == 2 and said[0] == said[1]

    until(agree, sign=lambda: list(said), pause=0.2)
    assert len(said) == 2
    assert said[0] == said[1]


@pytest.mark.parametrize("template", ["{{.Type}} {{.TotalCount}}", "{{.Type}} {{.Active}}"])
def test_df_counts_as_docker_does(cell: Cell, template: str) -> None:
    line = f"%container system df --format '{template}'"
    same(lambda: cell(line).result.text, lambda: docker_says("system", "df", "--format", template))


def test_df_has_each_thing(cell: Cell, name: str) -> None:
    cell(
        f"%container run -d --name {name} course/busybox sh -c 'head -c 5000 /dev/zero > /x; sleep 99'"
    )
    table = cell("%container system df").result
    assert [r["Type"] for r in table.rows] == [
        "Images",
        "Containers",
        "Local Volumes",
        "Build Cache",
    ]
    assert str(table).split("\n")[0].split() == ["TYPE", "TOTAL", "ACTIVE", "SIZE", "RECLAIMABLE"]

    def looked() -> Any:
        whole = cell("%container system df -v").result
        return whole if mine(whole)["bytes"] == 5000 else None

    def mine(whole: Any) -> dict[str, Any]:
        (found,) = [c for c in whole.containers if c["Names"] == name]
        return dict(found)

    whole = until(looked, what="what the container writes")
    assert whole is not None
    assert (mine(whole)["Size"], mine(whole)["State"]) == ("5kB", "running")
    assert any(i["Repository"].endswith("course/busybox") for i in whole.images)
    assert "build cache:" in str(whole)
    data = json.loads(cell("%container system df -v --format '{{json .}}'").result.text)
    assert set(data) == {"Images", "Containers", "Volumes", "BuildCache"}


def test_info_and_version(cell: Cell, fails: Fails, api: docker.APIClient) -> None:
    info = cell("%container info").result
    assert info["ServerVersion"] == api.version()["Version"]
    assert f"{info['NCPU']} ×" in str(info)
    assert cell("%container system info -f '{{.Driver}} {{.NCPU}}'").result.text == docker_says(
        "info", "-f", "{{.Driver}} {{.NCPU}}"
    )
    version = cell("%container version").result
    assert version.server["Version"] == info["ServerVersion"]
    assert re.search(rf"^version +{re.escape(info['ServerVersion'])}$", str(version), re.MULTILINE)
    theirs = docker_says("version", "-f", "{{.Server.Version}} {{.Server.Os}}")
    assert cell("%container version -f '{{.Server.Version}} {{.Server.Os}}'").result.text == theirs
    assert cell("%container version -f '{{.Client.Platform.Name}}'").result.text == "course-magics"
    assert isinstance(fails("%container info -f '{{.Driver'"), OptionError)


# --- events ---------------------------------------------------------------------------------------


def test_events_are_told_without_times_and_ids(cell: Cell, api, name: str, capsys) -> None:  # type: ignore[no-untyped-def]
    begun = time.time()
    cell(f"%container network create {name}")
    try:
        cell(f"%container run --rm --name {name} -l color=blue course/busybox true")
        cell(f"%container create --name {name} course/busybox")
        cell(f"%container network connect {name} {name}")
        cell(f"%container network disconnect {name} {name}")
        capsys.readouterr()
        seen = cell(
            f"%container events --since {begun:.6f} --until {time.time() + 0.3:.6f} "
            f"--filter type=container --filter container={name}"
        ).result
        lines = capsys.readouterr().out.split("\n")
        assert f"container create {name} (color=blue, image=course/busybox)" in lines
        assert f"container die {name} (color=blue, exitCode=0, image=course/busybox)" in lines
        assert seen[0]["Actor"]["Attributes"]["color"] == "blue"
        assert len(seen) == seen.seen > 4
        cell(
            f"%container events --since {begun:.6f} --until {time.time():.6f} "
            f"--filter network={name} --format '{{{{.Type}}}} {{{{.Action}}}} {{{{.Scope}}}}'"
        )
        assert "network create local\n" in capsys.readouterr().out
        cell(
            f"%container events --since {begun:.6f} --until 0s --filter network={name} --format json"
        )
        first = json.loads(capsys.readouterr().out.split("\n")[0])
        assert first["Actor"]["Attributes"]["name"] == name
    finally:
        cell(f"%container rm -f {name}")
        api.remove_network(name)


def test_until_ends_it_while_it_follows(cell: Cell, name: str, api: docker.APIClient) -> None:
    for seconds in (2, 10, 60):  # on a slow computer it is created too late for the first
        made = threading.Timer(0.5, lambda: api.create_container("course/busybox", name=name))
        made.start()
        seen = cell(f"%container events --until -{seconds}s --filter container={name}").result
        made.join()
        if seen.rows:
            break
        api.remove_container(name)
    assert [e["Action"] for e in seen.rows] == ["create"]


def test_an_interrupt_says_how_many(name: str, api: docker.APIClient) -> None:
    from course_magics.containers.events import events

    out = Stream()
    begun = f"{time.time():.6f}"  # also what happens before it listens

    def then() -> None:
        api.create_container("course/busybox", name=name)
        until(lambda: name in out.text)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=then).start()
    with pytest.raises(Interrupted, match="after 1 event") as caught:
        events(out=out, filter=[f"container={name}"], since=begun)
    assert out.text == f"container create {name} (image=course/busybox)\n"
    assert len(caught.value.result) == 1  # type: ignore[attr-defined]


def test_a_bad_events_cell_is_one_clear_line(fails: Fails) -> None:
    assert "did you mean container=x?" in str(
        fails("%container events --until 0s --filter containr=x")
    )
    assert isinstance(fails("%container events --until tomorrow"), OptionError)
    assert isinstance(
        fails("%container events --until 0s --format '{{.A'"), OptionError | EngineError
    )

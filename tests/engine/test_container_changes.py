"""pause, update, rename, commit, tar files, stats, attach and prune on the real engine."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import tarfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import docker
import pytest

from course_magics import engine, labels
from course_magics.containers.stats import stats
from course_magics.errors import ContainerError, CourseError, EngineError, Interrupted, OptionError
from course_magics.patience import until

from .conftest import Cell, exists
from .test_container_ends import pressed_when

pytestmark = pytest.mark.engine
Fails = Callable[[str], BaseException]


@pytest.fixture
def box(cell: Cell, name: str) -> str:
    """A running container."""
    cell(f"%container run -d --name {name} course/busybox sleep 999")
    return name


def docker_says(*words: str) -> str:
    done = subprocess.run(["docker", *words], capture_output=True, text=True, check=True)
    return done.stdout.rstrip("\n")


def interrupted_after(event: str, name: str, fails: Fails, line: str) -> BaseException:
    """The cell's error when SIGINT comes after an event."""
    look = docker.APIClient(base_url=engine.current().url)  # the cell's own connection is busy
    begun = int(time.time())

    def happened() -> bool:
        asked = {"container": name, "event": event}
        now = int(time.time()) + 1
        return bool(list(look.events(since=begun, until=now, filters=asked, decode=True)))

    with pressed_when(happened):
        return fails(line)


# --- pause, rename, update ----------------------------------------------------------------------


def test_pause_and_unpause(cell: Cell, fails: Fails, api: docker.APIClient, box: str) -> None:
    cell(f"%container pause {box}")
    assert api.inspect_container(box)["State"]["Paused"]
    assert isinstance(fails(f"%container pause {box}"), EngineError)
    cell(f"%container container unpause {box}")
    assert not api.inspect_container(box)["State"]["Paused"]
    error = fails(f"%container unpause {box}x")
    assert f"did you mean {box}?" in (error.hint or "")  # type: ignore[attr-defined]


def test_rename(cell: Cell, fails: Fails, api: docker.APIClient, box: str) -> None:
    cell(f"%container rename {box} {box}-new")
    assert exists(api, f"{box}-new")
    assert not exists(api, box)
    assert isinstance(fails(f"%container rename {box} other"), EngineError)
    assert isinstance(fails(f"%container rename {box}-new 'no name'"), EngineError)


def test_update_is_docker_s(cell: Cell, fails: Fails, api: docker.APIClient, box: str) -> None:
    cell(f"%container run -d --name {box}-theirs course/busybox sleep 999")
    flags = "-m 64m --memory-swap 128m --cpu-shares 512 --pids-limit 50 --restart on-failure:2"
    cell(f"%container update {flags} {box}")
    docker_says("update", *flags.split(), f"{box}-theirs")
    ours, theirs = (api.inspect_container(n)["HostConfig"] for n in (box, f"{box}-theirs"))
    assert ours == theirs
    assert ours["Memory"] == 64 << 20
    assert isinstance(fails(f"%container update {box}"), OptionError)
    assert isinstance(fails(f"%container update -m 1k {box}"), EngineError)


# --- commit and tar files ------------------------------------------------------------------------


def test_commit(cell: Cell, fails: Fails, api: docker.APIClient, box: str) -> None:
    cell(f"%container exec {box} sh -c 'echo hello > /new'")
    made = cell(f'%container commit -a me -m why -c \'CMD ["cat", "/new"]\' {box} {box}:one').result
    found = api.inspect_image(f"{box}:one")
    assert made.id == found["Id"]
    assert (found["Author"], found["Comment"], found["Config"]["Cmd"]) == (
        "me",
        "why",
        ["cat", "/new"],
    )
    label = found["Config"]["Labels"][labels.IMAGE]
    assert labels.of_image(label) == (labels.user(), True)
    assert cell(f"%container run --rm {box}:one").result.stdout == "hello\n"
    assert isinstance(fails(f"%container commit {box} {box}@x"), CourseError)
    assert isinstance(fails(f"%container commit -c 'NONSENSE x' {box} {box}:two"), EngineError)


def test_export_and_import(cell: Cell, fails: Fails, box: str, here: Path) -> None:
    cell(f"%container export -o files.tar {box}")
    docker_says("export", "-o", "theirs.tar", box)
    with tarfile.open("files.tar") as ours, tarfile.open("theirs.tar") as theirs:
        assert sorted(ours.getnames()) == sorted(theirs.getnames())
    made = cell(f'%container import -c \'CMD ["echo", "flat"]\' files.tar {box}:flat').result
    assert made.layers == 1
    assert cell(f"%container run --rm {box}:flat").result.stdout == "flat\n"
    (here / "text").write_text("no tar file")
    for words in ("missing.tar", "-", "text"):
        assert isinstance(fails(f"%container import {words} {box}:x"), CourseError), words
    assert isinstance(fails(f"%container export {box}"), OptionError)
    assert isinstance(fails(f"%container export -o nowhere/x.tar {box}"), OptionError)


def test_save_and_load(
    cell: Cell, fails: Fails, api: docker.APIClient, name: str, here: Path
) -> None:
    cell(f"%container tag course/busybox {name}:saved")
    cell(f"%container save -o image.tar {name}:saved")
    cell(f"%container rmi {name}:saved")
    assert not api.images(name)
    assert cell("%container image load -i image.tar").result.names == [f"{name}:saved"]
    assert api.images(name)
    error = fails(f"%container save -o other.tar {name}:savedd")
    assert isinstance(error, EngineError)
    assert f"did you mean {name}:saved?" in (error.hint or "")
    assert [p.name for p in here.iterdir()] == ["image.tar"]
    (here / "text").write_text("no tar file")
    for words in ("", "-i missing.tar", "-i text"):
        assert isinstance(fails(f"%container load {words}"), CourseError), words


@pytest.mark.parametrize("word", ["save", "export"])
def test_an_interrupted_file_is_not_there(
    cell: Cell, fails: Fails, name: str, here: Path, word: str
) -> None:
    """SIGINT while bytes come; what stood under the name before is untouched."""
    (here / "x.tar").write_text("before")
    big = "RUN dd if=/dev/urandom of=/big bs=1M count=150"
    cell(f"%%dockerfile -t {name}:big\nFROM course/busybox\n{big}\n")
    cell(f"%container create --name {name}-big {name}:big true")
    what = f"{name}:big" if word == "save" else f"{name}-big"

    def when_bytes_come() -> None:
        if until(lambda: any(p.stat().st_size > 0 for p in here.glob(".x.tar.*")), pause=0.002):
            os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=when_bytes_come, daemon=True).start()
    error = fails(f"%container {word} -o x.tar {what}")
    assert isinstance(error, Interrupted), error
    assert "x.tar was not written" in error.message
    assert [p.name for p in here.iterdir()] == ["x.tar"]
    assert (here / "x.tar").read_text() == "before"


# --- stats, attach ---------------------------------------------------------------------------------


def test_stats_once(cell: Cell, fails: Fails, box: str) -> None:
    table = cell(f"%container stats --no-stream {box}").result
    assert [row["Name"] for row in table] == [box]
    assert table[0]["memory"] > 0
    assert table[0]["ID"] not in str(table)
    template = "{{.Name}} {{.Container}} {{.PIDs}} {{.NetIO}} {{.CPUPerc}} {{.MemUsage}}"
    ours = cell(f"%container stats --no-stream --format '{template}' {box}").result.text
    theirs = docker_says("stats", "--no-stream", "--format", template, box)
    shape = [re.sub(r"[\d.]+", "0", text) for text in (ours, theirs)]
    assert [s.split()[2] for s in (ours, theirs)] == ["1", "1"]
    assert len(shape[0].split()) == len(shape[1].split())
    assert f"did you mean {box}?" in (fails(f"%container stats {box}x").hint or "")  # type: ignore[attr-defined]


def test_stats_of_what_does_not_run(cell: Cell, box: str) -> None:
    cell(f"%container kill {box}")
    assert cell(f"%container stats -a --no-stream {box}").result[0]["PIDs"] == "0"
    running = cell("%container stats --no-stream").result
    assert box not in [row["Name"] for row in running]


def test_stats_go_on_until_the_container_ends(api: docker.APIClient, box: str) -> None:
    seen: list[int] = []

    def watch(table: object) -> None:
        seen.append(len(table))  # type: ignore[arg-type]
        if len(seen) == 2:
            api.kill(box)

    stats([box], watch=watch)
    assert seen[:2] == [1, 1]
    assert len(seen) >= 3


def test_stats_interrupted(box: str) -> None:
    shown: list[object] = []
    threading.Timer(3, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(Interrupted) as stopped:
        stats([box], watch=shown.append)
    assert stopped.value.result is shown[-1]  # type: ignore[attr-defined]


def test_attach_shows_what_comes_and_the_status(cell: Cell, fails: Fails, name: str) -> None:
    cell(f"%container run -d --name {name} course/busybox sh -c 'sleep 1; echo out; exit 3'")
    error = fails(f"%container attach {name}")
    assert isinstance(error, ContainerError)
    assert (error.status, error.result.stdout) == (3, "out\n")  # type: ignore[attr-defined]
    for said in (fails(f"%container attach {name}"), fails(f"%container attach {name}x")):
        assert isinstance(said, EngineError)
        assert said.hint


def test_attach_feeds_the_cell(cell: Cell, fails: Fails, name: str) -> None:
    cell(f"%container run -di --name {name} course/busybox cat")
    assert cell(f"%%container attach {name}\na\nb\n").result.stdout == "a\nb\n"
    # Its input stays open for others: two lines come, and it ends by itself.
    loop = "read a; read b; echo $a-$b"
    docker_says("run", "-di", "--name", f"{name}-open", "course/busybox", "sh", "-c", loop)
    assert cell(f"%%container attach {name}-open\na\nb\n").result.stdout == "a-b\n"
    cell(f"%container run -d --name {name}-deaf course/busybox sleep 99")
    assert isinstance(fails(f"%%container attach {name}-deaf\nx\n"), OptionError)


def test_attach_interrupted(fails: Fails, api: docker.APIClient, cell: Cell, box: str) -> None:
    error = interrupted_after("attach", box, fails, f"%container attach {box}")
    assert isinstance(error, Interrupted)
    assert "goes on" in error.message
    assert api.inspect_container(box)["State"]["Running"]
    trap = "trap 'exit 7' INT; echo set; while :; do sleep 0.1; done"
    cell(f'%container run -d --name {box}-trap course/busybox sh -c "{trap}"')
    assert until(lambda: b"set" in api.logs(f"{box}-trap"))
    line = f"%container attach --sig-proxy {box}-trap"
    error = interrupted_after("attach", f"{box}-trap", fails, line)
    assert "SIGINT" in str(error)
    assert api.wait(f"{box}-trap", timeout=10)["StatusCode"] == 7


# --- prune, rm --link, inspect --type -----------------------------------------------------------------


def test_container_prune(cell: Cell, fails: Fails, api: docker.APIClient, name: str) -> None:
    cell(f"%container create --name {name} -l prune={name} course/busybox")
    cell(f"%container create --name {name}-other course/busybox")
    only = f"--filter label=prune={name}"
    assert isinstance(fails(f"%container container prune {only}"), OptionError)
    assert exists(api, name)
    cell(f"%container container prune -f {only}")
    assert not exists(api, name)
    assert exists(api, f"{name}-other")


def test_image_prune(cell: Cell, fails: Fails, api: docker.APIClient, name: str) -> None:
    cell(f"%%dockerfile -t {name} --label prune={name}\nFROM course/busybox\nCMD ['x']\n")
    only = f"--filter label=prune={name}"
    assert isinstance(fails(f"%container image prune -a {only}"), OptionError)
    cell(f"%container image prune -f {only}")
    assert api.images(name), "it has a name"
    cell(f"%container image prune -af {only}")
    assert not api.images(name)


def test_removing_a_link(cell: Cell, api: docker.APIClient, box: str) -> None:
    cell(f"%container run -d --name {box}-user --link {box}:db course/busybox sleep 99")
    assert api.inspect_container(f"{box}-user")["HostConfig"]["Links"]
    cell(f"%container rm --link {box}-user/db")
    assert not api.inspect_container(f"{box}-user")["HostConfig"]["Links"]
    assert exists(api, box)


def test_inspect_looks_only_among_one_kind(cell: Cell, fails: Fails, box: str) -> None:
    assert cell(f"%container inspect --type container {box}").result[0]["Name"] == f"/{box}"
    assert isinstance(fails(f"%container inspect --type volume {box}"), EngineError)
    assert isinstance(fails(f"%container inspect --type node {box}"), EngineError)
    assert isinstance(fails(f"%container inspect --type nodes {box}"), OptionError)


# --- run's further flags ---------------------------------------------------------------------------


def test_cidfile(cell: Cell, fails: Fails, api: docker.APIClient, name: str, here: Path) -> None:
    cell(f"%container create --name {name} --cidfile id course/busybox")
    assert (here / "id").read_text() == api.inspect_container(name)["Id"]
    assert isinstance(
        fails(f"%container create --cidfile id --name {name}2 course/busybox"), OptionError
    )
    error = fails(f"%container create --cidfile no/id --name {name}2 course/busybox")
    assert isinstance(error, OptionError)
    assert not exists(api, f"{name}2")


def test_mac_address(cell: Cell, fails: Fails, api: docker.APIClient, name: str) -> None:
    address = "92:d0:c6:0a:29:33"
    cell(f"%container run -d --name {name} --mac-address {address} course/busybox sleep 99")
    found = api.inspect_container(name)["NetworkSettings"]["Networks"]["bridge"]
    assert found["MacAddress"] == address
    assert isinstance(fails("%container run --mac-address 92:d0 course/busybox"), OptionError)


def test_attach_chooses_the_streams(cell: Cell, fails: Fails, name: str) -> None:
    run = f"%container run --rm {{}} --name {name} course/busybox sh -c 'echo out; echo err >&2'"
    both = cell(run.format("")).result
    only = cell(run.format("-a stderr")).result
    assert (both.stdout, both.stderr) == ("out\n", "err\n")
    assert (only.stdout, only.stderr) == ("", "err\n")
    assert isinstance(fails(run.format("-a nothing")), OptionError)
    assert isinstance(fails(run.format("-d -a stdout")), OptionError)


def test_without_sig_proxy_it_outlives_the_cell(
    fails: Fails, api: docker.APIClient, name: str
) -> None:
    line = f"%container run --sig-proxy=false --name {name} course/busybox sleep 99"
    error = interrupted_after("start", name, fails, line)
    assert isinstance(error, Interrupted)
    assert "goes on" in error.message
    details = api.inspect_container(name)
    assert details["State"]["Running"]
    assert labels.OWNER not in details["Config"]["Labels"]


def test_two_networks(cell: Cell, fails: Fails, api: docker.APIClient, name: str) -> None:
    made = [api.create_network(f"{name}-{n}")["Id"] for n in "ab"]
    try:
        cell(
            f"%container create --name {name} --network name={name}-a,alias=one "
            f"--network {name}-b course/busybox"
        )
        found = api.inspect_container(name)["NetworkSettings"]["Networks"]
        assert set(found) == {f"{name}-a", f"{name}-b"}
        assert "one" in found[f"{name}-a"]["Aliases"]
        line = f"%container create --name {name}-x --network {{}} course/busybox"
        assert isinstance(fails(line.format(f"name={name}-a,alais=x")), OptionError)
        assert isinstance(fails(line.format(f"{name}-a --network host")), OptionError)
        assert not exists(api, f"{name}-x")
    finally:
        for container in api.containers(all=True, filters={"name": name}):
            api.remove_container(container["Id"], force=True)
        for network in made:
            api.remove_network(network)


def test_what_an_older_engine_does_not_know(fails: Fails, api: docker.APIClient, name: str) -> None:
    if tuple(map(int, api.api_version.split("."))) >= (1, 44):
        return
    for flag in ("--annotation a=b", "--health-start-interval 1s"):
        error = fails(f"%container create --name {name} {flag} course/busybox")
        assert "needs an engine with API" in str(error)
    assert not exists(api, name)


# --- build ----------------------------------------------------------------------------------------------


@pytest.fixture
def site(here: Path) -> Path:
    (here / "site").mkdir()
    (here / "site/file").write_text("hello\n")
    (here / "site/Dockerfile").write_text(
        'FROM course/busybox\nCOPY file /\nCMD ["cat", "/file"]\n'
    )
    (here / "site/other").write_text('FROM course/busybox\nCMD ["echo", "other"]\n')
    return here


def test_build_of_a_folder(cell: Cell, api: docker.APIClient, name: str, site: Path) -> None:
    made = cell(f"%container build -t {name}:a --iidfile id site").result
    assert (site / "id").read_text() == made.image == api.inspect_image(f"{name}:a")["Id"]
    assert cell(f"%container run --rm {name}:a").result.stdout == "hello\n"
    cell(f"%container image build -t {name}:b -f site/other site")
    assert cell(f"%container run --rm {name}:b").result.stdout == "other\n"
    assert cell(f"%container build -q -t {name}:a site").result.lines == [made.image]


def test_build_of_a_cell(cell: Cell, name: str, site: Path) -> None:
    cell(
        f"%%container build -t {name}:c -f - site\nFROM course/busybox\nCOPY file /f\nCMD cat /f\n"
    )
    assert cell(f"%container run --rm {name}:c").result.stdout == "hello\n"
    cell(f"%%container build -t {name}:d -\nFROM course/busybox\nCMD echo d\n")
    assert cell(f"%container run --rm {name}:d").result.stdout == "d\n"


def test_build_says_what_is_wrong(fails: Fails, site: Path) -> None:
    (site / "site/bad").write_text("FROM course/busybox\nRUN exit 5\n")
    assert "line 2" in str(fails("%container build -f site/bad site"))
    for words in ("nowhere", "-f site/none site", "-", "-f - site", "https://x.example/y.git"):
        assert isinstance(fails(f"%container build {words}"), OptionError), words
    assert isinstance(fails("%%container build site\nFROM x\n"), OptionError)


def test_flags_that_only_buildkit_has(
    cell: Cell, fails: Fails, name: str, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COURSE_BUILDER", "classic")
    error = fails("%container build --secret id=s,src=site/file site")
    assert "BuildKit" in str(error)
    monkeypatch.setenv("COURSE_BUILDER", "buildkit")
    from course_magics.guest.model import cache_dir

    if not (cache_dir() / "newer-docker/cli-plugins/docker-buildx").exists():
        pytest.skip("buildx is not here: bash .ci/newer-docker")
    monkeypatch.setenv("DOCKER_CONFIG", str(cache_dir() / "newer-docker"))
    secret = "RUN --mount=type=secret,id=s cp /run/secrets/s /s"
    cell(
        f"%%container build -t {name}:s --secret id=s,src=site/file --metadata-file m.json "
        f"-f - site\nFROM course/busybox\n{secret}\nCMD cat /s\n"
    )
    assert cell(f"%container run --rm {name}:s").result.stdout == "hello\n"
    assert json.loads((site / "m.json").read_text())
    cell("%%container build -o out -f - site\nFROM scratch\nCOPY file /got\n")
    assert (site / "out/got").read_text() == "hello\n"
    assert isinstance(fails("%container build --secret id=s,src=nothing site"), CourseError)

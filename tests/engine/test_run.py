"""`%container run` on the real engine."""

import os
from collections.abc import Callable
from pathlib import Path

import docker
import pytest
from IPython.core.interactiveshell import InteractiveShell

from course_magics import labels
from course_magics.containers.create import free_name
from course_magics.containers.reap import reap
from course_magics.errors import ContainerError, EngineError, OptionError

from .conftest import Cell, exists

pytestmark = pytest.mark.engine
Fails = Callable[[str], BaseException]


def test_output_status_and_removal(cell: Cell, api, name: str, capsys) -> None:  # type: ignore[no-untyped-def]
    run = cell(f"%container run --rm --name {name} course/busybox sh -c 'echo out; echo err >&2'")
    shown = capsys.readouterr()
    assert shown.out.startswith("out\n")
    assert shown.err == "err\n"
    assert (run.result.stdout, run.result.stderr, run.result.exit_code) == ("out\n", "err\n", 0)
    assert str(run.result).startswith(f"$ docker run --rm --name {name} course/busybox")
    assert not exists(api, name)


def test_a_status_other_than_0_fails_the_cell(fails: Fails, cell: Cell, capsys, name, api) -> None:  # type: ignore[no-untyped-def]
    error = fails(f"%container run --rm --name {name} course/busybox sh -c 'echo seen; exit 3'")
    assert isinstance(error, ContainerError)
    assert error.status == 3
    assert "seen" in capsys.readouterr().out
    assert not exists(api, name)
    kept = cell("x = %container run --rm --no-raise course/busybox sh -c 'exit 3'\nx")
    assert kept.result.exit_code == 3


@pytest.mark.parametrize(
    ("program", "status", "words"),
    [("no-such-program", 127, "not found"), ("/etc/passwd", 126, "cannot be executed")],
)
def test_a_program_that_cannot_start(
    fails: Fails, api: docker.APIClient, name: str, program: str, status: int, words: str
) -> None:
    error = fails(f"%container run --rm --name {name} course/busybox {program}")
    assert isinstance(error, ContainerError)
    assert (error.status, words in error.message) == (status, True)
    assert not exists(api, name)


def test_the_cell_is_the_standard_input(cell: Cell) -> None:
    run = cell("%%container run --rm course/busybox\necho $0\necho $((6 * 7))\n").result
    assert run.stdout == "sh\n42\n"
    code = "import sys\nprint(6 * 7, '{x} $y')\n"
    assert cell(f"%%container run --rm course/python python\n{code}").result.stdout == (
        "42 {x} $y\n"
    )


def test_a_large_input_and_output_at_the_same_time(cell: Cell, ip: InteractiveShell) -> None:
    """Written and read at once, or both sides would wait for each other."""
    from course_magics.containers.options import RunOptions
    from course_magics.containers.run import run_foreground

    data = bytes(range(256)) * 40_000
    run = run_foreground("course/busybox", ["cat"], RunOptions(rm=True), stdin=data)
    assert run._out.size == len(data)
    assert run.stdout_bytes.startswith(data[:1000])


def test_an_input_that_nobody_reads(cell: Cell) -> None:
    from course_magics.containers.options import RunOptions
    from course_magics.containers.run import run_foreground

    run = run_foreground("course/busybox", ["true"], RunOptions(rm=True), stdin=b"x" * 5_000_000)
    assert run.exit_code == 0


def test_binary_and_broken_utf8_survive(cell: Cell) -> None:
    run = cell(r"%container run --rm course/busybox printf 'a\377b\000c'").result
    assert run.stdout_bytes == b"a\xffb\x00c"
    assert run.stdout == "a\ufffdb\x00c"


def test_dollar_and_braces_reach_the_container(cell: Cell) -> None:
    run = cell("%container run --rm -e A=1 course/busybox sh -c 'echo $A ${A} $$ {b}'").result
    assert run.stdout.startswith("1 1 1 {b}")


def test_python_values_are_one_word(cell: Cell) -> None:
    run = cell("text = 'two words; exit 9'\nx = %container run --rm course/busybox echo {text}\nx")
    assert run.result.stdout == "two words; exit 9\n"


def test_detached_with_many_flags(cell: Cell, api: docker.APIClient, name: str, here: Path) -> None:
    (here / "page").write_text("hello")
    here.chmod(0o755)
    cell(
        f"c = %container run -d --name {name} -e A=1 -p 127.0.0.1::80 -v $PWD:/www:ro -w /www -u 1:1 "
        "--memory 32m --cpus 0.5 --pids-limit 20 --read-only --tmpfs /run --restart on-failure:2 "
        "--label l=v --hostname box --add-host other:10.1.2.3 --init --cap-drop ALL "
        "--cap-add NET_RAW --ulimit nofile=64 --ulimit nproc=512 "
        "--security-opt no-new-privileges course/busybox sleep 99"
    )
    found = api.inspect_container(name)
    made, host = found["Config"], found["HostConfig"]
    assert made["Hostname"] == "box"
    assert made["Labels"]["l"] == "v"
    assert labels.SESSION in made["Labels"]
    assert (host["Memory"], host["NanoCpus"], host["PidsLimit"]) == (32 << 20, 500_000_000, 20)
    assert host["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 2}
    assert (host["ReadonlyRootfs"], host["CapDrop"], host["Init"]) == (True, ["ALL"], True)
    assert host["PortBindings"]["80/tcp"][0]["HostIp"] == "127.0.0.1"
    inside = cell(f"x = %container exec {name} sh -c 'id -u; cat page; cat /etc/hosts'\nx").result
    assert inside.stdout.startswith("1\nhello127.0.0.1")
    assert "10.1.2.3\tother" in inside.stdout


def test_result_objects(cell: Cell, ip: InteractiveShell, name: str) -> None:
    cell(f"%container run -d -o c --name {name} course/busybox sh -c 'echo hi; sleep 99'")
    container = ip.user_ns["c"]
    assert (container.name, container.image, container.state) == (
        name,
        "course/busybox",
        "running",
    )
    assert container.exec("echo $((6*7))").stdout == "42\n"
    assert list(container.top()[0].values())[-1] == "sleep 99"
    container.stop()
    assert container.state.startswith("exited (")
    assert container.logs() == "hi\n"
    container.remove()
    assert container.state == "removed"


def test_a_container_without_a_name_gets_a_steady_one(cell: Cell, api: docker.APIClient) -> None:
    expected = free_name(api, "course/busybox")
    result = cell("%container run -d --rm course/busybox sleep 99").result
    try:
        assert result.name == expected
        assert result.name.startswith("busybox-")
    finally:
        result.remove()


def test_unknown_images_are_named_with_the_closest(fails: Fails) -> None:
    error = fails("%container run --rm course/busibox true")
    assert isinstance(error, EngineError)
    assert "no image 'course/busibox' here" in error.message
    assert "did you mean course/busybox?" in (error.hint or "")
    assert isinstance(fails("%container run --pull never course/nothing true"), EngineError)


def test_a_name_in_use(cell: Cell, fails: Fails, name: str) -> None:
    cell(f"%container run -d --name {name} course/busybox sleep 99")
    error = fails(f"%container run -d --name {name} course/busybox sleep 99")
    assert isinstance(error, EngineError)
    assert "choose another --name" in (error.hint or "")


def test_a_port_in_use_leaves_nothing_behind(cell: Cell, fails, api, name: str) -> None:  # type: ignore[no-untyped-def]
    port = 29_000 + os.getpid() % 1000
    cell(f"%container run -d --name {name}-a -p 127.0.0.1:{port}:80 course/busybox sleep 99")
    error = fails(
        f"%container run --rm --name {name}-b -p 127.0.0.1:{port}:80 course/busybox sleep 99"
    )
    assert isinstance(error, EngineError)
    assert "choose another port" in (error.hint or "")
    assert not exists(api, f"{name}-b")


def test_stop_flags_that_exclude_each_other(fails: Fails) -> None:
    assert isinstance(fails("%container run --rm --restart always course/busybox"), OptionError)
    assert isinstance(fails("%%container run -d course/busybox\necho"), OptionError)


def test_a_terminal_and_no_input_end_at_once(cell: Cell) -> None:
    assert cell("%container run --rm -it course/busybox echo hi").result.stdout == "hi\n"
    assert cell("%container run --rm -i course/busybox cat").result.stdout == ""


def test_create_then_start_attached(cell: Cell, name: str) -> None:
    made = cell(f"x = %container create --name {name} course/busybox echo later\nx").result
    assert made.state == "created"
    assert cell(f"%container start -a {name}").result.stdout == "later\n"


def test_orphans_of_a_killed_kernel_are_removed(
    api: docker.APIClient, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The owner's label is a fake: a process that has never been, in a boot of its own."""
    monkeypatch.setattr(labels, "_here", lambda: (name, "1", "0"))
    for suffix, owner in (("a", labels.owner().rpartition(":")[0] + ":1"), ("b", labels.owner())):
        made = api.create_container(
            "course/busybox", ["sleep", "99"], name=f"{name}-{suffix}", labels={labels.OWNER: owner}
        )
        api.start(made["Id"])
    assert f"{name}-a" in reap(api)
    assert not exists(api, f"{name}-a")
    assert exists(api, f"{name}-b")

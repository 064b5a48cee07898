"""What a container's work leaves when it is interrupted, killed with its kernel, or never began."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import docker
import pytest

from course_magics import labels
from course_magics.containers import create, run
from course_magics.containers.options import RunOptions
from course_magics.containers.reap import reap
from course_magics.errors import Interrupted
from course_magics.patience import until

from .conftest import Cell, exists

pytestmark = pytest.mark.engine
Fails = Callable[[str], BaseException]


@contextmanager
def pressed_when(ready: Callable[[], bool]) -> Iterator[None]:
    """Press ■ as soon as `ready`."""

    def press() -> None:
        until(ready)
        time.sleep(0.2)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=press)
    thread.start()
    yield
    thread.join()


@pytest.mark.parametrize("shell", ["course/busybox sh", "course/debian bash", "course/python"])
def test_a_shell_with_a_terminal_and_nobody_at_it_ends(cell: Cell, shell: str) -> None:
    cell(f"%container run --rm -it {shell}")


def test_a_cell_ends_also_where_a_terminal_was_asked_for(cell: Cell, name: str) -> None:
    cell(f"%container run -d -it --name {name} course/busybox")
    text = "echo $((6 * 7))\n"
    assert cell(f"%%container run --rm -t course/busybox\n{text}").result.stdout == "42\n"
    assert cell(f"%%container exec -t {name}\n{text}").result.stdout == "42\n"
    assert cell("%container run --rm -t course/busybox echo a").result.stdout == "a\r\n"


@pytest.mark.parametrize(
    "command",
    [
        "sleep 6543",
        "sh -c 'sleep 6543; echo'",
        "sh -c 'exec sleep 6543'",
        "sh -c 'sleep 6543 & wait'",
    ],
)
def test_an_interrupted_exec_is_killed_whatever_it_has_become(
    cell: Cell, fails: Fails, api: docker.APIClient, name: str, command: str
) -> None:
    cell(f"%container run -d --init --name {name} course/busybox sleep 7777")
    cell(f"%container exec -d {name} sleep 8888")

    def sleeps() -> bool:
        return any("sleep 6543" in p[-1] for p in api.top(name)["Processes"])

    with pressed_when(sleeps):
        error = fails(f"%container exec {name} {command}")
    assert isinstance(error, Interrupted)
    assert error.message == f"interrupted: the command in {name} was killed"

    def left() -> list[str]:
        shown = [p[-1] for p in api.top(name)["Processes"] if "init" not in p[-1]]
        return sorted(one[one.find("sleep") :] for one in shown)

    # One that has been killed is shown as [sleep] until its parent has asked for its status.
    assert until(lambda: left() == ["sleep 7777", "sleep 8888"]), left()


@pytest.mark.parametrize("rm", [True, False])
def test_an_interrupt_before_the_container_s_id_is_known(
    api: docker.APIClient, name: str, rm: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault put in: the interrupt comes after the engine has made it, before it has said so."""
    post = create._post

    def made_but_not_told(*args: object) -> str:
        post(*args)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    monkeypatch.setattr(create, "_post", made_but_not_told)
    with pytest.raises(Interrupted):
        run.run_foreground("course/busybox", ["true"], RunOptions(name=name, rm=rm))
    assert not exists(api, name)


def test_what_the_reader_started_again_is_not_reaped(
    cell: Cell, api: docker.APIClient, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The owner's label is a fake: a process that has never been, in a boot of its own.

    (Tests run side by side, and each process reaps what it sees of this computer.)
    """
    monkeypatch.setattr(labels, "_here", lambda: (name, "1", "0"))
    gone = {labels.OWNER: f"{name}:1:0:1:1"}
    for suffix in ("again", "never", "first"):
        api.create_container(
            "course/busybox", ["sleep", "99"], name=f"{name}-{suffix}", labels=gone
        )
    api.start(f"{name}-again")
    api.kill(f"{name}-again")
    api.wait(f"{name}-again")
    cell(f"%container start {name}-again")
    api.start(f"{name}-first")
    assert {f"{name}-never", f"{name}-first"} <= set(reap(api))
    assert exists(api, f"{name}-again")
    assert not exists(api, f"{name}-first")


def test_no_raise_gives_a_result_also_for_what_never_started(cell: Cell, name: str) -> None:
    cell(f"%container run -d --name {name} course/busybox sleep 99")
    for line in (f"exec --no-raise {name} nothing", "run --rm --no-raise course/busybox nothing"):
        assert cell(f"x = %container {line}\nx").result.exit_code in (126, 127)


def test_what_was_not_there_was_not_removed(cell: Cell) -> None:
    """docker's `rm -f` is content where there is none; it has removed none either."""
    cell("%container create --name test-there course/busybox")
    done = cell("%container rm -f test-there test-never").result
    assert (done.names, done.absent) == (["test-there"], ["test-never"])
    assert str(done).split("\n")[:2] == ["removed test-there", "there was no test-never"]
    assert str(cell("%container rm -f test-never").result).startswith("there was no test-never\n$")


def test_a_container_said_to_be_removed_has_gone(api: docker.APIClient) -> None:
    """--rm has the engine remove it already: the refusal of a second removal is not its end."""
    for pause in range(20):
        host = api.create_host_config(auto_remove=True)
        id = api.create_container("course/busybox", ["sleep", "900"], host_config=host)["Id"]
        api.start(id)
        api.kill(id)
        time.sleep(pause / 5000)
        run._remove(api, id)
        assert not api.containers(all=True, filters={"id": id})

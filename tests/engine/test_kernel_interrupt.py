"""■ in a real kernel: the cell ends, and nothing it had started is left.

How soon it ends, `make bench` measures.
"""

import contextlib
import queue
import time
import uuid
from collections.abc import Callable, Iterator

import docker
import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

from course_magics import labels
from course_magics.containers.reap import reap
from course_magics.patience import until

pytestmark = pytest.mark.engine


class Kernel:
    """A real kernel with the extension loaded."""

    def __init__(self) -> None:
        self.manager = KernelManager(kernel_name="python3")
        self.manager.start_kernel()
        self.client: BlockingKernelClient = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)
        self.run("%load_ext course_magics")

    def run(self, code: str) -> dict[str, str]:
        """Run a cell to its end; returns the reply."""
        return dict(self.client.execute_interactive(code, timeout=60)["content"])

    def interrupt_when(self, code: str, begun: Callable[[], object]) -> dict[str, str]:
        """Run a cell, interrupt it once `begun` is true; returns its reply."""
        self._asked = self.client.execute(code)
        until(begun, what="it")
        self.manager.interrupt_kernel()
        while True:
            reply = self.client.get_shell_msg(timeout=60)
            if reply["msg_type"] == "execute_reply":
                return dict(reply["content"])

    def said(self, kind: str, words: str = "") -> bool:
        """Whether the cell has sent a message of this kind with these words since the last look."""
        with contextlib.suppress(queue.Empty):
            while True:
                message = self.client.get_iopub_msg(timeout=0.05)
                mine = message["parent_header"].get("msg_id") == self._asked
                if mine and message["msg_type"] == kind and words in str(message["content"]):
                    return True
        return False

    def close(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    kernel = Kernel()
    yield kernel
    kernel.close()


@pytest.fixture
def mark() -> str:
    """A word that no other test's processes have."""
    return f"86{uuid.uuid4().int % 10_000_000}"


def running(api: docker.APIClient, mark: str) -> list[str]:
    """The containers, also a builder's, in which a process with `mark` in its command runs."""
    found = []
    for c in api.containers():
        try:
            processes = api.top(c["Id"])["Processes"] or []
        except docker.errors.APIError:
            continue
        if any(mark in word for p in processes for word in p):
            found.append(c["Id"])
    return found


def test_a_foreground_run(kernel: Kernel, api: docker.APIClient, mark: str, name: str) -> None:
    reply = kernel.interrupt_when(
        f"%container run --rm --name {name} course/busybox sleep {mark}",
        lambda: running(api, mark),
    )
    assert (reply["status"], reply["ename"]) == ("error", "Interrupted")
    assert f"{name} was killed and removed" in reply["evalue"]
    assert not api.containers(all=True, filters={"name": name})


def test_a_foreground_run_that_is_kept(
    kernel: Kernel, api: docker.APIClient, mark: str, name: str
) -> None:
    reply = kernel.interrupt_when(
        f"%%container run --name {name} course/busybox\necho begun\nsleep {mark}\n",
        lambda: running(api, mark),
    )
    assert reply["ename"] == "Interrupted"
    assert api.inspect_container(name)["State"]["Status"] == "exited"


@pytest.mark.parametrize("builder", ["classic", "buildkit"])
def test_a_build(kernel: Kernel, api: docker.APIClient, mark: str, builder: str, tmp_path) -> None:  # type: ignore[no-untyped-def]
    from pathlib import Path

    from course_magics.containers.build import buildkit
    from course_magics.guest.model import cache_dir

    kernel.run(f"%env COURSE_BUILDER={builder}")
    if builder == "buildkit":
        if not (cache_dir() / "newer-docker/cli-plugins/docker-buildx").exists():
            if buildkit.plugin() is None:
                pytest.skip("buildx is not here: bash .ci/newer-docker")
        else:
            kernel.run(f"%env DOCKER_CONFIG={cache_dir() / 'newer-docker'}")

    def sleeping() -> list[str]:
        # BuildKit's steps are no containers of the engine: looked for on the host.
        return [
            p.name
            for p in Path("/proc").glob("[0-9]*")
            if _command(p) == ["sleep", mark] or mark in " ".join(_command(p)[:3])
        ]

    reply = kernel.interrupt_when(
        f"%%dockerfile --no-cache\nFROM course/busybox\nRUN sleep {mark}\n", sleeping
    )
    assert reply["ename"] == "Interrupted"
    assert "line 2" in reply["evalue"]
    until(lambda: not sleeping(), what="it")
    assert not running(api, mark)


def _command(process) -> list[str]:  # type: ignore[no-untyped-def]
    try:
        return (process / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")[:-1]
    except OSError:
        return []


def test_following_a_log(kernel: Kernel, api: docker.APIClient, name: str) -> None:
    kernel.run(
        f"%container run -d --name {name} course/busybox sh -c 'while :; do echo x; sleep 1; done'"
    )
    reply = kernel.interrupt_when(f"%container logs -f {name}", lambda: kernel.said("stream", "x"))
    assert reply["ename"] == "Interrupted"
    assert "goes on" in reply["evalue"]
    assert api.inspect_container(name)["State"]["Running"]


def test_an_exec(kernel: Kernel, api: docker.APIClient, mark: str, name: str) -> None:
    kernel.run(f"%container run -d --name {name} course/busybox sleep 999")
    reply = kernel.interrupt_when(
        f"%container exec {name} sh -c 'sleep {mark}; true'", lambda: running(api, mark)
    )
    assert reply["ename"] == "Interrupted"
    assert "was killed" in reply["evalue"]
    assert not running(api, mark)
    assert api.inspect_container(name)["State"]["Running"]


def test_waiting(kernel: Kernel, api: docker.APIClient, name: str) -> None:
    kernel.run(f"%container run -d --name {name} course/busybox sleep 999")
    begun: list[float] = []

    def waits() -> bool:  # nothing tells of it: a second after the cell was begun
        if not begun and kernel.said("execute_input"):
            begun.append(time.monotonic())
        return bool(begun) and time.monotonic() - begun[0] > 1

    reply = kernel.interrupt_when(f"%container wait {name}", waits)
    assert reply["ename"] == "Interrupted"


def test_the_next_cell_works(kernel: Kernel, api: docker.APIClient, mark: str) -> None:
    kernel.interrupt_when(
        f"%container run --rm course/busybox sleep {mark}", lambda: running(api, mark)
    )
    assert kernel.run("%container run --rm course/busybox true")["status"] == "ok"


def test_a_killed_kernel_leaves_no_foreground_container(
    api: docker.APIClient, mark: str, name: str
) -> None:
    kernel = Kernel()
    kernel.client.execute(f"%container run --name {name} course/busybox sleep {mark}")
    until(lambda: running(api, mark), what="it")
    kernel.manager.signal_kernel(9)
    until(lambda: not kernel.manager.is_alive(), what="it")
    kernel.close()
    owner = api.inspect_container(name)["Config"]["Labels"][labels.OWNER]
    assert labels.is_orphan(owner)
    assert name in reap(api)

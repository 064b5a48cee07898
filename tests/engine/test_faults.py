"""An engine that dies, hangs or is full in the middle of a cell: one clear error, nothing left.

Each on a private engine in namespaces of its own, which a test may kill; never on the shared one.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

from course_magics import engine
from course_magics.containers.build import buildkit
from course_magics.engine.namespaced import Namespaced, engine_beside
from course_magics.errors import BuildError, CourseError, EngineError
from course_magics.guest.model import cache_dir

from .conftest import Cell
from .further import load_images

# alone: it measures how soon a cell ends.
pytestmark = [pytest.mark.engine, pytest.mark.alone]
Fails = Callable[[str], BaseException]
NAME = f"fault{os.getpid() % 100000}"
#: How soon a cell has to fail after its engine has died (seconds).
AT_ONCE = 2


@pytest.fixture(scope="module")
def private() -> Iterator[Namespaced]:
    with engine_beside(NAME) as found:
        load_images(found.url)
        yield found


@pytest.fixture
def victim(private: Namespaced, ip: InteractiveShell) -> Iterator[Namespaced]:
    """The private engine, in use and alive; it may be killed."""
    if not private.answers():
        private.kill()
        private.start()
    engine.use(private.url)
    yield private
    engine.use("")


def killed_when(
    victim: Namespaced, ready: Callable[[], bool]
) -> tuple[threading.Thread, list[float]]:
    """Cut the engine's power as soon as `ready`; the moment at which it happened."""
    moments: list[float] = []

    def wait_and_kill() -> None:
        until = time.monotonic() + 20
        while not ready() and time.monotonic() < until:
            time.sleep(0.05)
        pid = victim.pid
        assert pid is not None
        moments.append(time.monotonic())
        os.kill(pid, signal.SIGKILL)  # all that is in its namespaces goes with it

    thread = threading.Thread(target=wait_and_kill)
    thread.start()
    return thread, moments


def after(seconds: float) -> Callable[[], bool]:
    begun = time.monotonic()
    return lambda: time.monotonic() - begun > seconds


@pytest.mark.parametrize(
    ("what", "seconds", "left"),
    [
        ("%container run --rm --name fore course/busybox sh -c 'echo begun; sleep 60'", 1.0, []),
        ("%%container run --rm --name fore course/busybox\necho begun; sleep 60\n", 1.0, []),
        ("%container logs -f steady", 0.8, ["steady"]),
        ("%container exec steady sh -c 'echo begun; sleep 60'", 0.8, ["steady"]),
        ("%container wait steady", 0.8, ["steady"]),
        ("%container events", 0.8, ["steady"]),
        ("%container cp steady:/big .", 0.5, ["steady"]),
        ("%%dockerfile --no-cache\nFROM course/busybox\nRUN sleep 60\n", 1.5, []),
    ],
    ids=lambda v: v.split("\n")[0][1:40] if isinstance(v, str) else "",
)
def test_the_engine_is_killed(
    cell: Cell,
    fails: Fails,
    victim: Namespaced,
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    what: str,
    seconds: float,
    left: list[str],
) -> None:
    monkeypatch.setenv("COURSE_BUILDER", "classic")
    _dies_well(cell, fails, victim, here, what, seconds, left)


def test_the_engine_is_killed_while_buildkit_builds(
    cell: Cell, fails: Fails, victim: Namespaced, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COURSE_BUILDER", "buildkit")
    if buildkit.plugin() is None:
        monkeypatch.setenv("DOCKER_CONFIG", str(cache_dir() / "newer-docker"))
    if buildkit.plugin() is None:
        pytest.skip("buildx is not here: bash .ci/newer-docker")
    what = "%%dockerfile --no-cache\nFROM course/busybox\nRUN sleep 60\n"
    _dies_well(cell, fails, victim, here, what, 2.5, [])


def _dies_well(
    cell: Cell,
    fails: Fails,
    victim: Namespaced,
    here: Path,
    what: str,
    seconds: float,
    left: list[str],
) -> None:
    """Kill the engine while `what` runs. left: the containers that may be there afterwards."""
    if left:
        cell("%container run -d --name steady course/busybox sh -c 'echo up; exec sleep 999'")
        # A sparse file of 4 GB: copying it takes longer than the engine lives.
        cell("%container exec steady dd if=/dev/zero of=/big bs=1M seek=4000 count=0")
    before = set(Path(tempfile.gettempdir()).iterdir())
    thread, moments = killed_when(victim, after(seconds))
    error = fails(what)
    ended = time.monotonic()
    thread.join()
    assert isinstance(error, EngineError | BuildError), error
    assert ended - moments[0] < AT_ONCE, error
    assert ended >= moments[0], f"it failed before the engine was killed: {error}"
    assert len(error.message.splitlines()) == 1
    assert "broke" in error.message or "does not answer" in error.message, error
    assert not [f for f in here.iterdir() if f.stat().st_size], "a part of a file was left"
    mine = {
        f
        for f in set(Path(tempfile.gettempdir()).iterdir()) - before
        if f.name.startswith("course-magics-")
    }
    assert not mine, "temporary files were left"
    # The next cell: the same clear line while it is gone, and work when it is back.
    gone = fails("%container ps")
    assert isinstance(gone, EngineError)
    assert "does not answer" in gone.message
    victim.kill()
    victim.start()
    assert cell("%container run --rm course/busybox echo again").result.stdout == "again\n"
    names = [n.lstrip("/") for c in engine.current().api.containers(all=True) for n in c["Names"]]
    assert names == left
    for name in names:
        cell(f"%container rm -f {name}")


# --- an engine that hangs ---------------------------------------------------------------------------


@pytest.mark.parametrize("new", [True, False], ids=["new kernel", "kept connection"])
def test_an_engine_that_hangs_is_one_clear_line(
    cell: Cell, fails: Fails, victim: Namespaced, new: bool
) -> None:
    """dockerd is stopped (SIGSTOP): it takes connections and never answers."""
    daemon = next(
        int(pid)
        for pid in subprocess.run(
            ["pgrep", "-x", "dockerd"], capture_output=True, text=True
        ).stdout.split()
        if NAME in Path(f"/proc/{pid}/cmdline").read_text()
    )
    cell("%container ps")
    os.kill(daemon, signal.SIGSTOP)
    try:
        if new:
            engine.forget()
        began = time.monotonic()
        error = fails("%container ps")
        assert isinstance(error, EngineError)
        assert "answer" in error.message, error
        assert time.monotonic() - began < 10
    finally:
        os.kill(daemon, signal.SIGCONT)
    assert cell("%container run --rm course/busybox echo again").result.stdout == "again\n"


# --- an engine whose disk is full -------------------------------------------------------------------


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Namespaced]:
    """An engine whose images and containers have 60 MB of room."""
    place = tmp_path_factory.mktemp("small")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=60m", "tmpfs", str(place)], check=True)
    try:
        with engine_beside(f"{NAME}s", settings={"data-root": str(place / "data")}) as found:
            target = engine.connect(found.url).api
            for _ in target.load_image(engine.current().api.get_image("course/busybox")):
                pass
            yield found
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.fixture
def full(small: Namespaced, ip: InteractiveShell) -> Iterator[Namespaced]:
    engine.use(small.url)
    yield small
    engine.use("")


@pytest.mark.parametrize(
    "line",
    [
        "%%dockerfile --no-cache -t big\nFROM course/busybox\nRUN dd if=/dev/zero of=/x bs=1M count=99\n",
        "%%dockerfile --no-cache -t big --context .\nFROM course/busybox\nCOPY big /x\n",
        "%container run --rm --name big course/busybox dd if=/dev/zero of=/x bs=1M count=99",
    ],
    ids=["build RUN", "build COPY", "run"],
)
def test_a_full_disk(
    cell: Cell,
    fails: Fails,
    full: Namespaced,
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    line: str,
) -> None:
    monkeypatch.setenv("COURSE_BUILDER", "classic")
    (here / "big").write_bytes(b"\1" * 90_000_000)
    api = engine.current().api
    images = len(api.images(all=True))
    error = fails(line)
    assert isinstance(error, CourseError), error
    said = f"{error}\n{capfd.readouterr()}".lower()
    assert "no space left on device" in said
    assert api.containers(all=True) == []
    assert len(api.images(all=True)) == images
    assert cell("%container run --rm course/busybox echo again").result.stdout == "again\n"


def test_loading_onto_a_full_disk(fails: Fails, full: Namespaced, here: Path) -> None:
    engine.use("")
    with (here / "python.tar").open("wb") as file:
        for piece in engine.current().api.get_image("course/python"):
            file.write(piece)
    engine.use(full.url)
    error = fails("%container load -i python.tar")
    assert isinstance(error, EngineError), error
    assert "no space left on device" in str(error)
    tags = [t for i in engine.current().api.images() for t in i["RepoTags"] or ()]
    assert tags == ["course/busybox:latest"]

"""An engine that dies, hangs or is full in the middle of a cell: one clear error, nothing left.

Each on a private engine in namespaces of its own, which a test may kill; never on the shared one.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from IPython.core.interactiveshell import InteractiveShell

from course_magics import engine, settings
from course_magics.containers.build import buildkit
from course_magics.containers.layers import saved
from course_magics.engine.namespaced import Namespaced, engine_beside
from course_magics.errors import BuildError, CourseError, EngineError
from course_magics.guest.model import cache_dir
from course_magics.patience import until
from course_magics.registry import server

from .conftest import Cell
from .further import load_images

# alone: it looks at what a cell has left in the folder for temporary files.
pytestmark = [pytest.mark.engine, pytest.mark.alone]
Fails = Callable[[str], BaseException]
NAME = f"fault{os.getpid() % 100000}"
#: In seconds: a cell fails because its engine has died, and not because nothing moves any more.
AT_ONCE = 30
#: Cells that make what a streamed operation is about. A sparse file of 4 GB: copying it takes
#: longer than the engine lives.
STEADY = (
    "%container run -d --name steady course/busybox sh -c 'echo up; exec sleep 999'",
    "%container exec steady dd if=/dev/zero of=/big bs=1M seek=4000 count=0",
)
COMPOSE = (
    f"%%compose -p {NAME} up {{}}\nservices:\n  web: {{{{image: course/busybox, command: top}}}}\n"
)
STATS = "from course_magics.containers.stats import stats\nstats(watch=lambda table: None)"


@pytest.fixture(scope="module")
def private() -> Iterator[Namespaced]:
    with engine_beside(NAME) as found:
        load_images(found.url, ["course/busybox"])
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
        until(ready, pause=0.01)
        pid = victim.pid
        assert pid is not None
        moments.append(time.monotonic())
        os.kill(pid, signal.SIGKILL)  # all that is in its namespaces goes with it

    thread = threading.Thread(target=wait_and_kill)
    thread.start()
    return thread, moments


def after(seconds: float) -> Callable[[], bool]:
    """Whether so much time has passed since it was asked for the first time."""
    asked: list[float] = []

    def passed() -> bool:
        asked.append(time.monotonic())
        return asked[-1] - asked[0] > seconds

    return passed


@pytest.mark.parametrize(
    ("what", "seconds", "before", "left"),
    [
        (
            "%container run --rm --name fore course/busybox sh -c 'echo begun; sleep 60'",
            1.0,
            (),
            [],
        ),
        ("%%container run --rm --name fore course/busybox\necho begun; sleep 60\n", 1.0, (), []),
        ("%container logs -f steady", 0.8, STEADY, ["steady"]),
        ("%container exec steady sh -c 'echo begun; sleep 60'", 0.8, STEADY, ["steady"]),
        ("%container wait steady", 0.8, STEADY, ["steady"]),
        ("%container events", 0.8, STEADY, ["steady"]),
        ("%container cp steady:/big .", 0.5, STEADY, ["steady"]),
        ("%container attach steady", 0.8, STEADY, ["steady"]),
        (STATS, 1.5, STEADY, ["steady"]),
        ("%%dockerfile --no-cache\nFROM course/busybox\nRUN sleep 60\n", 1.5, (), []),
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
    before: tuple[str, ...],
    left: list[str],
) -> None:
    monkeypatch.setenv("COURSE_BUILDER", "classic")
    _dies_well(cell, fails, victim, here, what, after(seconds), before, left)


def test_the_engine_is_killed_while_buildkit_builds(
    cell: Cell, fails: Fails, victim: Namespaced, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COURSE_BUILDER", "buildkit")
    if buildkit.plugin() is None:
        monkeypatch.setenv("DOCKER_CONFIG", str(cache_dir() / "newer-docker"))
    if buildkit.plugin() is None:
        pytest.skip("buildx is not here: bash .ci/newer-docker")
    what = "%%dockerfile --no-cache\nFROM course/busybox\nRUN sleep 60\n"
    _dies_well(cell, fails, victim, here, what, after(2.5))


@pytest.mark.parametrize(
    ("what", "before"),
    [(COMPOSE.format(""), ()), (f"%compose -p {NAME} logs -f", (COMPOSE.format("-d"),))],
    ids=["up", "logs"],
)
@pytest.mark.usefixtures("composer")
def test_the_engine_is_killed_while_compose_watches(
    cell: Cell, fails: Fails, victim: Namespaced, here: Path, what: str, before: tuple[str, ...]
) -> None:
    api = engine.current().api
    ready = after(1) if before else lambda: bool(api.containers())
    _dies_well(cell, fails, victim, here, what, ready, before, [f"{NAME}-web-1"])


@pytest.fixture(scope="module")
def large(private: Namespaced, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tar file of the image `large`, which the private engine has: 200 MB of random bytes."""
    place = tmp_path_factory.mktemp("large")
    (place / "bytes").write_bytes(os.urandom(200_000_000))
    with tarfile.open(place / "files.tar", "w") as tar:
        tar.add(place / "bytes", "bytes")
    if not private.answers():
        private.kill()
        private.start()
    api = engine.connect(private.url).api
    api.import_image(src=str(place / "files.tar"), repository="large")
    with (place / "large.tar").open("wb") as file:
        for piece in api.get_image("large"):
            file.write(piece)
    return place / "large.tar"


def test_the_engine_is_killed_while_it_sends_an_image(
    cell: Cell, fails: Fails, victim: Namespaced, large: Path, here: Path
) -> None:
    def half() -> bool:
        return any(f.stat().st_size for f in here.iterdir())

    _dies_well(cell, fails, victim, here, "%container save -o large.tar large", half)


def test_the_engine_is_killed_while_its_layers_are_read(
    cell: Cell,
    fails: Fails,
    victim: Namespaced,
    large: Path,
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun = threading.Event()
    members = saved.members

    def told(source: saved.Source) -> Iterator[saved.Member]:
        begun.set()
        return members(source)

    monkeypatch.setattr(saved, "members", told)
    _dies_well(cell, fails, victim, here, "%container layers large", begun.is_set)


def test_the_engine_is_killed_while_it_takes_an_image(
    cell: Cell, fails: Fails, victim: Namespaced, large: Path, here: Path
) -> None:
    cell("%container rmi large")
    _dies_well(cell, fails, victim, here, f"%container load -i {large}", after(0.2))
    assert not engine.current().api.images("large"), "a part of an image was left"


def _dies_well(
    cell: Cell,
    fails: Fails,
    victim: Namespaced,
    here: Path,
    what: str,
    ready: Callable[[], bool],
    before: Sequence[str] = (),
    left: Sequence[str] | None = (),
) -> None:
    """Kill the engine when `what` runs and `ready`.

    before: cells that come first. left: the containers that may be there afterwards; None: not
    known, a swarm makes them anew.
    """
    for text in before:
        cell(text)
    there = set(Path(tempfile.gettempdir()).iterdir())
    thread, moments = killed_when(victim, ready)
    error = fails(what)
    ended = time.monotonic()
    thread.join()
    assert isinstance(error, EngineError | BuildError), error
    assert ended - moments[0] < AT_ONCE, error
    assert ended >= moments[0], f"it failed before the engine was killed: {error}"
    assert len(error.message.splitlines()) == 1
    assert "invalid literal" not in str(error), "a library's words"
    assert "IncompleteRead" not in str(error), "a library's words"
    assert "broke" in error.message or "does not answer" in error.message, error
    assert not [f for f in here.iterdir() if f.stat().st_size], "a part of a file was left"
    mine = {
        f
        for f in set(Path(tempfile.gettempdir()).iterdir()) - there
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
    assert left is None or names == list(left)
    for name in names:
        cell(f"%container rm -f {name}")


class Shelf(NamedTuple):
    """A registry: its address, its images' folder, its process."""

    address: str
    data: Path
    process: subprocess.Popen[bytes]


@pytest.fixture
def registry(victim: Namespaced, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    """A registry on the private engine's own loopback, where engines want no certificate."""
    if shutil.which(server.PROGRAM) is None:
        pytest.skip(f"{server.PROGRAM} is not installed")
    place = tmp_path_factory.mktemp("registry")
    config = server.settings(str(place / "data"), "127.0.0.1:5000", mirror="", realm="", trusts="")
    (place / "config.yml").write_text(json.dumps(config))
    enter = ["nsenter", f"--net=/proc/{victim.pid}/ns/net"]
    with (place / "log").open("wb") as log:
        process = subprocess.Popen(
            [*enter, server.PROGRAM, "serve", str(place / "config.yml")], stdout=log, stderr=log
        )
    try:
        port = f":{5000:04X} 00000000:0000 0A"  # listening; the address is in front
        listening = Path(f"/proc/{process.pid}/net/tcp")
        assert until(
            lambda: process.poll() is None and port in listening.read_text(), pause=0.02
        ), (place / "log").read_text()
        yield Shelf("127.0.0.1:5000", place / "data", process)
    finally:
        process.kill()
        process.wait()


def test_the_engine_is_killed_while_it_pushes(
    cell: Cell, fails: Fails, victim: Namespaced, large: Path, registry: Shelf, here: Path
) -> None:
    if not engine.current().api.images("large"):
        cell(f"%container load -i {large}")
    image = f"{registry.address}/large"

    def half() -> bool:
        return any(f.stat().st_size > 1e6 for f in registry.data.rglob("_uploads/*/data"))

    before = [f"%container tag large {image}"]
    _dies_well(cell, fails, victim, here, f"%container push {image}", half, before)
    assert not list(registry.data.rglob("_manifests/tags/*")), "a part of an image has a name"


def test_the_engine_is_killed_while_it_pulls(
    cell: Cell, fails: Fails, victim: Namespaced, registry: Shelf, here: Path
) -> None:
    image = f"{registry.address}/small"
    for line in (f"tag course/busybox {image}", f"push {image}", f"rmi {image}"):
        cell(f"%container {line}")
    registry.process.send_signal(signal.SIGSTOP)  # so that the engine is not ready too soon
    _dies_well(cell, fails, victim, here, f"%container pull {image}", after(0.5))
    assert not engine.current().api.images(image), "a part of an image was left"


def test_the_engine_is_killed_while_a_service_is_waited_for(
    cell: Cell, fails: Fails, victim: Namespaced, here: Path
) -> None:
    def runs() -> bool:
        return bool(api.containers())

    api = engine.current().api
    what = f"%container service create --name {NAME} course/busybox sleep 999"
    before = ["%container swarm init --advertise-addr 127.0.0.1"]
    _dies_well(cell, fails, victim, here, what, runs, before, None)
    # The swarm knows of it still, as it does after a power cut, and can be told to forget it.
    assert cell(f"%container service rm {NAME}").result
    cell("%container swarm leave --force")


# --- an engine that hangs ---------------------------------------------------------------------------


@pytest.mark.parametrize("new", [True, False], ids=["new kernel", "kept connection"])
def test_an_engine_that_hangs_is_one_clear_line(
    cell: Cell, fails: Fails, victim: Namespaced, new: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """dockerd is stopped (SIGSTOP): it takes connections and never answers."""
    daemon = next(
        int(pid)
        for pid in subprocess.run(
            ["pgrep", "-x", "dockerd"], capture_output=True, text=True
        ).stdout.split()
        if NAME in Path(f"/proc/{pid}/cmdline").read_text()
    )
    monkeypatch.setattr(settings.current(), "patience", 2)
    cell("%container ps")
    os.kill(daemon, signal.SIGSTOP)
    threads = Path(f"/proc/{daemon}/task").glob
    assert until(lambda: all(") T" in (t / "stat").read_text() for t in threads("*")))
    try:
        if new:
            engine.forget()
        error = fails("%container ps")
        assert isinstance(error, EngineError)
        words = "does not answer" if new else "no sign of life for 2 s"
        assert words in error.message, error
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
            load_images(found.url, ["course/busybox"])
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

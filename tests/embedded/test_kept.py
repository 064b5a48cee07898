"""Nothing of an engine's is lost: whatever happens to its files, its cache, or a start of it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from course_magics import engine, storage
from course_magics.engine import embedded
from course_magics.engine.embedded import qemu
from course_magics.engine.embedded.machine import Machine, Settings
from course_magics.engine.embedded.prepare import prepare
from course_magics.errors import EngineError
from tests.embedded.conftest import awaited
from tests.embedded.stopped import BOOTED, WHOLE, Stopped, content, link_tree, start

pytestmark = pytest.mark.embedded


@pytest.fixture(scope="module")
def made() -> Iterator[Stopped]:
    source = prepare(print)
    # In the cache's file system, so that what is large is linked and not copied.
    place = source.folder.parent.parent
    with (
        tempfile.TemporaryDirectory(prefix=".kept-", dir=place) as folder,
        pytest.MonkeyPatch.context() as m,
    ):
        found = Stopped(Path(folder) / "made")
        found.make(m, source)
        yield found


@pytest.fixture
def stopped(made: Stopped, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stopped]:
    with tempfile.TemporaryDirectory(prefix="copy-", dir=made.state.parent.parent) as folder:
        copy = made.copy(Path(folder))
        copy.use(monkeypatch)
        yield copy
        embedded.stop(save=False)
        engine.forget()


def untouched(_: Stopped) -> None:
    pass


def note_is_empty(stopped: Stopped) -> None:
    stopped.files.base.write_text("")


def note_is_cut_off(stopped: Stopped) -> None:
    stopped.files.base.write_bytes(stopped.files.base.read_bytes()[:20])


def note_has_gone(stopped: Stopped) -> None:
    stopped.files.base.unlink()


def cache_is_emptied(stopped: Stopped) -> None:
    shutil.rmtree(stopped.cache)


def another_snapshot_is_newer(stopped: Stopped) -> None:
    """A new image for the class: it brings another snapshot, and not the one that was used."""
    new = stopped.prepared.rename(stopped.cache / "engine" / "0123456789abcdef-00000000")
    data = json.loads((new / "prepared.json").read_text())
    data |= {"hash": "0123456789abcdef", "id": "00000000"}
    (new / "prepared.json").write_text(json.dumps(data))


def folder_is_moved(stopped: Stopped) -> None:
    moved = stopped.state.with_name("elsewhere")
    stopped.state.rename(moved)
    stopped.state = moved
    os.environ["COURSE_STATE"] = str(moved)


def key_is_cut_off(stopped: Stopped) -> None:
    # Not in place: the file is linked to the one that the other tests begin with.
    storage.write_atomic(stopped.files.key, stopped.files.key.read_bytes()[:100])


def key_has_gone(stopped: Stopped) -> None:
    stopped.files.key.unlink()


FAULTS = [
    untouched, note_is_empty, note_is_cut_off, note_has_gone, cache_is_emptied,
    another_snapshot_is_newer, folder_is_moved,
]  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f.__name__)
def test_nothing_is_lost_when(fault: Callable[[Stopped], None], stopped: Stopped) -> None:
    fault(stopped)
    assert content() == WHOLE


@pytest.mark.parametrize("fault", [key_is_cut_off, key_has_gone], ids=lambda f: f.__name__)
def test_without_its_key_the_disk_gets_a_new_one(
    fault: Callable[[Stopped], None], stopped: Stopped
) -> None:
    """The machine boots for it, so what ran has ended; all else is there, and stays so."""
    fault(stopped)
    assert content() == BOOTED
    embedded.stop()
    engine.forget()
    assert content() == BOOTED


@pytest.mark.parametrize("fault", [untouched, note_is_empty, note_is_cut_off])
def test_what_0_1_0_has_left_is_opened(fault: Callable[[Stopped], None], stopped: Stopped) -> None:
    stopped.as_0_1_0()
    fault(stopped)
    assert content() == WHOLE
    embedded.stop()
    shutil.rmtree(stopped.cache)
    assert content() == WHOLE, "it does not need the cache any more"


def base_has_gone(stopped: Stopped) -> None:
    shutil.rmtree(stopped.files.own_base)
    another_snapshot_is_newer(stopped)


def base_is_another(stopped: Stopped) -> None:
    note = stopped.files.own_base / "prepared.json"
    note.write_text(note.read_text().replace('"id": "', '"id": "0'))


def base_was_replaced_by_0_1_0(stopped: Stopped) -> None:
    """Its `engine prepare --force` put another snapshot under the same name."""
    known = (stopped.prepared / "prepared.json").read_text()
    stopped.as_0_1_0()
    place = stopped.prepared
    later = time.time() + 60
    os.utime(place / "prepared.json", (later, later))
    # This version takes none of that one's for a new disk.
    new = place.with_name(f"{place.name}-00000000")
    link_tree(place, new)
    (new / "prepared.json").unlink()
    (new / "prepared.json").write_text(json.dumps({**json.loads(known), "id": "00000000"}))


@pytest.mark.parametrize("fault", [base_has_gone, base_is_another, base_was_replaced_by_0_1_0])
def test_a_disk_whose_base_is_not_there_is_kept_and_named(
    fault: Callable[[Stopped], None], stopped: Stopped
) -> None:
    fault(stopped)
    disk = stopped.files.disk.read_bytes()
    memory = stopped.files.saved.stat().st_size
    with pytest.raises(EngineError) as caught:
        start()
    (aside,) = stopped.state.glob("engine.aside-*")
    assert str(aside) in caught.value.message
    assert (aside / "engine.qcow2").read_bytes() == disk
    assert (aside / "engine.state").stat().st_size == memory
    assert content() == {}, "the next start makes an empty one"


def test_a_port_that_is_taken_is_no_reason_to_fail(
    stopped: Stopped, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        free = qemu.free_port
        ports = iter([taken.getsockname()[1]])
        monkeypatch.setattr(qemu, "free_port", lambda: next(ports, None) or free())

        async def go() -> object:
            run = Machine(stopped.files, Settings())
            await run.start(print)
            await run.stop(save=True)
            return run.facts["start"]

        assert awaited(go()) == "going on from the memory saved at the last stop"
    assert content() == WHOLE


def refuse(folder: Path, program: str, when: str, said: str) -> str:
    """A program that fails when its arguments match; a PATH in which it comes first."""
    real = shutil.which(program)
    script = folder / program
    script.write_text(
        f'#!/bin/sh\ncase "$*" in {when}) echo "{said}" >&2; exit 1 ;; esac\nexec {real} "$@"\n'
    )
    script.chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


@pytest.mark.parametrize(
    ("program", "when", "said"),
    [
        # A computer whose memory is full, and a login that fails: neither comes on demand.
        ("qemu-system-x86_64", "*-incoming*", "cannot set up guest memory: Cannot allocate memory"),
        ("ssh", "*root@127.0.0.1*", "Connection closed by 127.0.0.1"),
    ],
)
def test_a_start_that_fails_leaves_memory_and_disk_as_they_were(
    stopped: Stopped, tmp_path: Path, program: str, when: str, said: str
) -> None:
    with pytest.MonkeyPatch.context() as m:
        m.setenv("PATH", refuse(tmp_path, program, when, said))
        with pytest.raises(EngineError):
            start()
    assert content() == WHOLE


def test_killed_while_it_starts(stopped: Stopped, tmp_path: Path) -> None:
    """The memory was loaded and the machine ran on, when all was killed."""
    with pytest.MonkeyPatch.context() as m:
        # It stays in the login.
        m.setenv("PATH", refuse(tmp_path, "ssh", "*root@127.0.0.1*) sleep 600 ;; never", ""))
        words = [sys.executable, "-m", "course_magics.engine.embedded.keeper"]
        keeper = subprocess.Popen([*words, str(stopped.files.folder), "{}"])
        with socket.socket(socket.AF_UNIX) as client:
            while keeper.poll() is None:
                try:
                    client.connect(str(stopped.files.control))
                    break
                except OSError:
                    time.sleep(0.05)
            with client.makefile() as steps:
                assert any("logging in" in line for line in steps)
        keeper.kill()
        keeper.wait()
    assert content() == WHOLE


def test_a_memory_that_this_qemu_cannot_load(stopped: Stopped) -> None:
    """Only then it boots, and says why; what is on the disk is there."""
    files = stopped.files
    size = files.saved.stat().st_size
    files.saved.unlink()
    files.saved.write_bytes(b"\0" * size)
    assert content() == BOOTED
    lease = embedded.held()
    assert lease is not None
    assert "cannot load the memory" in lease.facts["start"]


def test_half_of_a_memory_is_not_loaded(stopped: Stopped) -> None:
    files = stopped.files
    half = files.saved.read_bytes()[: files.saved.stat().st_size // 2]
    files.saved.unlink()
    files.saved.write_bytes(half)
    assert content() == BOOTED


def test_a_keeper_that_is_told_to_end_saves(stopped: Stopped) -> None:
    start().close()
    keeper = keeper_of(stopped)
    os.kill(keeper, signal.SIGTERM)
    while Path(f"/proc/{keeper}").exists() and not gone(keeper):
        time.sleep(0.05)
    engine.forget()
    assert content() == WHOLE


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def keeper_of(stopped: Stopped) -> int:
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = place.read_bytes().split(b"\0")
        except OSError:
            continue
        if str(stopped.files.folder).encode() in words and any(b"keeper" in w for w in words):
            return int(place.parent.name)
    raise AssertionError("no keeper runs")


POD = """
import asyncio, json, os, signal, subprocess, sys, time
from jupyter_server.serverapp import ServerApp

app = ServerApp(
    jpserver_extensions={"course_magics.server": True}, open_browser=False, allow_root=True, port=0,
    ip="127.0.0.1", token="", root_dir="/tmp",
)
app.initialize([], new_httpserver=True)

def begin():
    # A kernel that starts the engine and goes, as kernels do before their server.
    code = "from course_magics.engine import embedded; embedded.start(print)"
    subprocess.run([sys.executable, "-c", code], check=True)
    os.kill(os.getpid(), signal.SIGTERM)

app.io_loop.add_callback(begin)
app.start()
"""


def test_a_pod_that_ends_keeps_the_memory(stopped: Stopped) -> None:
    """The server gets SIGTERM, and with its end everything in its pod is killed at once."""
    words = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if os.getuid():
        words += ["--user", "--map-root-user"]
    done = subprocess.run([*words, sys.executable, "-c", POD], capture_output=True, text=True)
    assert "course_magics.server" in done.stderr, done.stderr
    assert content() == WHOLE, done.stderr

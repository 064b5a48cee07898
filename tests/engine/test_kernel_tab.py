"""Tab and Shift-Tab in a real kernel: with the real engine, and with a fake that hangs or is slow."""

import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from course_magics import engine
from course_magics.patience import until

from ..fake_engine import fake_engine
from .test_kernel_interrupt import Kernel

#: The slow engine takes a second for an answer: a Tab that waits for it takes longer than this. Of several
#: tries the best counts: a kernel that waits is late each time, one on a busy computer is not. That it
#: is 0.15 s, `make bench` shows.
LIMIT = 0.9
TRIES = 5


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    kernel = Kernel()
    yield kernel
    kernel.close()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short one: a socket's name has at most 104 characters."""
    with tempfile.TemporaryDirectory(prefix="tab-") as folder:
        yield Path(folder)


def ask(kernel: Kernel, message: str, code: str, **more: object) -> dict[str, Any]:
    """Send a request with the cursor at `¦` or at the end; its reply's content."""
    at = code.index("¦") if "¦" in code else len(code)
    content = {"code": code.replace("¦", ""), "cursor_pos": at, **more}
    client = kernel.client
    sent = client.session.msg(f"{message}_request", content)
    client.shell_channel.send(sent)
    while True:
        reply = client.get_shell_msg(timeout=30)
        if reply["parent_header"].get("msg_id") == sent["header"]["msg_id"]:
            return dict(reply["content"])


def tab(kernel: Kernel, code: str) -> list[str]:
    return list(ask(kernel, "complete", code)["matches"])


def slowest(kernel: Kernel, code: str) -> float:
    """The longest time that a Tab took."""
    return max(quickest(kernel, code, tries=1)[0] for _ in range(TRIES))


def quickest(kernel: Kernel, code: str, tries: int = TRIES) -> tuple[float, list[str]]:
    """The least time that a Tab took, and what the last one gave."""
    times, found = [], []
    for _ in range(tries):
        begun = time.monotonic()
        found = tab(kernel, code)
        times.append(time.monotonic() - begun)
    return min(times), found


@pytest.mark.engine
def test_names_of_the_real_engine(kernel: Kernel, api: docker.APIClient, name: str) -> None:
    kernel.run(f"%engine use {engine.current().url}")
    kernel.run(f"%container create --name {name} course/busybox true")
    until(lambda: tab(kernel, f"%container rm {name[:9]}") == [name], what="the names")
    reply = ask(kernel, "complete", f"%container rm -f {name[:-2]}¦ # end")
    (about,) = reply["metadata"]["_jupyter_types_experimental"]
    assert (reply["cursor_start"], reply["cursor_end"]) == (17, 17 + len(name) - 2)
    assert about["text"] == name
    assert about["type"].replace("\N{NO-BREAK SPACE}", " ").startswith("created, course/")
    kernel.run(f"%container rm {name}")
    until(lambda: name not in tab(kernel, f"%container rm {name[:9]}"), what="the names")
    until(lambda: "course/busybox" in tab(kernel, "%%dockerfile\nFROM course/"), what="the names")


def test_before_an_engine_is_chosen_none_is_asked(folder: Path) -> None:
    """Also not one that COURSE_ENGINE names: a Tab looks for nothing."""
    fresh = Kernel()
    try:
        with fake_engine(folder) as (url, _):
            fresh.run(f"import os; os.environ['COURSE_ENGINE'] = {url!r}")
            assert "--rm" in tab(fresh, "%container run ")
            assert tab(fresh, "%container rm shop") == []
            fresh.run("from course_magics import engine; assert engine.in_use() is None")
            fresh.run("engine.current()")
            until(lambda: len(tab(fresh, "%container rm shop-")) == 500, what="the names")
    finally:
        fresh.close()


def test_a_hung_engine_keeps_no_tab_waiting(kernel: Kernel, folder: Path) -> None:
    with fake_engine(folder, count=3) as (url, process):
        assert kernel.run(f"%engine use {url}")["status"] == "ok"
        process.send_signal(signal.SIGSTOP)
        seconds, found = quickest(kernel, "%container rm shop")
        assert found == []
        assert seconds <= LIMIT
        assert "--rm" in tab(kernel, "%container run ")
        kernel.run("%config CourseMagics.completion_wait = 400")
        # Not the quickest: a question that has been hanging since before may end during a wait.
        assert slowest(kernel, "%container rm shop") >= 0.4, "it would notice a Tab that waits"
        kernel.run("%config CourseMagics.completion_wait = 100")
        process.send_signal(signal.SIGCONT)
        until(lambda: len(tab(kernel, "%container rm shop")) == 3, what="the names")
        process.send_signal(signal.SIGSTOP)
        seconds, found = quickest(kernel, "%container rm shop")
        assert len(found) == 3, "what was seen before is still shown"
        assert seconds <= LIMIT


def test_a_slow_engine_with_500_containers(kernel: Kernel, folder: Path) -> None:
    with fake_engine(folder, seconds=1) as (url, _):
        assert kernel.run(f"%engine use {url}")["status"] == "ok"
        assert tab(kernel, "%container exec ") != []  # flags, while the names are on their way
        until(lambda: len(tab(kernel, "%container exec shop-")) == 500, what="the names")
        seconds, found = quickest(kernel, "%container exec shop-")
        assert len(found) == 500
        assert found[0] == "shop-001", "running ones come first"
        assert seconds <= LIMIT


def test_an_engine_that_has_gone(kernel: Kernel, folder: Path) -> None:
    with fake_engine(folder, count=3) as (url, process):
        kernel.run(f"%engine use {url}")
        until(lambda: len(tab(kernel, "%container rm shop")) == 3, what="the names")
        process.kill()
        process.wait()
        seconds, _ = quickest(kernel, "%container rm shop")
        assert seconds <= LIMIT


def test_shift_tab_shows_the_word_at_the_cursor(kernel: Kernel) -> None:
    reply = ask(kernel, "inspect", "%container lo¦gs -f web", detail_level=0)
    assert reply["found"]
    assert "usage: %container logs" in reply["data"]["text/plain"]
    assert "<table" in reply["data"]["text/html"]
    reply = ask(kernel, "inspect", "pri¦nt(1)", detail_level=0)
    assert "Prints the values" in reply["data"]["text/plain"], "IPython's own still answers"
    kernel.run("%unload_ext course_magics")
    assert not ask(kernel, "inspect", "%container lo¦gs -f web", detail_level=0)["found"]
    kernel.run("%load_ext course_magics")

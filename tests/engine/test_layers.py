"""`%container layers` and `compare` on images of the real engine; expected bytes by hand."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import docker
import pytest

from course_magics.errors import CheckError, EngineError, Interrupted, OptionError

from .conftest import Cell

pytestmark = pytest.mark.engine
Fails = Callable[[str], BaseException]

#: Files added, overwritten, removed; a folder removed and one emptied; links; strange names.
DOCKERFILE = r"""
FROM course/busybox
RUN mkdir -p /t/gone /t/opaque /t/links \
 && head -c 1000 /dev/zero > /t/over && head -c 2000 /dev/zero > /t/removed \
 && head -c 300 /dev/zero > /t/gone/a && head -c 40 /dev/zero > /t/gone/b \
 && head -c 500 /dev/zero > /t/opaque/old && head -c 7 /dev/zero > /t/links/one
RUN ln /t/links/one /t/links/two && ln -s one /t/links/three
ENV A=1
RUN head -c 1100 /dev/zero > /t/over && rm /t/removed && rm -r /t/gone
RUN rm -r /t/opaque && mkdir /t/opaque && head -c 20 /dev/zero > /t/opaque/new
RUN cd /t && touch "größe 容器" "$(printf 'a\033[31mb')" '<b>bold<_b>' && mkdir -p $(yes long-name | head -40 | tr '\n' /)
LABEL x=y
"""


def test_what_each_layer_does(cell: Cell, name: str, api: docker.APIClient) -> None:
    cell(f"%%dockerfile -t {name}\n{DOCKERFILE}")
    found = cell(f"%container layers {name}").result
    rows = found.rows[1:]
    assert [r["instruction"][:8] for r in rows] == [
        *("RUN mkdi", "RUN ln /", "RUN head", "RUN rm -", "RUN cd /"),
    ]
    done = [(r["added"], r["changed"], r["removed"]) for r in rows]
    # The hard link's layer holds its target again: overlay copies the file up.
    assert done == [(6, 0, 0), (2, 1, 0), (0, 1, 3), (1, 0, 1), (3, 0, 0)]
    assert rows[0]["hidden"] == 1000 + 2000 + 300 + 40 + 500 + 7
    assert rows[2]["size"] == 1100
    assert found.hidden_bytes == rows[0]["hidden"]
    wasted = {w.path: (w.copies, w.size) for w in found.wasted_files}
    assert wasted == {
        "t/over": (2, 2100),
        "t/removed": (2, 2000),
        "t/gone/a": (2, 300),
        "t/gone/b": (2, 40),
        "t/opaque/old": (2, 500),
        "t/links/one": (2, 14),
    }
    assert found.wasted_bytes == 2100 + 2000 + 300 + 40 + 500 + 14
    whole = found.size
    # The engine counts the length of a symbolic link's target too.
    assert 0 < api.inspect_image(name)["Size"] - whole < 4000
    assert found.efficiency == (whole - 4954 + 1000 + 7) / whole
    names = {row["path"] for row in found.layers[5].rows}
    assert {"t/größe 容器", "t/a\x1b[31mb", "t/<b>bold<_b>"} == names
    assert str(found).endswith(f"$ docker save {name}")
    assert "\x1b" not in str(cell(f"%container layers {name} --files 9 --full").result)


def test_a_scratch_image_and_one_of_one_layer(cell: Cell, name: str, here: Path) -> None:
    (here / "a").write_bytes(b"x" * 123)
    cell(f'%%dockerfile -t {name} --context .\nFROM scratch\nCOPY a /a\nCMD ["/a"]\n')
    found = cell(f"%container layers {name}").result
    assert [(r["size"], r["added"]) for r in found.rows] == [(123, 1)]
    assert (found.efficiency, found.wasted_bytes) == (1.0, 0)


def test_limits_fail_the_cell(cell: Cell, fails: Fails, name: str) -> None:
    cell(
        f"%%dockerfile -t {name}\nFROM course/busybox\n"
        "RUN head -c 3000000 /dev/zero > /big\nRUN rm /big\n"
    )
    assert (
        cell(f"%container layers --lowest-efficiency 0.3 {name}").result.wasted_bytes == 3_000_000
    )
    error = fails(f"%container layers --lowest-efficiency 0.9 {name}")
    assert isinstance(error, CheckError)
    assert "at least 90.0% wanted" in error.message
    assert "/big" in (error.detail or "")
    assert isinstance(fails(f"%container layers --highest-wasted-bytes 1m {name}"), CheckError)
    assert cell(f"%container layers --highestWastedBytes 3m {name}").result.efficiency < 1
    assert isinstance(
        fails(f"%container layers --highest-user-wasted-percent 0.5 {name}"), CheckError
    )
    passed = cell(f"%container layers --no-raise --lowest-efficiency 0.9 {name}").result
    assert passed.wasted_bytes == 3_000_000


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("layers", "too few arguments"),
        ("layers --lowest-efficiency 90 course/busybox", "a share from 0 to 1"),
        ("layers --files -3 course/busybox", "a number of lines"),
        ("layers --highest-wasted-bytes much course/busybox", "a size"),
        ("compare course/busybox", "too few arguments"),
    ],
)
def test_wrong_words(fails: Fails, line: str, words: str) -> None:
    error = fails(f"%container {line}")
    assert isinstance(error, OptionError)
    assert words in error.message


def test_no_such_image(fails: Fails) -> None:
    for line in ("layers course/busibox", "compare course/debian course/busibox"):
        error = fails(f"%container {line}")
        assert isinstance(error, EngineError)
        assert "did you mean course/busybox?" in (error.hint or "")


def test_two_images(cell: Cell, name: str) -> None:
    cell(
        f"%%dockerfile -t {name}-a\nFROM course/busybox\nRUN echo one > /x; echo 1 > /a\nENV P=1\n"
    )
    cell(
        f"%%dockerfile -t {name}-b\nFROM course/busybox\nRUN echo two > /x; echo 22 > /b\nUSER 7\n"
    )
    found = cell(f"%container compare {name}-a {name}-b").result
    rows = [(r["path"], r["in"], r["a"], r["b"]) for r in found.rows]
    assert rows == [("x", "both", 4, 4), ("b", "B", None, 3), ("a", "A", 2, None)]
    assert (found.shared, found.layers) == (1, (2, 2))
    assert [(r["name"], r["a"], r["b"]) for r in found.config] == [
        ("env P", "1", None),
        ("user", None, "7"),
    ]
    assert str(found).endswith(f"$ docker save {name}-a {name}-b")
    same = cell(f"%container compare {name}-a {name}-a").result
    assert len(same) == 0
    assert same.config == []


def test_an_interrupt_says_what_was_stopped(fails: Fails) -> None:
    soon = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    soon.start()
    error = fails("%container compare course/python course/python")
    soon.join()
    assert isinstance(error, Interrupted)
    assert error.message == "interrupted: the images were not compared"


def test_a_connection_that_breaks_in_the_middle(
    fails: Fails, cell: Cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fault is made here: what an engine that is killed sends, cut after a part of it."""
    import urllib3

    real = urllib3.HTTPResponse.read
    calls: list[int] = []

    def cut(self: urllib3.HTTPResponse, *args: object, **options: object) -> bytes:
        if "decode_content" in options:
            calls.append(1)
            if len(calls) > 1:
                raise urllib3.exceptions.ProtocolError("Connection broken: IncompleteRead")
        return real(self, *args, **options)  # type: ignore[arg-type]

    with monkeypatch.context() as during:
        during.setattr(urllib3.HTTPResponse, "read", cut)
        error = fails("%container layers course/python")
    assert isinstance(error, EngineError)
    assert "broke" in error.message
    assert cell("%container layers course/busybox").result.layers


def test_memory_does_not_grow_with_the_files_content(cell: Cell, name: str) -> None:
    """60 MB of content in one file: a process that has loaded everything needs hardly more."""
    cell(
        f"%%dockerfile -t {name}\nFROM course/busybox\nRUN head -c 60000000 /dev/urandom > /large\n"
    )
    code = (
        "import resource, sys\nfrom course_magics.containers.layers import layers\n"
        "most = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "layers('course/busybox', '')\nbefore = most()\nlayers(sys.argv[1], '')\n"
        "print(most() - before)"
    )
    grown = subprocess.run(
        [sys.executable, "-c", code, name], capture_output=True, text=True, check=True
    )
    assert int(grown.stdout) < 20_000  # kB

"""What the tests share: what is on this machine, and what `COURSE_REQUIRE=all` makes of a lack."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.testing.globalipapp import start_ipython
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from course_magics import engine
from course_magics.guest import launch

_MARKS = {
    "engine": "a Docker engine",
    "machine": "vagrant and QEMU",
    "browser": "Chromium",
    "embedded": "QEMU",
    "binder": "a Docker engine",
}
#: Where the tests' own progress goes.
_PROGRESS = tempfile.TemporaryDirectory(prefix="course-progress-")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """In random order, but in the same one each time: COURSE_SEED=N is for another one.

    An example of Hypothesis may take its time: on a busy computer it does.
    """
    hypothesis.settings.register_profile("course", deadline=None)
    hypothesis.settings.load_profile("course")
    if getattr(config.option, "randomly_seed", None) == "default":
        config.option.randomly_seed = int(os.environ.get("COURSE_SEED", "11"))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Nobody's real progress is touched, nor read: also not by the kernels that tests start.

    Before any fixture, for each test: nbval's plugin puts the variable back (course/session.py).
    """
    os.environ["COURSE_PROGRESS"] = f"{_PROGRESS.name}/progress.json"


def _lacks(mark: str) -> str | None:
    """Why tests with this mark cannot run here, or None."""
    if mark in ("engine", "binder"):
        return None if engine.found() is not None else "no Docker engine answers"
    needed = {
        "machine": ("vagrant", "qemu-system-x86_64"),
        "browser": ("chromium",),
        "embedded": ("qemu-system-x86_64",),
    }[mark]
    missing = [tool for tool in needed if shutil.which(tool) is None]
    return f"not installed: {', '.join(missing)}" if missing else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    lacks: dict[str, str | None] = {}
    for item in items:
        for mark, need in _MARKS.items():
            if item.get_closest_marker(mark) is None:
                continue
            if mark not in lacks:
                lacks[mark] = _lacks(mark)
            if lacks[mark] and os.environ.get("COURSE_REQUIRE") != "all":
                item.add_marker(pytest.mark.skip(reason=f"needs {need}: {lacks[mark]}"))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling:
    """Whatever --dist says: a worker takes a file at a time, and one all files that boot machines.

    Machines are slow in emulation: two workers that boot some share the same cores, and what waits
    for a machine runs out of time. (xdist's own groups do nothing under pytest 9.2.)
    """
    return _Machines(config, log)


class _Machines(LoadFileScheduling):
    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return "machines" if "machine" in file else file


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    required = os.environ.get("COURSE_REQUIRE") == "all"
    if report.skipped and required and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped under COURSE_REQUIRE=all: {report.longrepr}"


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """What fails is named at once, and not after the half hour that the others take."""
    if report.failed:
        print(f"\nFAILED {report.nodeid} ({report.when})", flush=True)


@pytest.fixture(scope="session")
def _shell() -> InteractiveShell:
    shell = start_ipython()
    return shell if shell is not None else InteractiveShell.instance()


@pytest.fixture
def ip(_shell: InteractiveShell) -> Iterator[InteractiveShell]:
    """An IPython with the extension loaded, its variables and settings emptied afterwards."""
    before = set(_shell.user_ns)
    _shell.run_line_magic("load_ext", "course_magics")
    yield _shell
    _shell.run_line_magic("unload_ext", "course_magics")
    _shell.config.pop("CourseMagics", None)  # or the next test would have what `%config` set
    for name in set(_shell.user_ns) - before:
        del _shell.user_ns[name]


@pytest.fixture(autouse=True)
def _can_be_interrupted() -> Iterator[None]:
    """SIGINT as a kernel has it: pytest's parallel workers ignore it, and a test would hang."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    return launch.free_port()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder as the working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 KiB, for a full one that is real."""
    place = tmp_path / "small"
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs", place],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"no disk can be mounted: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)

"""What the tests with real machines share."""

from __future__ import annotations

import fcntl
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from course_magics import engine
from course_magics.machines import hosts


@pytest.fixture
def ssh_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A state folder and a docker folder of the test's own; ~/.ssh/config is as before afterwards.

    That file is the real one, ssh looks nowhere else: a test in another process waits.
    """
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "COURSE_ENGINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    monkeypatch.setenv("COURSE_STATE", str(tmp_path / "state"))
    with (Path(tempfile.gettempdir()) / "course-magics-test-ssh.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        file = hosts.ssh_config()
        before = file.read_bytes() if file.exists() else None
        yield tmp_path
        engine.forget(chosen=True)
        assert (file.read_bytes() if file.exists() else None) == before

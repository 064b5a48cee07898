"""What the tests with real machines share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from course_magics import engine
from course_magics.machines import hosts


@pytest.fixture
def ssh_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A state folder and a docker folder of the test's own, of which ~/.ssh/config has no line afterwards.

    That file is the real one, ssh looks nowhere else. What runs beside the tests may change it too.
    """
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "COURSE_ENGINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    monkeypatch.setenv("COURSE_STATE", str(tmp_path / "state"))
    yield tmp_path
    engine.forget(chosen=True)
    file = hosts.ssh_config()
    assert not file.exists() or str(tmp_path) not in file.read_text()

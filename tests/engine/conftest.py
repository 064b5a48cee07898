"""What the engine tests share: names of their own, and everything removed afterwards."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest
from docker.errors import APIError
from IPython.core.interactiveshell import ExecutionResult, InteractiveShell

from course_magics import engine
from course_magics.containers.compose import program
from course_magics.errors import EngineError
from course_magics.guest.model import cache_dir

from .differences import Difference, difference, kind

Cell = Callable[[str], ExecutionResult]
_EXPECTED = pytest.StashKey[Difference]()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that shows a difference of the engine in use must fail there."""
    ours = [i for i in items if i.path.parent == Path(__file__).parent]
    found = engine.found() if ours else None
    for item in ours if found else ():
        assert found is not None
        one = difference(kind(found), item.nodeid.rpartition("tests/engine/")[2])
        if one:
            item.stash[_EXPECTED] = one
            item.add_marker(pytest.mark.xfail(strict=True, reason=f"{one.engine}: {one.what}"))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """…and for the reason that the table gives."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    one = item.stash.get(_EXPECTED, None)
    if one and call.excinfo and hasattr(report, "wasxfail"):
        said = f"{call.excinfo.value}\n{report.longreprtext}\n{report.caplog}\n{report.capstdout}"
        if one.words not in said:
            report.outcome = "failed"
            del report.wasxfail
            report.longrepr = f"failed, but without the words {one.words!r}:\n{said}"


@pytest.fixture
def api() -> docker.APIClient:
    """The SDK's own client, to look at what a magic has done."""
    return engine.current().api


@pytest.fixture
def name(api: docker.APIClient) -> Iterator[str]:
    """A name that nobody else uses; containers and images whose names begin with it are removed."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    yield name
    for found in api.containers(all=True, filters={"name": name}):
        api.remove_container(found["Id"], force=True, v=True)
    for image in api.images():
        for tag in image.get("RepoTags") or ():
            # Podman's names for what has no registry, or only Docker's
            if tag.removeprefix("localhost/").removeprefix("docker.io/library/").startswith(name):
                try:
                    api.remove_image(tag, force=True)
                except APIError as error:
                    assert error.status_code == 404


@pytest.fixture
def cell(ip: InteractiveShell) -> Cell:
    """Runs a cell; fails the test when the cell fails."""

    def run(text: str) -> ExecutionResult:
        result = ip.run_cell(text)
        result.raise_error()
        return result

    return run


@pytest.fixture
def fails(ip: InteractiveShell) -> Callable[[str], BaseException]:
    """Runs a cell that must fail; returns its error."""

    def run(text: str) -> BaseException:
        error = ip.run_cell(text).error_in_exec
        assert error is not None, f"the cell passed: {text}"
        return error

    return run


@pytest.fixture
def composer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A compose command, and a state folder of the test's own."""
    monkeypatch.setenv("COURSE_STATE", str(tmp_path.with_name(f"{tmp_path.name}-state")))
    try:
        program.find()
    except EngineError:
        monkeypatch.setenv("DOCKER_CONFIG", str(cache_dir() / "newer-docker"))
        try:
            program.find()
        except EngineError:
            pytest.skip("compose is not here: bash .ci/newer-docker")


def exists(api: docker.APIClient, name: str) -> bool:
    """Whether there is a container of just this name."""
    return bool(api.containers(all=True, filters={"name": f"^/?{name}$"}))

"""What the engine tests share: names of their own, and everything removed afterwards."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator

import docker
import pytest
from docker.errors import APIError
from IPython.core.interactiveshell import ExecutionResult, InteractiveShell

from course_magics import engine

Cell = Callable[[str], ExecutionResult]


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
            if tag.startswith(name):
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


def exists(api: docker.APIClient, name: str) -> bool:
    """Whether there is a container of just this name."""
    return bool(api.containers(all=True, filters={"name": f"^/{name}$"}))

"""A mistyped name is told the nearest one that the engine has."""

from collections.abc import Callable, Iterator

import docker
import pytest

from course_magics.errors import EngineError

pytestmark = pytest.mark.engine


@pytest.fixture
def things(api: docker.APIClient, name: str) -> Iterator[str]:
    """A container, a network and a volume of the same name."""
    api.create_container("course/busybox", ["true"], name=name)
    api.create_network(name)
    api.create_volume(name)
    yield name
    api.remove_network(name)
    api.remove_volume(name)


@pytest.mark.parametrize("word", ["start", "network inspect", "network rm", "volume inspect"])
def test_a_name_with_a_slip(fails: Callable[[str], BaseException], things: str, word: str) -> None:
    error = fails(f"%container {word} {things[:-1]}")
    assert isinstance(error, EngineError)
    assert f"did you mean {things}?" in str(error)


@pytest.mark.parametrize("word", ["start", "network inspect", "volume inspect"])
def test_a_name_like_no_other(fails: Callable[[str], BaseException], word: str) -> None:
    error = fails(f"%container {word} qqqqqqqqqqqq")
    assert isinstance(error, EngineError)
    assert "did you mean" not in str(error)

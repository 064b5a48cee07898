"""`%%dockerfile` on the real engine, with each builder that is there."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest

from course_magics.containers.build import buildkit
from course_magics.errors import BuildError, EngineError, OptionError
from course_magics.guest.model import cache_dir

from .conftest import Cell

pytestmark = pytest.mark.engine
Fails = Callable[[str], BaseException]

DOCKERFILE = """\
FROM course/busybox
RUN echo a > /a
ENV A=1
COPY --from=course/busybox /etc/passwd /p
CMD ["cat", "/a"]
"""


@pytest.fixture(params=["classic", "buildkit"])
def builder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Both builders; BuildKit with the buildx plugin that .ci/newer-docker has fetched."""
    monkeypatch.setenv("COURSE_BUILDER", request.param)
    if request.param == "buildkit":
        if buildkit.plugin() is None:
            monkeypatch.setenv("DOCKER_CONFIG", str(cache_dir() / "newer-docker"))
        if buildkit.plugin() is None:
            pytest.skip("buildx is not here: bash .ci/newer-docker")
    yield request.param


def test_a_build_and_its_result(builder: str, cell: Cell, name: str) -> None:
    build = cell(f"%%dockerfile -t {name} --no-cache\n{DOCKERFILE}").result
    steps = [(s.instruction.keyword, s.state) for s in build.steps]
    assert steps == [
        ("FROM", "base"),
        ("RUN", "built"),
        ("ENV", "built"),
        ("COPY", "built"),
        ("CMD", "built"),
    ]
    assert build.steps[1].size == 2
    assert build.steps[0].size > 1_000_000
    assert (build.tags, build.layers) == ([name], 3)
    assert build.size == sum(s.size for s in build.steps)
    assert "0 of 4 steps cached" in str(build)
    assert str(build).endswith(f"$ docker build -t {name} --no-cache - < CELL")
    assert cell(f"%container run --rm {name}").result.stdout == "a\n"


def test_the_second_time_comes_from_the_cache(builder: str, cell: Cell, name: str) -> None:
    cell(f"%%dockerfile -t {name}\n{DOCKERFILE}")
    build = cell(f"%%dockerfile -t {name}\n{DOCKERFILE}").result
    assert "4 of 4 steps cached" in str(build)
    assert cell(f"%%dockerfile -t {name} --no-cache\n{DOCKERFILE}").result.cached == 0


def test_building_again_leaves_no_image_without_a_name(cell: Cell, api, name: str) -> None:  # type: ignore[no-untyped-def]
    cell(f"%%dockerfile -t {name}\n{DOCKERFILE}")
    first = api.inspect_image(name)["Id"]
    cell(f"%%dockerfile -t {name}\n{DOCKERFILE}")
    assert api.inspect_image(name)["Id"] == first


def test_stages_targets_and_arguments(builder: str, cell: Cell, fails: Fails, name: str) -> None:
    text = (
        "ARG BASE=course/busybox\nFROM $BASE AS one\nARG WHO=nobody\nRUN echo $WHO > /who\n"
        "FROM course/busybox AS two\nCOPY --from=one /who /who\n"
    )
    build = cell(f"%%dockerfile -t {name} --build-arg WHO=me --no-cache\n{text}").result
    assert [s.instruction.stage for s in build.steps] == [0, 0, 0, 0, 1, 1]
    assert cell(f"%container run --rm {name} cat /who").result.stdout == "me\n"
    part = cell(f"%%dockerfile --target one\n{text}").result
    assert [s.state for s in part.steps[4:]] == ["skipped", "skipped"]
    error = fails(f"%%dockerfile --target tow\n{text}")
    assert isinstance(error, BuildError)
    assert error.hint == "did you mean two?"


def test_a_context_and_its_dockerignore(builder: str, cell: Cell, name: str, here: Path) -> None:
    for path in ("keep.txt", "a.log", "deep/b.log", "deep/keep.log", "deep/c.txt", "Dockerfile"):
        (here / path).parent.mkdir(exist_ok=True)
        (here / path).write_text(path)
    (here / ".dockerignore").write_text("**/*.log\n!deep/keep.log\nDockerfile\n")
    cell(f"%%dockerfile -t {name} --context .\nFROM course/busybox\nCOPY . /x\n")
    found = cell(f"%container run --rm {name} sh -c 'cd /x && find . -type f | sort'").result.stdout
    assert found.split() == ["./.dockerignore", "./deep/c.txt", "./deep/keep.log", "./keep.txt"]


def test_the_context_is_empty_unless_named(builder: str, cell: Cell, fails, here: Path) -> None:  # type: ignore[no-untyped-def]
    (here / "secret").write_text("x")
    error = fails("%%dockerfile\nFROM course/busybox\nCOPY secret /x\n")
    assert isinstance(error, BuildError)
    assert error.message.startswith("line 2: COPY secret /x")
    assert "--context DIR" in (error.hint or "")
    error = fails("%%dockerfile --context missing\nFROM course/busybox\n")
    assert isinstance(error, OptionError)


def test_a_failing_step(builder: str, fails: Fails, name: str) -> None:
    error = fails(
        f"%%dockerfile -t {name}\nFROM course/busybox\n# why\nRUN echo one; \\\n  echo two >&2; exit 7\n"
        "CMD x\n"
    )
    assert isinstance(error, BuildError)
    assert error.message == "line 3: RUN echo one; echo two >&2; exit 7 ended with status 7"
    assert error.status == 7
    assert set((error.detail or "").split()) == {"one", "two"}
    build = error.result  # type: ignore[attr-defined]
    assert [s.state for s in build.steps] == ["base", "failed", "skipped"]


def test_no_raise_keeps_the_partial_result(cell: Cell, capsys) -> None:  # type: ignore[no-untyped-def]
    build = cell("%%dockerfile --no-raise\nFROM course/busybox\nRUN exit 7\n").result
    assert build.steps[1].state == "failed"
    assert "ended with status 7" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "words", "hint"),
    [
        ("FROM course/busybox\nRUNN x\n", "line 2: unknown instruction RUNN", "did you mean RUN?"),
        ("FROM course/busibox\nRUN x\n", "line 1: no image 'course/busibox'", "course/busybox"),
        ("RUN x\n", "", ""),
        ("FROM\n", "", ""),
    ],
)
def test_what_cannot_be_built(builder: str, fails: Fails, text: str, words: str, hint: str) -> None:
    error = fails(f"%%dockerfile\n{text}")
    assert isinstance(error, BuildError)
    assert words in error.message
    assert hint in (error.hint or "")


def test_dollars_and_braces_reach_docker(builder: str, cell: Cell, name: str, ip) -> None:  # type: ignore[no-untyped-def]
    ip.user_ns["X"] = "from python"
    build = cell(
        f"%%dockerfile -t {name} --no-cache\nFROM course/busybox\nENV X=docker\n"
        "RUN echo $X ${X} '{X}' > /x\n"
    )
    assert build.result.steps[2].instruction.text == "RUN echo $X ${X} '{X}' > /x"
    assert cell(f"%container run --rm {name} cat /x").result.stdout == "docker docker {X}\n"


def test_a_heredoc_needs_buildkit(fails: Fails, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSE_BUILDER", "classic")
    error = fails("%%dockerfile\nFROM course/busybox\nRUN <<EOF\necho hi\nEOF\n")
    assert isinstance(error, BuildError)
    assert "needs BuildKit" in error.message


def test_images_carry_the_label_that_clean_looks_for(cell: Cell, api, name: str) -> None:  # type: ignore[no-untyped-def]
    cell(f"%%dockerfile -t {name}\n{DOCKERFILE}")
    found: docker.APIClient = api.images(filters={"label": "course-magics.image"})
    assert any(t.endswith(f"{name}:latest") for i in found for t in i["RepoTags"] or ())


def test_a_large_context_is_warned_of(cell: Cell, name: str, here: Path) -> None:
    with (here / "large").open("wb") as file:
        os.truncate(file.fileno(), 101 * 1024 * 1024)
    build = cell(f"%%dockerfile -t {name} --context .\nFROM course/busybox\n").result
    assert ".dockerignore" in str(build)


def test_a_bad_tag(builder: str, fails: Fails) -> None:
    assert isinstance(
        fails("%%dockerfile -t UPPER\nFROM course/busybox\n"), BuildError | EngineError
    )

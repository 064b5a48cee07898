"""`%%dockerfile --check`, `%container lint`, and findings beside the steps of a build."""

from collections.abc import Callable
from pathlib import Path

import docker
import pytest

from course_magics.containers.lint import buildkit
from course_magics.errors import CheckError, OptionError

from .conftest import Cell

pytestmark = pytest.mark.engine
Fails = Callable[[str], BaseException]


def test_check_builds_nothing(cell: Cell, name: str, api: docker.APIClient) -> None:
    told = cell(
        f"%%dockerfile -t {name} --check --source course\nFROM course/busybox\nRUN cd /tmp\n"
    ).result
    assert [(r["line"], r["rule"]) for r in told.rows] == [(2, "CdInRun")]
    assert str(told).endswith(f"$ docker build -t {name} --check - < CELL")
    assert api.images(name) == []


def test_check_fails_the_cell(cell: Cell, fails: Fails) -> None:
    error = fails("%%dockerfile --check\nFROM course/busybox\nRUNN x\n")
    assert isinstance(error, CheckError)
    assert (error.message, error.hint) == (
        "1 finding in the Dockerfile, the first on line 2",
        "did you mean RUN?",
    )
    assert "^ error UnknownInstruction" in (error.detail or "")
    text = "\nFROM course/busybox\nRUN cd /tmp\n"
    assert isinstance(fails(f"%%dockerfile --check --strict --source course{text}"), CheckError)
    passed = cell(f"%%dockerfile --strict --source course --no-raise{text}").result
    assert passed.worst() == "warning"
    assert isinstance(fails(f"%%dockerfile --check --source nobody{text}"), OptionError)


def test_lint_of_a_file_a_folder_and_a_cell(cell: Cell, fails: Fails, here: Path) -> None:
    (here / "Dockerfile").write_text("FROM debian\n")
    for line in ("lint", "lint .", "lint Dockerfile"):
        told = cell(f"%container {line} --source course").result
        assert [r["rule"] for r in told.rows] == ["UntaggedBase"]
        assert str(told).endswith("$ docker build --check -f Dockerfile .")
    told = cell("%%container lint --source course\nFROM debian:12\nUSER root\n").result
    assert [r["rule"] for r in told.rows] == ["RootAtEnd"]
    (here / "binary").write_bytes(b"\xff\xfe")
    for line in ("lint missing", "lint binary"):
        assert isinstance(fails(f"%container {line}"), OptionError)
    assert isinstance(fails("%%container lint Dockerfile\nFROM a:1\n"), OptionError)


def test_a_build_names_its_findings(cell: Cell, name: str) -> None:
    build = cell(f'%%dockerfile -t {name}\nFROM course/busybox\nRUN cd /tmp\nCMD ["true"]\n').result
    assert [[f.rule for f in s.findings] for s in build.steps] == [[], ["CdInRun"], []]
    head, *rows = str(build).split("\n")
    assert head.endswith("LINT")
    assert rows[1].endswith("CdInRun")
    good = cell(f'%%dockerfile -t {name}\nFROM course/busybox\nCMD ["true"]\n').result
    assert "LINT" not in str(good)


def test_an_engine_without_checks_is_not_asked() -> None:
    """20.10 and 26.1 have none; 27 and newer answer."""
    from course_magics import engine

    found = buildkit.check("FROM course/busybox\nCMD echo\n", None, None, ())
    api = tuple(map(int, engine.current().info["ApiVersion"].split(".")))
    if found is None:
        assert api < (1, 46) or buildkit.buildkit.plugin() is None
    else:
        assert [f.rule for f in found] == ["JSONArgsRecommended"]

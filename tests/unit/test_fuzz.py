"""Ten thousand random cell lines raise nothing but CourseErrors."""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell

from course_magics import engine
from course_magics.errors import CourseError
from course_magics.magics import MAGICS, base

MODULES = {
    name: import_module(f"course_magics.magics.{m}").MAGIC for name, (m, _) in MAGICS.items()
}
WORDS = sorted({w for m in MODULES.values() for word in m.words for w in word.name.split()})
FLAGS = sorted(
    {n for m in MODULES.values() for w in m.words for f in w.all_flags for n in f.names.split()}
)
# Flags that would keep a cell waiting or write files in the tests' own folder.
LINES = st.lists(
    st.one_of(
        st.sampled_from(WORDS),
        st.sampled_from(FLAGS),
        st.sampled_from(FLAGS).flatmap(lambda f: st.text(max_size=5).map(lambda t: f"{f}={t}")),
        st.sampled_from(["x", "a:b", "1", "-", "--", "{x}", "$x", "'", '"', "\\", "{{.X}}", "#"]),
        st.text(max_size=8),
    ),
    max_size=7,
).map(" ".join)


@pytest.fixture
def nowhere(here: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No engine, no vagrant, an empty folder: a random `rm -f x` must not meet anything real."""
    monkeypatch.setenv("COURSE_ENGINE", "unix:///nowhere/docker.sock")
    monkeypatch.setenv("COURSE_STATE", str(here / "state"))
    monkeypatch.setenv("PATH", str(here))
    engine.forget()
    yield
    engine.forget()


@pytest.mark.parametrize("name", sorted(MAGICS))
def test_random_lines_raise_course_errors_only(
    ip: InteractiveShell, nowhere: None, name: str
) -> None:
    tried = 0

    @settings(
        max_examples=1700,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(LINES, st.one_of(st.none(), st.text(max_size=40)))
    def try_line(line: str, cell: str | None) -> None:
        nonlocal tried
        tried += 1
        try:
            base.run(MODULES[name], ip, line, cell)
        except CourseError as error:
            assert error.message
            assert "\n" not in error.message

    try_line()
    assert tried >= 1700


def test_it_would_notice_another_error(ip: InteractiveShell, nowhere: None) -> None:
    """The guard itself: what is no CourseError gets through `base.run`."""
    with pytest.raises(AttributeError):
        base.run(None, ip, "x")  # type: ignore[arg-type]

"""Values of the notebook in a line: they are words, never flags, and are not shown afterwards."""

from __future__ import annotations

import re

import pytest
from IPython.core.interactiveshell import InteractiveShell

from course_magics.errors import OptionError
from course_magics.magics.compose import MAGIC as COMPOSE
from course_magics.magics.container import MAGIC as CONTAINER
from course_magics.magics.dockerfile import MAGIC as DOCKERFILE
from course_magics.magics.dockerfile import _line
from course_magics.magics.grammar import Call, parse
from course_magics.magics.vagrant import MAGIC as VAGRANT
from course_magics.magics.words import own_names, split

VALUES = {
    "pw": "hunter2",
    "image": "--privileged",
    "name": "-f",
    "flags": ["--rm", "-d"],
    "help": "--help",
}


def read(line: str) -> Call:
    return parse(CONTAINER, split(line, VALUES))


def test_a_value_is_no_flag() -> None:
    call = read("run {image} true")
    assert call.privileged is False
    assert call.args == ["--privileged", "true"]
    assert read("rm {name}").force is False
    assert read("run {flags} course/busybox").rm is True


@pytest.mark.parametrize(
    ("magic", "line"),
    [(VAGRANT, "destroy {name}"), (COMPOSE, "stop {name}"), (CONTAINER, "stack rm {name}")],
)
def test_a_value_is_no_flag_of_a_real_program_either(magic: object, line: str) -> None:
    with pytest.raises(OptionError, match=r"\{name\} begins with a dash"):
        parse(magic, split(line, VALUES))  # type: ignore[arg-type]


def test_the_line_that_is_shown_has_no_value() -> None:
    call = read("run -e DB_PASSWORD={pw} --label a=$pw course/busybox env")
    assert call.env == ["DB_PASSWORD=hunter2"]
    assert call.line == "docker run -e DB_PASSWORD={pw} --label a=$pw course/busybox env"
    build = parse(DOCKERFILE, split("-t x --build-arg PW={pw} --context /a", VALUES), "FROM a")
    assert _line(build) == "docker build -t x --build-arg PW={pw} -f - /a < CELL"


@pytest.mark.parametrize(
    "line",
    [
        "run -e PW={pw} --memory=x{pw} course/busybox",
        "run --x{pw} course/busybox",
        "run --x{pair} course/busybox",
        "run -i{pin} course/busybox",
        "run{pw}",
        "volume x{pw}",
        "version x{pw}",
        "run -o x-{pw} course/busybox",
    ],
)
def test_an_error_has_no_value(ip: InteractiveShell, line: str) -> None:
    ip.user_ns.update(pw="hunter2", pair="hunt=er2", pin="9hunter2")
    failed = ip.run_cell(f"%container {line}").error_in_exec
    assert failed is not None
    assert not re.search("hunt|-9", str(failed))
    assert "{p" in str(failed)


def test_what_ipython_brings_along_is_not_the_notebook_s(ip: InteractiveShell) -> None:
    ip.user_ns["mine"] = 1
    names = own_names(ip)
    assert names["mine"] == 1
    assert not {"exit", "quit", "get_ipython", "In", "Out"} & set(names)
    ip.user_ns["exit"] = "the notebook's own"
    try:
        assert own_names(ip)["exit"] == "the notebook's own"
    finally:
        del ip.user_ns["exit"]

"""A cell's line as words: as a shell splits it, with Python's values put in."""

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_magics.errors import OptionError
from course_magics.magics.words import split

PLAIN = st.text(st.characters(codec="ascii", exclude_characters="\\#\x0b\x0c\x1c\x1d\x1e\x1f"))


@given(PLAIN)
def test_splits_as_a_shell_does(line: str) -> None:
    try:
        expected = shlex.split(line)
    except ValueError:
        with pytest.raises(OptionError):
            split(line)
        return
    assert split(line) == expected


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("a 'b c' \"d e\"", ["a", "b c", "d e"]),
        ("a\\ b", ["a b"]),
        ('"say \\"hi\\""', ['say "hi"']),
        ("ps -a  # all of them", ["ps", "-a"]),
        ("tag a#b", ["tag", "a#b"]),
        ("''", [""]),
    ],
)
def test_quotes_and_comments(line: str, words: list[str]) -> None:
    assert split(line) == words


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("run {image}", ["run", "course/busybox"]),
        ("run $image", ["run", "course/busybox"]),
        ("echo {name}", ["echo", "two words; rm -rf /"]),
        ('echo "<{name}>"', ["echo", "<two words; rm -rf />"]),
        ("run {flags} x", ["run", "-d", "--rm", "x"]),
        ("run '{flags}' x", ["run", "['-d', '--rm']", "x"]),
        ("echo {1 + 1}", ["echo", "{1", "+", "1}"]),
        ("echo {number+1}", ["echo", "8"]),
        ("p{number}", ["p7"]),
    ],
)
def test_python_values(line: str, words: list[str]) -> None:
    values = {
        "image": "course/busybox",
        "name": "two words; rm -rf /",
        "flags": ["-d", "--rm"],
        "number": 7,
    }
    assert split(line, values) == words


@pytest.mark.parametrize(
    "line",
    [
        "{{.Names}}",
        "$HOME",
        "${HOME}",
        "$$",
        "{nothing}",
        "{a,b}",
        '{"a":1}'.replace('"', '\\"'),
        "x{",
        "}{",
        "{{",
        "$",
    ],
)
def test_what_is_no_python_value_stays(line: str) -> None:
    assert split(line, {"b": 1}) == [line.replace("\\", "")]


@pytest.mark.parametrize("line", ["echo 'open", 'echo "open', "echo \\"])
def test_an_open_end_is_one_clear_line(line: str) -> None:
    with pytest.raises(OptionError) as caught:
        split(line)
    assert "\n" not in caught.value.message
    assert caught.value.hint

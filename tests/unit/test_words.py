"""A cell's line as words: as a shell splits it, with Python's values put in."""

import copy
import json
import pickle
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from course_magics.errors import OptionError
from course_magics.magics.words import quote_word, split
from course_magics.shell import as_typed, is_flag, joined, part, quoted, said

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


@pytest.mark.parametrize(
    "line", ["{print}", "{id}", "{exit}", "{print(1)}", "{x for x in 'ab'}", "{__import__('os')}"]
)
def test_what_every_python_has_is_no_value_of_the_notebook(line: str) -> None:
    """`awk '{print}'` is awk's; an expression counts when it speaks of the notebook's names."""
    assert split(f"'{line}'".replace("'ab'", '"ab"').replace("'os'", '"os"'), {"pw": "x"}) != []
    words = split(line.replace(" ", "\\ ").replace("'", "\\'"), {"pw": "x"})
    assert words == [line]


def test_builtins_may_be_used_on_the_notebook_s_own_names() -> None:
    assert split("{len(pw)} {list(c.upper() for c in pw)}", {"pw": "ab"}) == ["2", "A", "B"]


@given(st.text(min_size=0))
def test_a_quoted_word_is_read_back(word: str) -> None:
    """Whatever a file, an image or a volume is called, and whatever the notebook holds."""
    values = {"a": "value", "x": ["several", "words"], "exec": "a name of the notebook"}
    assert split(quote_word(word), values) == [word]


@pytest.mark.parametrize("name", ["report{a}.csv", "$a", "#notes", "-rf", "~root", 'it\'s "b"', ""])
def test_names_that_would_be_more_than_a_word(name: str) -> None:
    assert split(quote_word(name), {"a": "value"}) == [name]


def test_what_begins_with_a_value_is_never_a_flag() -> None:
    values = {"image": "--privileged", "flags": ["--rm", "-d"]}
    (value,) = split("{image}", values)
    assert value == "--privileged"
    assert not is_flag(value)
    assert is_flag(*split("--name={image}", values))
    assert all(is_flag(word) for word in split("{flags}", values)), "a list is the reader's own"


def test_a_shown_line_has_names_in_place_of_values() -> None:
    values = {"pw": "hunter2", "ports": ["-p", "80:80"], "name": "a b"}
    words = split('run -e DB_PASSWORD={pw} {ports} --name "$name" -e "X=a {pw}" image', values)
    assert words[2] == "DB_PASSWORD=hunter2"
    assert joined(words) == "run -e DB_PASSWORD={pw} {ports} --name $name -e 'X=a {pw}' image"


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("$PWD:/work", '"$PWD:/work"'),
        ("$(pwd)/a b:/w", '"$(pwd)/a b:/w"'),
        ("$HOME/$(touch x):/w", "'$HOME/$(touch x):/w'"),
        ("-v$HOME:/w", '"-v$HOME:/w"'),
        ("type=bind,source=$PWD,target=/w", '"type=bind,source=$PWD,target=/w"'),
        ("echo $HOME", "'echo $HOME'"),
        ("$HOME/`touch x`", "'$HOME/`touch x`'"),
        ("$PWD/!ls", "'$PWD/!ls'"),
        ('$PWD/"; touch x; "', "'$PWD/\"; touch x; \"'"),
    ],
)
def test_a_shown_line_runs_nothing_when_it_is_pasted(word: str, shown: str) -> None:
    assert quoted(word) == shown


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.sampled_from(
            [*"$`\"'\\!(){}; /", "$PWD", "$HOME", "$(pwd)", "$(touch x)", "`touch x`", "{pw}"]
        )
    )
)
def test_a_shell_runs_nothing_of_a_shown_line(tmp_path: Path, parts: list[str]) -> None:
    """As typed and as pasted: the shell may put in its folders, and does nothing else."""
    try:
        words = split(f"'{''.join(parts)}' ", {"pw": "$(touch x)"})
    except OptionError:
        reject()
    done = subprocess.run(
        ["bash", "-c", f"printf '%s' {joined(words)}"], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert not list(tmp_path.iterdir())


@given(st.text(st.characters(codec="ascii", exclude_characters="\x00")))
def test_a_shown_word_is_one_word_of_a_shell(word: str) -> None:
    if not quoted(word).startswith('"'):  # for a folder that the shell puts in
        assert shlex.split(quoted(word)) == [word]


def test_an_error_has_names_in_place_of_values() -> None:
    values = {"pw": 's3"cret', "image": "course/none", "opts": ["-e", "A=hidden"], "n": 3}
    words = split("-e PW={pw} {opts} -e N=$n {image} sh -c 'login $pw'", values)
    text = 'bad "s3\\"cret" (s3"cret) for course/none: A=hidden, status 3'
    assert said(text, words, {"course/none"}) == (
        'bad "{pw}" ({pw}) for course/none: {opts}, status 3'
    )


@pytest.mark.parametrize(
    ("value", "text", "shown"),
    [
        ("hunter2", "no network nosuchhunter2", "no network nosuch{pw}"),
        ("hunter2", "a hunter2_default and a hunter20", "a {pw}_default and a {pw}0"),
        ("hunter2", "unknown capability CAP_HUNTER2", "unknown capability CAP_{pw}"),
        ("hunter2", "Hunter2: no such host", "{pw}: no such host"),
        ("Zoë's key", r"got Zo\u00eb's key, Zo%C3%AB%27s+key", "got {pw}, {pw}"),
        ("it's \"it\"", """'it'"'"'s "it"' as 'it\\'s "it"'""", "'{pw}' as '{pw}'"),
        ('a"bcdef', r'{"message":"no a\\\"bcdef"}', '{"message":"no {pw}"}'),
        ("hunter2\n", "nosuchhunter2", "nosuch{pw}"),
        ("one line\nanother line", "no one line another line", "no {pw}"),
        ("one line\nanother line", "bad flag: another line", "bad flag: {pw}"),
        ("u:hunter2@host/x", 'invalid port ":hunter2@host" after host', None),
        ("abcdef=ghi", "unknown flag: --xabcdef", "unknown flag: --x{pw}"),
        ("hunter2-xyzzy", "task: bad nosuchhunter2-xy…", "task: bad nosuch{pw}…"),
        ("hunter2-xyzzy", "hunthunter2... and so on...", "hunt{pw}... and so on..."),
        # Short ones are part of many words; they are hidden where the word itself was typed.
        ("test", "no nosuchtest, TEST or CAP_TEST in latest", "no nosuch{pw}, {pw} or CAP_{pw} in latest"),
        ("true", "takes true or false", "takes true or false"),
        ("abc", "abc", "abc"),
    ],
)  # fmt: skip
def test_an_error_has_no_value_in_any_form(value: str, text: str, shown: str | None) -> None:
    words = split("-e a={pw} nosuch{pw} --x{pw} b", {"pw": value})
    found = said(text, words)
    assert found == shown or (shown is None and "hunter2" not in found)


def test_a_name_is_not_searched_for_other_values() -> None:
    words = split("-e {token} -e {t}", {"token": "first-secret", "t": "token"})
    assert said("first-secret, token", words) == "{token}, {t}"


@given(
    st.text("abcXYZ019_é'\"\\", min_size=6, max_size=12),
    st.sampled_from([str, str.upper, str.lower, repr, json.dumps, shlex.quote]),
    st.text("qw-_ /", max_size=4),
)
def test_no_message_has_a_long_value(value: str, form: Callable[[str], str], around: str) -> None:
    words = split("-e PW={pw}", {"pw": value})
    shown = said(f"bad {around}{form(value)}{around} value", words).lower()
    assert value.lower() not in shown
    assert "{pw}" in shown


@pytest.mark.parametrize(
    ("line", "at", "typed"),
    [("--env=A={pw}", 6, "A={pw}"), ("-eA=$pw", 2, "A=$pw"), ("-{opt}", 2, "{opt}")],
)
def test_the_rest_of_a_word_knows_how_it_was_typed(line: str, at: int, typed: str) -> None:
    (word,) = split(line, {"pw": "hunter2", "opt": "eA=hunter2"})
    rest = part(word, at)
    assert rest == str(word)[at:]
    assert as_typed(rest) == typed


def test_what_is_kept_of_a_word_is_plain_text() -> None:
    (word,) = split("A={pw}", {"pw": "hunter2"})
    for kept in (copy.deepcopy(word), pickle.loads(pickle.dumps(word))):
        assert kept == "A=hunter2"
        assert type(kept) is str

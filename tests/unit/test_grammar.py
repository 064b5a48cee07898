"""The parser reads flags as docker's own does (pflag), and its errors say what to type."""

import pytest

from course_magics.errors import OptionError
from course_magics.magics.container import MAGIC
from course_magics.magics.grammar import Call, Flag, Magic, Word, parse
from course_magics.magics.help import Help


def read(line: str, cell: str | None = None) -> Call:
    return parse(MAGIC, line.split(), cell)


@pytest.mark.parametrize(
    "line",
    [
        "run -d -p 80:80 i",
        "run -dp 80:80 i",
        "run -dp80:80 i",
        "run -dp=80:80 i",
        "run --detach --publish 80:80 i",
        "run --detach=true --publish=80:80 i",
    ],
)
def test_the_ways_to_write_a_flag(line: str) -> None:
    call = read(line)
    assert call.detach is True
    assert call.publish == ["80:80"]
    assert call.args == ["i"]


def test_a_switch_can_be_turned_off() -> None:
    assert read("run --rm=false i").rm is False


def test_after_the_image_nothing_is_a_flag() -> None:
    assert read("run i ls -l --rm").args == ["i", "ls", "-l", "--rm"]
    assert read("rm -f a -v").volumes is True


def test_two_dashes_end_the_flags() -> None:
    assert read("rm -- -f").args == ["-f"]


def test_lists_gather_and_single_values_take_the_last() -> None:
    call = read("run -e A=1 -e B=2 --name x --name y i")
    assert call.env == ["A=1", "B=2"]
    assert call.name == "y"


def test_sizes_and_times() -> None:
    call = read("run -m 64m --cpus 0.5 --health-interval 1m30s --pids-limit 9 i")
    assert (call.memory, call.cpus, call.health_interval, call.pids_limit) == (
        64 * 1024**2,
        0.5,
        90.0,
        9,
    )


def test_docker_s_own_short_flags_win_over_ours() -> None:
    assert read("run -h name i").hostname == "name"
    assert read("ps -h").flags["help"] is True


def test_the_line_for_a_terminal_leaves_our_flags_out() -> None:
    assert read("run -o x --no-raise --rm i echo").line == "docker run --rm i echo"


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ("rnu i", "unknown word 'rnu'", "did you mean %container run?"),
        ("run --nmae x i", "unknown flag --nmae", "did you mean --name?"),
        ("run -name x i", "unknown flag -name", "did you mean --name?"),
        ("run --det i", "unknown flag --det", "--detach"),
        ("run --name", "--name needs a value", None),
        ("run -m lots i", "-m takes a size such as 512m or 1g, not 'lots'", None),
        ("run --pull sometimes i", "one of always, missing, never", None),
        ("run --rm=maybe i", "true or false", None),
        ("run", "too few arguments", "usage: %container run IMAGE"),
        ("diff a b", "too many arguments: b", "usage"),
        ("container", "a word is missing", "allowed:"),
        ("", "a word is missing", "run"),
    ],
)
def test_errors_say_what_to_type(line: str, message: str, hint: str | None) -> None:
    with pytest.raises(OptionError) as caught:
        read(line)
    assert message in caught.value.message
    assert "\n" not in caught.value.message
    if hint:
        assert hint in (caught.value.hint or "")


def test_a_cell_body_only_where_one_is_read() -> None:
    assert read("run i", cell="echo").cell == "echo"
    with pytest.raises(OptionError, match="takes no cell body"):
        read("ps", cell="echo")


def test_every_word_has_help_and_a_handler() -> None:
    for word in MAGIC.words:
        text = str(Help(MAGIC, word))
        assert word.summary in text
        assert all(flag.long in text for flag in word.all_flags)
        assert word.handler is not None


def test_no_flag_of_a_word_is_declared_twice() -> None:
    for word in MAGIC.words:
        names = [n for flag in word.all_flags for n in flag.names.split()]
        assert len(names) == len(set(names)), word.name


def test_a_magic_without_words() -> None:
    magic = Magic("m", "m", (Word("", "all", "[X]", (Flag("--on", "on"),)),))
    assert parse(magic, ["--on", "a"]).args == ["a"]

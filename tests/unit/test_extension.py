"""Loading adds the magics and nothing heavy; unloading leaves IPython as it was."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from course_magics import settings
from course_magics.containers.build.build import use_buildkit
from course_magics.errors import OptionError
from course_magics.machines.program import chosen_provider
from course_magics.magics import MAGICS


def state(shell: InteractiveShell) -> Any:
    return (
        {kind: dict(table) for kind, table in shell.magics_manager.magics.items()},
        list(shell.input_transformers_cleanup),
        list(shell.configurables),
        list(shell.Completer.custom_matchers),
        set(shell.user_ns),
    )


def test_unloading_leaves_no_trace(ip: InteractiveShell) -> None:
    ip.run_line_magic("unload_ext", "course_magics")
    before = state(ip)
    for _ in range(2):
        ip.run_line_magic("load_ext", "course_magics")
        ip.run_line_magic("reload_ext", "course_magics")
        ip.run_line_magic("unload_ext", "course_magics")
    assert state(ip) == before


def test_a_magic_that_ours_hides_comes_back(ip: InteractiveShell) -> None:
    ip.run_line_magic("unload_ext", "course_magics")
    table = ip.magics_manager.magics["line"]
    table["doctor"] = theirs = lambda line: "theirs"
    ip.run_line_magic("load_ext", "course_magics")
    assert table["doctor"] is not theirs
    ip.run_line_magic("unload_ext", "course_magics")
    assert table.pop("doctor") is theirs


def test_loading_imports_nothing_heavy() -> None:
    code = (
        "from IPython.core.interactiveshell import InteractiveShell as S; import sys;"
        "S.instance().run_line_magic('load_ext', 'course_magics');"
        "heavy = {'docker', 'ipywidgets', 'requests', 'nbformat', 'pandas'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", sorted(MAGICS))
def test_every_magic_has_help(ip: InteractiveShell, name: str) -> None:
    text = str(ip.run_line_magic(name, "--help"))
    assert ("%container" if name == "docker" else f"%{name}") in text
    assert len(text.splitlines()) > 3


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("%container run?", "make a container from an image"),
        ("%container?", "WORD: as after `docker`"),
        ("%%dockerfile?", "build an image"),
        ("%vagrant snapshot save?", "snapshot"),
        ("%vagrant snapshot?", "go back to a snapshot"),
        ("%container image?", "list images"),
        ("%container help run", "make a container from an image"),
        ("%vagrant help snapshot save", "keep a machine's state"),
        ("%container stop?", "%container stop web"),
        ("%docker run?", "make a container from an image"),
    ],
)
def test_a_question_mark_shows_help(ip: InteractiveShell, cell: str, shown: str) -> None:
    assert shown in str(ip.run_cell(cell).result)


def test_a_question_mark_elsewhere_is_left_alone(ip: InteractiveShell) -> None:
    assert ip.run_cell("'%container run?'").result == "%container run?"


def test_an_empty_cell_fails_with_our_words(ip: InteractiveShell) -> None:
    """IPython's own UsageError for it would pass nbval."""
    for cell in ("%%dockerfile", "%%dockerfile\n", "%%dockerfile -t x\n\n"):
        assert isinstance(ip.run_cell(cell).error_in_exec, OptionError), cell


def test_settings_can_be_set_and_checked(ip: InteractiveShell, capsys) -> None:  # type: ignore[no-untyped-def]
    ip.run_cell("%config CourseMagics.live = False")
    assert settings.current().live is False
    ip.run_cell("%config CourseMagics.output_limit = 5")
    assert settings.current().output_limit == 1_000_000
    ip.run_line_magic("unload_ext", "course_magics")
    ip.run_line_magic("load_ext", "course_magics")
    assert "the defaults are used" in capsys.readouterr().out
    assert settings.current().live is True


@pytest.mark.parametrize(
    ("setting", "bad"),
    [
        ("builder", '"docker"'),
        ("completion_wait", "-1"),
        ("completion_wait", "'soon'"),
        ("patience", "0"),
        ("provider", "7"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused(
    ip: InteractiveShell, setting: str, bad: str
) -> None:
    before = getattr(settings.current(), setting)
    ip.run_cell(f"%config CourseMagics.{setting} = {bad}")
    assert getattr(settings.current(), setting) == before
    ip.config.pop("CourseMagics", None)


def test_settings_reach_what_they_are_for(
    ip: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COURSE_BUILDER", "buildkit")
    ip.run_cell('%config CourseMagics.builder = "classic"')
    assert use_buildkit() is False, "the setting counts before the environment"
    ip.run_cell('%config CourseMagics.builder = ""')
    assert use_buildkit() is True
    assert chosen_provider() == {}
    ip.run_cell('%config CourseMagics.provider = "libvirt"')
    assert chosen_provider() == {"VAGRANT_DEFAULT_PROVIDER": "libvirt"}


@pytest.mark.parametrize("old", ["engine_timeout", "service_wait"])
def test_an_old_name_of_a_setting_is_told_the_new_one(
    ip: InteractiveShell, here: Path, capsys: pytest.CaptureFixture[str], old: str
) -> None:
    before = settings.current().patience
    ip.run_cell(f"%config CourseMagics.{old} = 7")
    assert capsys.readouterr().out == f"CourseMagics.{old} is now CourseMagics.patience\n"
    ip.run_cell("%config CourseMagics.live = True")
    assert capsys.readouterr().out == "", "once"
    ip.run_line_magic("unload_ext", "course_magics")
    (here / "pyproject.toml").write_text(f"[tool.course_magics]\n{old} = 7\n")
    ip.run_line_magic("load_ext", "course_magics")
    said = capsys.readouterr().out
    assert f"[tool.course_magics] in pyproject.toml: {old} is now patience\n" in said
    assert settings.current().patience == before


def test_settings_from_pyproject(ip: InteractiveShell, here: Path, capsys) -> None:  # type: ignore[no-untyped-def]
    ip.run_line_magic("unload_ext", "course_magics")
    (here / "pyproject.toml").write_text(
        "[tool.course_magics]\nlive = false\nnonsense = 1\noutput_limit = 'x'\n"
    )
    ip.run_line_magic("load_ext", "course_magics")
    assert settings.current().live is False
    shown = capsys.readouterr().out
    assert "unknown 'nonsense'; allowed: " in shown
    assert "output_limit" in shown

"""A stranger's folder above the notebook decides nothing: neither the engine nor what runs."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import stat
import struct
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

from course_magics import settings, storage
from course_magics.course import undo
from course_magics.course.proof import Proof, _run
from course_magics.errors import LessonError, MachineError
from course_magics.experiments import machine
from course_magics.guest import box
from course_magics.lessons import find, overview
from course_magics.machines import hosts, program, vagrantfile

STRANGER = 65534
CHECK = "from pathlib import Path\n\n\ndef check(state):\n    Path('{}').touch()\n    yield None\n"
root_only = pytest.mark.skipif(os.getuid() != 0, reason="only root can be two users")


@pytest.fixture(autouse=True)
def not_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COURSE_LESSONS", raising=False)


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder as /tmp is: everybody may make things in it."""
    folder = Path(tempfile.mkdtemp(prefix="shared-", dir="/tmp"))
    folder.chmod(0o1777)
    yield folder
    shutil.rmtree(folder)


def by_a_stranger(script: str, folder: Path) -> None:
    """Run a shell script as another user of this computer."""
    subprocess.run(["sh", "-ec", script], cwd=folder, user=STRANGER, check=True)


def exercise(folder: Path, pwned: Path) -> str:
    """A script that makes an exercise whose check is a program of its author's."""
    lines = ["mkdir -p exercises/01-bait/hints quizzes"]
    for name in ("task.md", "solution.md", "other-way.md", "reset.md", "setup.md"):
        lines.append(f"echo '# x' > exercises/01-bait/{name}")
    lines.append(f"cat > exercises/01-bait/check.py <<'END'\n{CHECK.format(pwned)}END")
    lines.append("printf '```state\\n1\\n```\\nhint\\n' > exercises/01-bait/hints/a.md")
    return "\n".join(lines)


@root_only
def test_a_stranger_s_exercises_are_not_run(
    shared: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Made where everybody may write, above the reader's own folder."""
    by_a_stranger(exercise(shared, tmp_path / "pwned"), shared)
    mine = shared / "mine"
    mine.mkdir(mode=0o755)
    monkeypatch.chdir(mine)
    assert find.exercises() == []
    with pytest.raises(LessonError, match=f"{shared} can be written by other users") as caught:
        find.exercise("01-bait")
    assert f"%config CourseMagics.lessons = {str(shared)!r}" in str(caught.value)
    for shown in (overview.listed(), overview.overview()):
        assert f"the exercises and quizzes of {shared} are not used" in str(shown)
    assert not (tmp_path / "pwned").exists()
    # Named, they are the reader's own decision.
    monkeypatch.setenv("COURSE_LESSONS", str(shared))
    assert find.exercises() == ["01-bait"]


@root_only
def test_a_stranger_s_settings_are_not_used(
    shared: Path,
    monkeypatch: pytest.MonkeyPatch,
    ip: InteractiveShell,
    capsys: pytest.CaptureFixture[str],
) -> None:
    by_a_stranger(
        "printf '[tool.course_magics]\\nengine = \"tcp://10.9.9.9:2375\"\\n' > pyproject.toml",
        shared,
    )
    mine = shared / "mine"
    mine.mkdir(mode=0o755)
    monkeypatch.chdir(mine)
    assert settings._from_pyproject(mine) == {}
    ignored, remedy = capsys.readouterr().out.splitlines()
    assert "is not used" in ignored and f"{shared} can be written by other users" in ignored
    assert "CourseMagics.NAME = VALUE" in remedy
    # Another tool's file is nothing to wonder about, and a pipe is not waited for.
    by_a_stranger("echo '[tool.ruff]' > pyproject.toml; mkfifo pipe", shared)
    assert settings._from_pyproject(mine) == {}
    by_a_stranger("rm pyproject.toml; mv pipe pyproject.toml", shared)
    assert settings._from_pyproject(mine) == {}
    assert capsys.readouterr().out == ""
    # The counter-test: the same words, the reader's own.
    text = '[tool.course_magics]\nengine = "tcp://10.9.9.9:2375"\n'
    (mine / "pyproject.toml").write_text(text)
    assert settings._from_pyproject(mine) == {"engine": "tcp://10.9.9.9:2375"}


def test_a_file_that_others_may_write_is_told(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = here / "pyproject.toml"
    file.write_text('[tool.course_magics]\nengine = "x"\n')
    file.chmod(0o666)
    assert settings._from_pyproject(here) == {}
    assert "is not used: it can be written by other users" in capsys.readouterr().out


def test_own_exercises_are_found_upwards(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subprocess.run(["sh", "-ec", exercise(here, here / "pwned")], cwd=here, check=True)
    (here / "below/it").mkdir(parents=True)
    monkeypatch.chdir(here / "below/it")
    assert find.exercises() == ["01-bait"]
    (here / "exercises/01-bait/check.py").chmod(0o666)
    assert find.exercises() == []
    (here / "exercises/01-bait/check.py").chmod(0o644)
    (here / "exercises/01-bait/hints/a.md").chmod(0o666)
    assert find.exercises() == []
    assert "hints/a.md can be written by other users" in find.not_used()[0]


@root_only
def test_a_link_to_a_stranger_s_exercise_is_not_run(
    shared: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the reader's own, but what it leads to is not: a whole exercise, or a folder in one."""
    by_a_stranger(exercise(shared, here / "pwned"), shared)
    (here / "exercises").mkdir()
    (here / "exercises/01-bait").symlink_to(shared / "exercises/01-bait")
    assert find.exercises() == []
    assert f"{here}/exercises/01-bait belongs to another user" in find.not_used()[0]
    (here / "exercises/01-bait").unlink()
    subprocess.run(["sh", "-ec", exercise(here, here / "pwned")], cwd=here, check=True)
    assert find.exercises() == ["01-bait"]
    (here / "exercises/01-bait/more").mkdir()
    (here / "exercises/01-bait/more/round").symlink_to(here / "exercises")  # and it ends
    assert find.exercises() == ["01-bait"]
    (here / "exercises/01-bait/more/hints").symlink_to(here / "elsewhere")
    (here / "elsewhere").mkdir()
    assert find.exercises() == ["01-bait"]
    (here / "elsewhere/a.md").touch(0o666)
    (here / "elsewhere/a.md").chmod(0o666)
    assert "more/hints/a.md can be written by other users" in find.not_used()[0]


def test_a_link_into_a_folder_that_others_may_write_to_is_not_followed(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is there now may be the reader's own: somebody else can put another one in its place."""
    (here / "open/own").mkdir(parents=True)
    (here / "closed").mkdir()
    text = '[tool.course_magics]\nengine = "x"\n'
    for place in ("open", "open/own", "closed"):
        (here / place / "pyproject.toml").write_text(text)
        subprocess.run(["sh", "-ec", exercise(here, here)], cwd=here / place, check=True)
    (here / "open").chmod(0o777)
    for target, used in (("open", False), ("open/own", False), ("closed", True)):
        for name in ("pyproject.toml", "exercises"):
            (here / name).unlink(missing_ok=True)
            (here / name).symlink_to(here / target / name)
        assert settings._from_pyproject(here) == ({"engine": "x"} if used else {})
        assert find.exercises() == (["01-bait"] if used else [])
        why = f"lies in {here}/open, which can be written by other users"
        assert (why in capsys.readouterr().out) is not used
        assert (f"{here}/exercises {why}" in find.not_used()[0]) is not used
    # By way of a second link, of which the same holds.
    for name in ("pyproject.toml", "exercises"):
        (here / "open" / f"to-{name}").symlink_to(f"../closed/{name}")
        (here / name).unlink()
        (here / name).symlink_to(f"open/to-{name}")
    assert settings._from_pyproject(here) == {}
    assert find.exercises() == []


@root_only
def test_a_stranger_s_link_leads_nowhere(shared: Path) -> None:
    own = shared / "own"
    own.mkdir(mode=0o755)
    by_a_stranger("ln -s own theirs", shared)
    assert storage.trusted(own)
    assert storage.distrust(shared / "theirs") == (
        f"is reached by {shared}/theirs, which belongs to another user"
    )


def test_an_access_list_counts_as_well_as_the_mode(here: Path) -> None:
    """As `setfacl -m u:65534:rw` writes one; the group's bits say then what all in it may do."""
    everybody = 0xFFFFFFFF
    file = here / "check.py"
    file.touch(0o644)
    for rights, mode in ((4, 0o644), (6, 0o664)):
        entries = [
            *((0x01, 6, everybody), (0x02, rights, STRANGER), (0x04, 4, everybody)),
            *((0x10, rights, everybody), (0x20, 4, everybody)),
        ]
        packed = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *one) for one in entries)
        try:
            os.setxattr(file, "system.posix_acl_access", packed)
        except (OSError, AttributeError):
            pytest.skip("no access lists on this file system")
        assert stat.S_IMODE(file.stat().st_mode) == mode
        assert storage.trusted(file) is (rights == 4)


@pytest.mark.parametrize(
    "text",
    ["tool=1", "[[tool]]", "tool.course_magics=1", "[[tool.course_magics]]", "a=" + "[" * 9999],
    ids=range(5),
)
def test_another_kind_of_thing_in_the_place_of_the_table_is_no_setting(
    text: str, here: Path
) -> None:
    (here / "pyproject.toml").write_text(text)
    assert settings._from_pyproject(here) == {}


@root_only
def test_a_stranger_s_vagrantfile_is_no_program(
    shared: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fake_vagrant: Path
) -> None:
    """vagrant looks for one upwards, too; a fake one here tells that it was called."""
    by_a_stranger("echo '`touch /tmp/x`' > Vagrantfile", shared)
    mine = shared / "mine"
    mine.mkdir(mode=0o755)
    monkeypatch.chdir(mine)
    for call in (program.ask, program.stream):
        with pytest.raises(MachineError, match=f"the Vagrantfile in {shared} is not used"):
            call(mine, ["status"])
    assert not fake_vagrant.exists()
    # Where the reader is, or has named: that is the reader's own word.
    program.stream(shared, ["status"])
    assert fake_vagrant.read_text() == "status\n"
    # The reader's own, from below.
    (mine / "Vagrantfile").touch()
    (mine / "below").mkdir()
    program.stream(mine / "below", ["up"])
    assert fake_vagrant.read_text() == "status\nup\n"


#: Whatever calls vagrant, in a folder that is not there or has no Vagrantfile of its own.
CALLERS: dict[str, Callable[[Path], object]] = {
    "ask": lambda folder: program.ask(folder, ["status"]),
    "stream": lambda folder: program.stream(folder, ["up"]),
    "capture": lambda folder: program.capture(folder, ["destroy", "-f"]),
    "detached": lambda folder: program.detached(folder, ["destroy", "-f"], "true"),
    "validate": vagrantfile.validate,
    "a host's end": lambda folder: hosts._remove(folder.name),
    "a measurement's machine": lambda folder: bare(folder)._vagrant("up"),
    "a measurement's end": machine._remove_later,
    "a run's end": undo._destroy,
}


def bare(folder: Path) -> machine.Machine:
    made = machine.Machine.__new__(machine.Machine)
    made.folder = folder
    return made


@root_only
@pytest.mark.parametrize("name", CALLERS)
def test_no_call_of_vagrant_takes_a_stranger_s_vagrantfile(
    shared: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fake_vagrant: Path, name: str
) -> None:
    by_a_stranger("echo '`touch /tmp/x`' > Vagrantfile", shared)
    mine = shared / "mine"
    (mine / ".vagrant").mkdir(parents=True, mode=0o755)
    monkeypatch.setenv("VAGRANT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COURSE_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(hosts, "folder_of_all", lambda: shared)
    monkeypatch.setattr(hosts, "hide_from_ssh", lambda: None)
    with contextlib.suppress(MachineError):
        CALLERS[name](mine)
    time.sleep(0.3 if "end" in name or name == "detached" else 0)
    assert not fake_vagrant.exists()


def test_every_call_of_vagrant_goes_through_one_door() -> None:
    """What starts programs beside it names vagrant only to ask for its version or add a box."""
    starts = re.compile(
        r"(?:Popen|process\.(?:run|capture)|subprocess\.run|\brun)\(\s*\[([^\]]*)\]?"
    )
    found = set()
    for file in Path(program.__file__).parents[1].rglob("*.py"):
        for match in starts.finditer(file.read_text("utf-8")):
            if "program.find()" in match[1] or '"vagrant"' in match[1]:
                found.add((file.name, match[1].split(",")[1].strip()))
    assert found == {("vagrant.py", '"--version"'), ("box.py", '"box"')}


def test_a_box_is_added_where_vagrant_finds_a_vagrantfile_of_ours(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cache may lie below a folder of everybody's; `box add` reads a Vagrantfile as any word."""
    seen = []

    def added(words: list[object], *, env: dict[str, str], cwd: Path) -> None:
        file = cwd / env["VAGRANT_VAGRANTFILE"]
        seen.append((Path(env["VAGRANT_CWD"]) == cwd, file.read_text()))

    for name, value in {
        "need": lambda name: name, "build_guest": lambda say: None, "guest_folder": lambda: here,
        "installed_box": lambda: None, "pack_box": lambda *_: None, "run": added,
    }.items():  # fmt: skip
        monkeypatch.setattr(box, name, value)
    with pytest.raises(MachineError, match="not to be found"):
        box.ensure_box(lambda words: None)
    assert seen == [(True, "")]


def test_a_machine_of_ours_is_meant_also_where_another_folder_is_chosen(
    here: Path, monkeypatch: pytest.MonkeyPatch, fake_vagrant: Path
) -> None:
    fake = Path(str(shutil.which("vagrant")))
    fake.write_text(f'#!/bin/sh\necho "$VAGRANT_CWD $*" >> {fake_vagrant}\n')
    monkeypatch.setenv("VAGRANT_CWD", "/somewhere")
    (here / "Vagrantfile").touch()
    program.capture(here, ["destroy", "-f"])
    assert fake_vagrant.read_text() == f"{here.resolve()} destroy -f\n"


@pytest.fixture
def fake_vagrant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `vagrant` that writes down what it was asked; the file it does that in."""
    asked = tmp_path / "asked"
    program = tmp_path / "bin/vagrant"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" >> {asked}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return asked


@root_only
def test_a_stranger_s_conftest_is_not_run(shared: Path, tmp_path: Path) -> None:
    """pytest, which proves a notebook, reads those of the folders above it unless it is told."""
    by_a_stranger("echo \"open('pwned-by-conftest', 'w')\" > conftest.py", shared)
    mine = shared / "mine"
    mine.mkdir(mode=0o755)
    cell = {"cell_type": "code", "id": "a", "metadata": {}, "source": "1", "outputs": []}
    kernel = {"kernelspec": {"name": "python3", "display_name": "x"}}
    book = {"cells": [{**cell, "execution_count": None}], "metadata": kernel}
    file = mine / "-x.ipynb"  # a name, and no option of pytest's
    file.write_text(json.dumps({**book, "nbformat": 4, "nbformat_minor": 5}))
    proof = Proof(file.name)
    _run(file, proof)
    assert (proof.run, proof.cells) == ([], 1)
    assert not (mine / "pwned-by-conftest").exists()


@root_only
def test_a_group_counts_as_long_as_nobody_else_is_in_it(tmp_path: Path) -> None:
    """A pod's volumes belong to a group that may write, and has no other member."""
    folder = tmp_path / "volume"
    folder.mkdir()
    os.chown(folder, 0, 4242)
    folder.chmod(0o2770)
    assert storage.trusted(folder)
    os.chown(folder, 0, STRANGER)  # nogroup, which is nobody's own group
    folder.chmod(0o2770)
    assert stat.S_IMODE(folder.stat().st_mode) & 0o020
    assert not storage.trusted(folder)


@root_only
def test_a_group_counts_not_where_users_cannot_be_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fake: the users come from a directory server, which knows them by number only."""
    import pwd

    everybody = [one for one in pwd.getpwall() if one.pw_name != "root"]
    storage._only_mine.cache_clear()
    with monkeypatch.context() as fake:
        fake.setattr(pwd, "getpwall", lambda: everybody)
        assert not storage._only_mine(4242, frozenset({0}))
    storage._only_mine.cache_clear()
    assert storage._only_mine(4242, frozenset({0}))

"""The user's own ~/.ssh/config and docker's config.json: changed, never lost."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from course_magics import storage
from course_magics.containers import login
from course_magics.containers.compose import project
from course_magics.engine import contexts
from course_magics.errors import CourseError, OptionError
from course_magics.lessons import progress
from course_magics.machines import hosts

LINES = "Host mine\n  Port 22\n"
BEGIN, END = "# >>> course_magics: hosts >>>", "# <<< course_magics: hosts <<<"


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSE_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    monkeypatch.delenv("DOCKER_HOST", raising=False)


# --- ~/.ssh/config --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        f"{BEGIN}\n{LINES}",
        f'{BEGIN}\n{LINES}{BEGIN}\nInclude "/x/*"\n{END}\n',
        f'{BEGIN}\nInclude "/x/*"\n{LINES}{END}\n',
        f"{LINES}{END}\n",
    ],
)
@pytest.mark.parametrize("gone", [False, True])
def test_lines_between_what_is_left_of_ours_stay(tmp_path: Path, text: str, gone: bool) -> None:
    file = tmp_path / "config"
    file.write_text(text)
    with pytest.raises(CourseError, match="so it is not changed") as caught:
        hosts.show_to_ssh(gone=gone, file=file)
    assert BEGIN in (caught.value.hint or "")
    assert file.read_text() == text


def test_bytes_of_any_encoding_stay(tmp_path: Path) -> None:
    file = tmp_path / "config"
    text = "# Käse\r\nHost mine\r\n".encode("latin-1")
    file.write_bytes(text)
    hosts.show_to_ssh(file=file)
    assert file.read_bytes().endswith(text)
    hosts.show_to_ssh(gone=True, file=file)
    assert file.read_bytes() == text


def test_a_link_stays_one_also_when_nothing_else_is_in_it(tmp_path: Path) -> None:
    real, file = tmp_path / "dotfiles", tmp_path / "config"
    real.touch()
    file.symlink_to(real)
    hosts.show_to_ssh(file=file)
    assert "Include" in real.read_text()
    hosts.show_to_ssh(gone=True, file=file)
    assert file.is_symlink()
    assert real.read_text() == ""


def test_what_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    with pytest.raises(CourseError, match="cannot be read or changed"):
        hosts.show_to_ssh(file=tmp_path / "config")


def test_a_full_disk_leaves_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "config"
    file.write_text(LINES)

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)  # a full disk, which cannot be had on demand here
    with pytest.raises(CourseError, match="cannot be read or changed"):
        hosts.show_to_ssh(file=file)
    assert file.read_text() == LINES
    assert sorted(p.name for p in tmp_path.iterdir()) == ["config", "state"]


def test_several_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    """Contexts and logins of eight processes, all in one config.json."""
    config = tmp_path / "docker" / "config.json"
    config.parent.mkdir()
    config.write_text(json.dumps({"keep": "this", "auths": {}}))
    program = (
        "import sys\nfrom course_magics.containers.login import Secret, _store\n"
        "for n in range(5): _store(f'{sys.argv[1]}.{n}:5000', 'ann', Secret('x'), '', '')\n"
    )
    env = {**os.environ, "PYTHONPATH": str(Path(hosts.__file__).parents[2])}
    running = [subprocess.Popen([sys.executable, "-c", program, str(n)], env=env) for n in range(8)]
    assert [p.wait() for p in running] == [0] * 8
    found = json.loads(config.read_text())
    assert found["keep"] == "this"
    assert set(found["auths"]) == {f"{n}.{m}:5000" for n in range(8) for m in range(5)}
    assert sorted(p.name for p in config.parent.iterdir()) == ["config.json"], "nothing beside it"


# --- docker's config.json -------------------------------------------------------------------------


def change_all() -> list[CourseError]:
    """All that changes config.json; the errors."""
    errors = []
    for change in (
        lambda: login._store("127.0.0.1:5000", "ann", login.Secret("x"), "", "docker login"),
        lambda: login.logout("127.0.0.1:5000", "docker logout"),
        lambda: contexts.set_current("far"),
    ):
        try:
            change()
        except CourseError as error:
            errors.append(error)
    return errors


@pytest.mark.parametrize("text", ['{"auths": {"a": ', "[]", "[1]", '"x"', "null", "\xff\xfe"])
def test_a_config_that_is_not_whole_is_refused_and_stays(tmp_path: Path, text: str) -> None:
    contexts.save(contexts.meta("far", "tcp://127.0.0.1:1"))
    config = tmp_path / "docker" / "config.json"
    config.write_bytes(text.encode("latin-1"))
    errors = change_all()
    assert len(errors) == 3
    for error in errors:
        assert "cannot be read, so it is not changed" in error.message
    assert config.read_bytes() == text.encode("latin-1")


def test_logins_in_a_form_that_we_do_not_know_stay(tmp_path: Path) -> None:
    contexts.save(contexts.meta("far", "tcp://127.0.0.1:1"))
    config = tmp_path / "docker" / "config.json"
    config.write_text('{"auths": ["x"]}')
    errors = change_all()
    assert ['"auths" in docker' in e.message for e in errors] == [True, True]
    assert json.loads(config.read_text()) == {"auths": ["x"], "currentContext": "far"}


@pytest.mark.parametrize("text", [None, "", "{}", '{"auths": null}'])
def test_an_empty_config_is_one(tmp_path: Path, text: str | None) -> None:
    contexts.save(contexts.meta("far", "tcp://127.0.0.1:1"))
    config = tmp_path / "docker" / "config.json"
    if text is not None:
        config.write_text(text)
    login.logout("127.0.0.1:5000", "docker logout")
    assert (config.read_text() if config.exists() else None) == text, "nothing to change"
    assert change_all() == []
    assert json.loads(config.read_text()) == {"auths": {}, "currentContext": "far"}
    assert stat.S_IMODE(config.stat().st_mode) == 0o600


def test_a_linked_config_stays_linked(tmp_path: Path) -> None:
    contexts.save(contexts.meta("far", "tcp://127.0.0.1:1"))
    real = tmp_path / "dotfiles.json"
    real.write_text('{"keep": 1}')
    (tmp_path / "docker/config.json").symlink_to(real)
    assert change_all() == []
    assert (tmp_path / "docker/config.json").is_symlink()
    assert json.loads(real.read_text())["keep"] == 1


def test_a_key_that_is_replaced_is_never_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    about = contexts.meta("far", "tcp://127.0.0.1:1")
    old = {"ca.pem": b"ca", "cert.pem": b"cert", "key.pem": b"key"}
    contexts.save(about, old)

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)  # a full disk, which cannot be had on demand here
        with pytest.raises(CourseError, match="cannot be written to"):
            contexts.save(about, {"ca.pem": b"new"})
    assert contexts.tls_content("far") == old
    contexts.save(about, {"ca.pem": b"new"})
    assert contexts.tls_content("far") == {"ca.pem": b"new"}


# --- names of hosts -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["github.com", "a.b", "localhost", pytest.param(socket.gethostname(), id="own-name")]
)
def test_a_name_of_a_real_computer_is_refused(name: str, tmp_path: Path) -> None:
    if name == socket.gethostname():
        try:
            socket.getaddrinfo(name, None)
        except OSError:
            pytest.skip("this computer does not know its own name")
    with pytest.raises(OptionError):
        hosts.free_for_ssh(name)


def ssh_of(monkeypatch: pytest.MonkeyPatch, folder: Path, config: str) -> None:
    """The real ssh, with another configuration than that of whoever runs the tests."""
    (folder / "config").write_text(config)
    program = folder / "bin" / "ssh"
    program.parent.mkdir()
    real = shutil.which("ssh")
    program.write_text(f'#!/bin/sh\nexec {real} -F "{folder}/config" "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")


@pytest.mark.parametrize(
    "config", ["Host web1x\n  Port 2222\n", "Host web*\n  User ann\n", "Host web1x\n  HostName b\n"]
)
def test_a_name_that_ssh_s_configuration_has_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: str
) -> None:
    ssh_of(monkeypatch, tmp_path, config)
    with pytest.raises(OptionError, match="ssh knows a computer called web1x already"):
        hosts.free_for_ssh("web1x")


@pytest.mark.parametrize("name", ["web1x", "root", "no"])
def test_what_counts_for_all_names_refuses_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    config = "Host *\n  User ann\n  ControlPath ~/.ssh/%C\n  ProxyCommand nc %h %p\n"
    ssh_of(monkeypatch, tmp_path, f"{config}  UserKnownHostsFile ~/.ssh/%h\n")
    hosts.free_for_ssh(name)


# --- progress -------------------------------------------------------------------------------------


def test_progress_is_kept_where_there_are_no_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COURSE_PROGRESS", str(tmp_path / "nfs/progress.json"))
    real = fcntl.flock
    local = []

    def flock(file: object, how: int) -> None:
        if str(tmp_path) in str(getattr(file, "name", "")):
            raise OSError(errno.ENOLCK, "No locks available")
        local.append(how)
        real(file, how)  # type: ignore[arg-type]

    monkeypatch.setattr(fcntl, "flock", flock)  # such a mount cannot be had here
    assert progress.change(lambda book: book.exercise("a")) == ""
    assert local, "a lock on this computer's own disk takes its place"
    assert set(progress.load()[0].exercises) == {"a"}


# --- cells of compose -----------------------------------------------------------------------------


def test_a_full_disk_leaves_the_kept_cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = project.from_cell("services: {old: {image: x}}", name="shop", folder=None)
    old.keep()

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)  # a full disk, which cannot be had on demand here
    new = project.from_cell("services: {new: {image: x}}", name="shop", folder=None)
    with pytest.raises(OSError, match="No space left"):
        new.keep()
    assert "old" in (project.find(name="shop", folder=None).cell or "")
    assert [stat.S_IMODE(f.stat().st_mode) for f in old.files] == [0o600, 0o600]


def test_a_file_that_the_user_names_has_his_usual_mode(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        storage.write_named(tmp_path / "new", "text")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o644
    os.mkfifo(tmp_path / "pipe")
    with subprocess.Popen(["cat", str(tmp_path / "pipe")], stdout=subprocess.PIPE) as reader:
        storage.write_named(tmp_path / "pipe", "text")
        assert reader.communicate()[0] == b"text"


# --- docker's config.json, in which somebody has put other things ------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        '{"credsStore": 5}',
        '{"auths": {"h:1": {"auth": "!!"}}}',
        '{"auths": []}',
        "[" * 100_000,
    ],
)
def test_a_login_in_an_odd_file_is_none(tmp_path: Path, text: str) -> None:
    file = tmp_path / "docker/config.json"
    file.parent.mkdir()
    file.write_text(text)
    assert login.stored("h:1") is None
    assert file.read_text() == text


@pytest.mark.parametrize("text", ['{"credHelpers": [1]}', '{"credHelpers": "x"}', '{"auths": []}'])
def test_an_odd_file_is_not_changed(tmp_path: Path, text: str) -> None:
    file = tmp_path / "docker/config.json"
    file.parent.mkdir()
    file.write_text(text)
    with pytest.raises(CourseError, match="is no JSON object"):
        login._store("h:1", "me", login.Secret("pw"), "", "docker login")
    assert file.read_text() == text

"""The class's registry beside other things, found again, and closed to those without the password.

The registry is the real program; its clients are plain HTTP, so no engine is needed.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from course_magics import labels, patience
from course_magics.cli import main
from course_magics.containers.login import Secret
from course_magics.errors import OptionError, RegistryError
from course_magics.guest.launch import free_port
from course_magics.registry import server
from course_magics.registry.contents import Client
from course_magics.registry.place import Place

pytestmark = pytest.mark.skipif(
    shutil.which(server.PROGRAM) is None, reason=f"{server.PROGRAM} is not installed"
)
BLOB = b"a layer"
DIGEST = f"sha256:{hashlib.sha256(BLOB).hexdigest()}"


def quiet(line: str) -> None: ...


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of the reader's own, with things in it that are called as ours are."""
    monkeypatch.setenv("COURSE_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    home = tmp_path / "home"
    (home / "data/docker").mkdir(parents=True)
    for name in ("config.yml", "password", "htpasswd", "registry.log", "data/docker/thesis"):
        (home / name).write_text("mine")
    home.chmod(0o755)
    yield home
    server.stop(Place(home), remove=True)


def tree(folder: Path) -> dict[str, tuple[int, str]]:
    """Each file and folder: mode and content."""
    return {
        str(p.relative_to(folder)): (p.stat().st_mode, p.read_text() if p.is_file() else "")
        for p in sorted(folder.rglob("*"))
    }


def token(address: str, scope: str, login: tuple[str, str] | None = None) -> requests.Response:
    """Asked as docker asks: where the registry says."""
    challenge = requests.get(f"http://{address}/v2/").headers["WWW-Authenticate"]
    assert challenge.startswith("Bearer "), challenge
    asked = dict(part.split("=", 1) for part in challenge[7:].replace('"', "").split(","))
    wanted = {"service": asked["service"], "scope": scope}
    return requests.get(asked["realm"], params=wanted, auth=login)


def push(address: str, headers: dict[str, str]) -> int:
    """Push one layer; returns the status of what refused it, or 201."""
    begun = requests.post(f"http://{address}/v2/x/blobs/uploads/", headers=headers)
    if begun.status_code != 202:
        return begun.status_code
    where = begun.headers["Location"]
    done = requests.put(
        f"{where}&digest={DIGEST}", data=BLOB,
        headers={**headers, "Content-Type": "application/octet-stream"},
    )  # fmt: skip
    return done.status_code


def bearer(address: str, scope: str, login: tuple[str, str] | None = None) -> dict[str, str]:
    return {"Authorization": f"Bearer {token(address, scope, login).json()['token']}"}


# --- the folder -----------------------------------------------------------------------------------


def test_a_folder_full_of_other_things_stays_as_it_is(folder: Path) -> None:
    before, mode = tree(folder), stat.S_IMODE(folder.stat().st_mode)
    port = str(free_port())
    assert main(["registry", "start", "--folder", str(folder), "--port", port]) == 0
    assert stat.S_IMODE((folder / "course-registry").stat().st_mode) == 0o700
    assert main(["registry", "stop", "--remove", "--folder", str(folder)]) == 0
    assert tree(folder) == before
    assert stat.S_IMODE(folder.stat().st_mode) == mode


def test_nothing_is_removed_where_there_is_no_registry(folder: Path) -> None:
    before = tree(folder)
    assert main(["registry", "stop", "--remove", "--folder", str(folder)]) == 0
    assert tree(folder) == before


def test_a_folder_of_our_name_without_the_marker_is_refused(folder: Path) -> None:
    (folder / "course-registry/data").mkdir(parents=True)
    (folder / "course-registry/config.yml").write_text("mine")
    before = tree(folder)
    with pytest.raises(RegistryError, match="was not made by course-magics"):
        server.start(Place(folder), port=free_port(), say=quiet)
    server.stop(Place(folder), remove=True)
    assert tree(folder) == before


def test_what_is_put_into_ours_stays(folder: Path) -> None:
    place = Place(folder)
    facts, _ = server.start(place, port=free_port(), open=True, say=quiet)
    assert push(facts.address, {}) == 201
    (place.folder / "notes").write_text("mine")
    (place.data / "notes").write_text("mine")
    server.stop(place, remove=True)
    assert {p.name for p in place.folder.rglob("*") if p.is_file()} == {
        ".made-by-course-magics",
        "notes",
    }
    server.start(place, port=facts.port, open=True, say=quiet)  # still known as ours


def of_0_1_0(folder: Path, port: int = 5000, **more: Any) -> dict[str, Any]:
    """The configuration that version 0.1.0 wrote, straight into the folder."""
    return {
        "version": "0.1",
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {
            "filesystem": {"rootdirectory": str(folder / "data")},
            "delete": {"enabled": True},
            "cache": {"blobdescriptor": "inmemory"},
        },
        "http": {"addr": f"127.0.0.1:{port}", "secret": "0123456789abcdef" * 2},
        **more,
    }


@pytest.mark.parametrize(
    "odd",
    [
        {"log": {"level": "warn"}},
        {"storage": {"filesystem": {"rootdirectory": "ROOT"}}},
        {"http": {"addr": ":5000", "secret": "0123456789abcdef" * 2}},
        {"http": {"addr": "127.0.0.1:5000", "secret": "x"}},
        {"http": {"addr": "127.0.0.1:5000"}},
        {"http": 5},
        {"auth": {"htpasswd": {"realm": "mine", "path": "htpasswd"}}},
        {"auth": {"token": {"realm": "https://example.org"}}},
        {"proxy": {"remoteurl": "https://example.org", "username": "me"}},
        {"health": {}},
    ],
    ids=range(10),
)
def test_a_registry_that_somebody_has_set_up_by_hand_is_not_ours(
    folder: Path, odd: dict[str, Any]
) -> None:
    """JSON is YAML as well, and `data` is a usual name."""
    text = json.dumps(of_0_1_0(folder, **odd)).replace("ROOT", str(folder / "data"))
    (folder / "config.yml").write_text(text)
    (folder / "data/docker/registry").mkdir()
    (folder / "data/docker/registry/layer").write_text("mine")
    before = tree(folder)
    assert main(["registry", "stop", "--remove", "--folder", str(folder)]) == 0
    assert tree(folder) == before


@pytest.mark.parametrize("more", ["", "auth", "proxy"])
def test_one_of_0_1_0_is(folder: Path, more: str) -> None:
    path = str(folder / "htpasswd")
    kinds: dict[str, Any] = {
        "auth": {"htpasswd": {"realm": "course", "path": path}},
        "proxy": {"remoteurl": "https://registry-1.docker.io"},
    }
    config = of_0_1_0(folder, **({more: kinds[more]} if more else {}))
    (folder / "config.yml").write_text(json.dumps(config, indent=2))
    assert Place(folder).folder == folder


def test_a_registry_of_an_earlier_version_is_opened_with_all_it_has(tmp_path: Path) -> None:
    """Files as version 0.1.0 laid them, straight into the folder, by the real program."""
    old = tmp_path / "old"
    old.mkdir(mode=0o700)
    port = free_port()
    address = f"127.0.0.1:{port}"
    (old / "config.yml").write_text(json.dumps(of_0_1_0(old, port), indent=2))
    (old / "password").write_text("old-password\n")
    (old / "htpasswd").write_text("student:$2b$06$x\n")
    (old / "notes").write_text("mine")
    program = subprocess.Popen([server.PROGRAM, "serve", str(old / "config.yml")], stderr=-3)
    try:
        assert patience.until(lambda: _answers(address))
        assert push(address, {}) == 201
    finally:
        program.terminate()
        program.wait()
    place = Place(old)
    _, made = server.start(place, port=port, say=quiet)
    try:
        assert place.folder == old
        pull = bearer(address, "repository:x:pull")
        assert requests.get(f"http://{address}/v2/x/blobs/{DIGEST}", headers=pull).content == BLOB
        assert made is not None
        assert made.reveal() == "old-password"
        assert token(address, "", ("student", "old-password")).ok
    finally:
        server.stop(place)
    assert Place(old).folder == old, "with the configuration of this version"
    server.stop(Place(old), remove=True)
    assert [p.name for p in old.iterdir()] == ["notes"]


def _answers(address: str) -> bool:
    try:
        return requests.get(f"http://{address}/v2/").ok
    except requests.exceptions.ConnectionError:
        return False


def test_a_cut_off_file_is_no_registry_that_does_not_run(folder: Path) -> None:
    place = Place(folder)
    facts, _ = server.start(place, port=free_port(), open=True, say=quiet)
    known = place.folder / "registry.json"
    whole = known.read_text()
    known.write_text(whole[:20])
    try:
        for word in (server.stop, lambda p: server.start(p, port=free_port(), say=quiet)):
            with pytest.raises(RegistryError, match=r"registry\.json cannot be read"):
                word(Place(folder))
        assert labels.started(facts.pid) == facts.began
    finally:
        known.write_text(whole)


# --- who may what ---------------------------------------------------------------------------------


def test_anybody_pulls_one_pushes_nobody_deletes(folder: Path) -> None:
    place = Place(folder)
    facts, made = server.start(place, port=free_port(), say=quiet)
    assert made is not None
    login = ("student", made.reveal())
    everything = "repository:x:pull,push,delete,*"
    blob = f"http://{facts.address}/v2/x/blobs/{DIGEST}"

    assert push(facts.address, {}) == 401
    assert push(facts.address, bearer(facts.address, everything)) == 401
    for wrong in (("student", "guess"), ("student", ""), ("root", made.reveal())):
        assert token(facts.address, everything, wrong).status_code == 401, wrong
    mine = bearer(facts.address, everything, login)
    assert push(facts.address, mine) == 201
    # One repository's token is none for another one, and is read, not believed.
    begun = requests.post(f"http://{facts.address}/v2/y/blobs/uploads/", headers=mine)
    assert begun.status_code == 401
    head, claims, signed = mine["Authorization"][7:].split(".")
    forged = {"Authorization": f"Bearer {head}.{claims}.{signed[:-8]}AAAAAAAA"}
    assert push(facts.address, forged) == 401

    assert requests.get(blob, headers=bearer(facts.address, everything)).content == BLOB
    assert Client(facts.address).repositories() == ["x"]
    for headers in ({}, mine, bearer(facts.address, everything)):
        assert requests.delete(blob, headers=headers).status_code in (401, 405)
    assert requests.get(blob, headers=mine).content == BLOB


def test_open_takes_pushes_of_all_and_still_deletes_nothing(folder: Path) -> None:
    facts, made = server.start(Place(folder), port=free_port(), open=True, say=quiet)
    assert made is None
    assert push(facts.address, {}) == 201
    assert requests.delete(f"http://{facts.address}/v2/x/blobs/{DIGEST}").status_code == 405
    with pytest.raises(OptionError):
        server.start(Place(folder), open=True, password=Secret("x"), say=quiet)


def test_the_password_is_shown_once_kept_for_the_user_alone_and_stays(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start = ["registry", "start", "--folder", str(folder), "--port", str(free_port())]
    place = Place(folder)
    assert main(start) == 0
    password = place.password.read_text().strip()
    assert f"the password: {password} " in capsys.readouterr().out
    for file in (place.password, place.users, place.key, place.config):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    if os.getuid() == 0:  # a stranger
        told = subprocess.run(["cat", str(place.password)], capture_output=True, user=65534)
        assert (told.returncode, told.stdout) == (1, b"")
    server.stop(place)
    assert main(start) == 0
    assert password not in capsys.readouterr().out
    facts = place.facts()
    assert facts is not None
    assert token(facts.address, "", ("student", password)).ok
    server.stop(place)
    assert main([*start, "--new-password"]) == 0
    assert place.password.read_text().strip() != password
    server.stop(place)
    place.users.write_text('{"user": "stu')
    assert main(start) == 1
    assert "--new-password makes a new password" in capsys.readouterr().err
    assert place.users.read_text() == '{"user": "stu'


def test_nothing_runs_on_when_the_registry_was_killed(folder: Path) -> None:
    place = Place(folder)
    facts, _ = server.start(place, port=free_port(), say=quiet)
    os.kill(facts.pid, signal.SIGKILL)
    os.waitpid(facts.pid, 0)
    # The other one looks by itself; it is a child of this process here, and to be waited for.
    assert patience.until(lambda: os.waitpid(facts.token_pid, os.WNOHANG)[0] == facts.token_pid)
    again, _ = server.start(place, port=facts.port, say=quiet)
    server.stop(place)
    assert not labels.started(again.pid)
    assert not labels.started(again.token_pid)


def test_a_start_that_fails_leaves_nothing_running(folder: Path) -> None:
    place = Place(folder)
    place.make()
    place.data.write_text("a file where the folder should be")
    with pytest.raises(RegistryError, match="ended at once"):
        # The program looks at the mirror's host when it starts; this one cannot be reached.
        server.start(place, port=free_port(), mirror="http://127.0.0.1:1", say=quiet)
    assert place.facts() is None
    with pytest.raises(OptionError, match="needs no password"):
        server.start(place, mirror="http://127.0.0.1:1", new_password=True, say=quiet)
    assert place.data.read_text() == "a file where the folder should be"
    place.data.unlink()


def test_of_several_starts_at_once_one_wins(folder: Path) -> None:
    program = "import sys; from course_magics.cli import main; sys.exit(main(sys.argv[1:]))"
    words = [sys.executable, "-c", program, "registry", "start", "--folder", str(folder)]
    starts = [
        subprocess.Popen([*words, "--port", str(free_port())], stdout=-1, stderr=-1, text=True)
        for _ in range(3)
    ]
    ended = [(one.communicate()[1], one.returncode) for one in starts]
    assert sorted(code for _, code in ended) == [0, 1, 1], ended
    assert all("the registry runs already" in said for said, code in ended if code)
    facts = Place(folder).running()
    assert facts is not None
    server.stop(Place(folder))
    assert not labels.started(facts.pid)
    assert not labels.started(facts.token_pid)


def test_a_start_repairs_one_that_checks_no_passwords_any_more(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = Place(folder)
    facts, made = server.start(place, port=free_port(), say=quiet)
    assert made is not None
    os.kill(facts.token_pid, signal.SIGKILL)
    os.waitpid(facts.token_pid, 0)
    assert main(["registry", "status", "--folder", str(folder)]) == 0
    assert "what checks the password has ended" in capsys.readouterr().out
    again, _ = server.start(place, port=facts.port, say=quiet)
    assert labels.started(facts.pid) != facts.began
    assert token(again.address, "", ("student", made.reveal())).ok


def test_a_folder_that_cannot_be_looked_at_is_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fake for another user's folder: root, who may run the tests, may look at all."""

    def refused(path: Path) -> bool:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    place = Place(folder)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "is_file", refused)
        with pytest.raises(RegistryError, match="cannot be looked at"):
            place.facts()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--user", ""], "--user takes a name without a colon"),
        (["--user", "a:b"], "--user takes a name without a colon"),
        (["--mirror", "http://["], "--mirror takes a registry's URL"),
        (["--folder", "~nobody-of-that-name/x"], "a user that there is not"),
        (["--password-file", sys.executable], "no text in UTF-8"),
    ],
)
def test_a_wrong_argument_is_one_line(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["registry", "start", *words]) == 1
    assert said in capsys.readouterr().err

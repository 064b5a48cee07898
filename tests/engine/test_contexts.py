"""Contexts: ours and the docker client's are the same ones, in a docker folder of the test's own."""

import json
import os
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from course_magics import engine
from course_magics.engine import contexts
from course_magics.errors import CourseError, EngineError, OptionError

from .certificates import authority, issue
from .conftest import Cell

pytestmark = pytest.mark.engine
Fails = Callable[[str], BaseException]


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files for TLS."""
    folder = tmp_path_factory.mktemp("pem")
    return issue(authority(folder / "ca"), folder / "client")


@pytest.fixture(autouse=True)
def config(here: Path, pem: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Docker's folder; not there yet. The files for TLS lie in the working directory."""
    monkeypatch.setenv("DOCKER_CONFIG", str(here / "docker"))
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "COURSE_ENGINE"):
        monkeypatch.delenv(name, raising=False)
    for file in pem.iterdir():
        (here / file.name).write_bytes(file.read_bytes())
    yield here / "docker"
    monkeypatch.undo()
    engine.forget(chosen=True)


def docker(*words: str) -> str:
    """What docker says. Its errors show in the test's."""
    done = subprocess.run(["docker", *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.rstrip("\n")


_TLS = "host=tcp://127.0.0.1:2376,ca=ca.pem,cert=cert.pem,key=key.pem"


def test_docker_knows_what_we_made(cell: Cell, config: Path) -> None:
    cell(f"%container context create lab --description 'the lab' --docker {_TLS}")
    cell("%container context create far --docker host=ssh://me@far.example.org:2222")
    assert docker("context", "ls", "-q").split() == ["default", "far", "lab"]
    ours = cell("%container context inspect lab far").result
    assert ours.data == json.loads(docker("context", "inspect", "lab", "far"))
    assert ours[0]["TLSMaterial"] == {"docker": ["ca.pem", "cert.pem", "key.pem"]}
    key = next(config.glob("contexts/tls/*/docker/key.pem"))
    assert key.read_bytes() == Path("key.pem").read_bytes()
    assert key.stat().st_mode & 0o777 == 0o600
    assert key.parent.stat().st_mode & 0o077 == 0


def test_we_know_what_docker_made(cell: Cell) -> None:
    docker("context", "create", "lab", "--description", "the lab", "--docker", _TLS)
    docker("context", "create", "open", "--docker", "host=tcp://a:1,skip-tls-verify=true")
    for template in ("{{.Name}} {{.Description}}", "{{.DockerEndpoint}} {{.Current}}"):
        ours = cell(f"%container context ls --format '{template}'").result.text
        assert ours == docker("context", "ls", "--format", template)
    assert cell("%container context ls -q").result.text == docker("context", "ls", "-q")
    found = contexts.load("lab").tls
    assert found is not None and found.verify and found.file("key") is not None
    loose = contexts.load("open").tls
    assert loose is not None and not loose.verify
    assert cell("%container context inspect").result.data == json.loads(
        docker("context", "inspect")
    )


def test_one_choice_for_both(cell: Cell, config: Path) -> None:
    config.mkdir()
    (config / "config.json").write_text('{"psFormat": "mine"}')
    url = engine.current().url
    cell(f"%container context create here --docker host={url}")
    chosen = cell("%container context use here").result
    assert str(chosen).split("\n")[0] == "in use: here"
    assert docker("context", "show") == "here"
    assert cell("%engine").result.engine.name == "here"
    assert cell("%container context show").result.text == "here"
    assert "here *" in str(cell("%container context ls").result)
    assert json.loads((config / "config.json").read_text())["psFormat"] == "mine"
    docker("context", "use", "default")
    assert cell("%container context show").result.text == "default"


def test_a_variable_comes_first(cell: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    url = engine.current().url
    cell(f"%container context create here --docker host={url}")
    monkeypatch.setenv("DOCKER_HOST", url)
    assert "DOCKER_HOST" in str(cell("%container context use here").result)
    assert cell("%container context show").result.text == docker("context", "show") == "default"


def test_what_is_in_use_can_be_named(cell: Cell) -> None:
    cell("%container context create same")
    assert contexts.load("same").host == contexts.load("default").host
    cell(f"%container context create one --docker {_TLS}")
    cell("%container context create two --from one")
    cell("%container context create three --docker from=one,skip-tls-verify=true")
    assert contexts.tls_content("two") == contexts.tls_content("one") != {}
    assert contexts.load("three").host == contexts.load("one").host
    assert set(docker("context", "ls", "-q").split()) == {"default", "one", "same", "three", "two"}


def test_update(cell: Cell) -> None:
    cell(f"%container context create lab --docker {_TLS}")
    cell("%container context update lab --description new")
    assert contexts.load("lab").tls is not None
    cell("%container context update lab --docker host=ssh://lab")
    assert contexts.load("lab").tls is None
    found = json.loads(docker("context", "inspect", "lab"))[0]
    assert found["Metadata"]["Description"] == "new"
    assert found["Endpoints"]["docker"]["Host"] == "ssh://lab"


def test_remove(cell: Cell, fails: Fails, config: Path) -> None:
    for name in ("one", "two", "three"):
        cell(f"%container context create {name} --docker {_TLS}")
    cell("%container context use one")
    error = fails("%container context rm two one nothing")
    assert isinstance(error, EngineError)
    assert "one is in use" in error.message
    assert "removed: two" in str(error) and "no such context: nothing" in str(error)
    cell("%container context rm -f one three nothing")
    assert docker("context", "ls", "-q") == "default"
    assert not list(config.glob("contexts/tls/*"))


def test_export_and_import_with_docker(cell: Cell, here: Path) -> None:
    cell(f"%container context create lab --description x --docker {_TLS}")
    cell("%container context export lab")
    assert (here / "lab.dockercontext").stat().st_mode & 0o777 == 0o600
    docker("context", "import", "theirs", "lab.dockercontext")
    docker("context", "export", "lab", "other")
    cell("%container context import ours other")
    for name in ("theirs", "ours"):
        assert contexts.tls_content(name) == contexts.tls_content("lab")
        assert contexts.load(name).description == "x"
    with zipfile.ZipFile(here / "zip", "w") as zipped:
        zipped.writestr("meta.json", json.dumps(contexts.load("lab").meta))
        zipped.write("ca.pem", "tls/docker/ca.pem")
        zipped.writestr("../../outside", "nothing of that kind")
    cell("%container context import fromzip zip")
    assert contexts.tls_content("fromzip") == {"ca.pem": Path("ca.pem").read_bytes()}
    assert not (here.parent / "outside").exists()


@pytest.mark.parametrize(
    ("line", "kind", "words"),
    [
        ("create lab --docker host=ssh://x", EngineError, "there is a context lab already"),
        ("create default --docker host=ssh://x", OptionError, "docker's own"),
        ("create 'a b' --docker host=ssh://x", OptionError, "cannot be called"),
        ("create x1 --docker hots=ssh://x", OptionError, "did you mean host=?"),
        ("create x1 --docker host=nonsense", OptionError, "no address of an engine"),
        ("create x1 --docker host=tcp://a:1,ca=missing.pem", OptionError, "cannot be read"),
        ("create x1 --docker host=tcp://a:1,ca=extensions", OptionError, "no PEM file"),
        ("create x1 --docker host=tcp://a:1,skip-tls-verify=maybe", OptionError, "true or false"),
        ("create x1 --from lab --docker host=ssh://x", OptionError, "exclude each other"),
        ("create x1 --from labb", EngineError, "did you mean lab?"),
        ("use lba", EngineError, "did you mean lab?"),
        ("inspect nothing-like-it", EngineError, "%container context ls lists them"),
        ("update default --description x", OptionError, "docker's own"),
        ("rm default", OptionError, "cannot be removed"),
        ("export default", OptionError, "cannot be exported"),
        ("export lab ca.pem", OptionError, "is there already"),
        ("export lab -", OptionError, "name a file"),
        ("import x1 ca.pem", OptionError, "no exported context"),
        ("import x1 missing", OptionError, "cannot be read"),
        ("import lab ca.pem", EngineError, "there is a context lab already"),
        ("create", OptionError, "too few arguments"),
        ("crate x1", OptionError, "did you mean"),
    ],
)
def test_a_slip_is_one_clear_line(
    cell: Cell, fails: Fails, line: str, kind: type[CourseError], words: str
) -> None:
    cell("%container context create lab --docker host=ssh://x")
    error = fails(f"%container context {line}")
    assert type(error) is kind, error
    assert words in str(error)
    assert contexts.names() == ["default", "lab"], "nothing was made"


def test_a_broken_file_of_docker_is_left_alone(cell: Cell, fails: Fails, config: Path) -> None:
    cell("%container context create lab --docker host=ssh://x")
    (config / "config.json").write_text("{")
    error = fails("%container context use lab")
    assert isinstance(error, EngineError) and "cannot be read" in error.message
    assert (config / "config.json").read_text() == "{"
    (next(config.glob("contexts/meta/*/meta.json"))).write_text("[]")
    assert cell("%container context ls -q").result.lines == ["default"]


def test_a_context_that_a_variable_names_and_nobody_knows(
    cell: Cell, fails: Fails, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONTEXT", "gone")
    engine.forget()
    error = fails("%container ps")
    assert isinstance(error, EngineError) and "no engine called 'gone'" in error.message
    assert "no such context: gone" in str(cell("%container context ls").result)


@pytest.mark.skipif(os.geteuid() != 0, reason="another user's folder is needed")
def test_a_folder_that_cannot_be_written(fails: Fails, config: Path, here: Path) -> None:
    config.write_text("a file in place of the folder")
    error = fails("%container context create lab --docker host=ssh://x")
    assert isinstance(error, EngineError) and "DOCKER_CONFIG" in (error.hint or "")

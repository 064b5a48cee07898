"""A real registry on 127.0.0.1: pushed to, pulled from, protected, mirrored, killed."""

import base64
import http.server
import json
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest
from jupyter_client.manager import KernelManager

from course_magics import engine
from course_magics.cli import main
from course_magics.containers import transfer
from course_magics.containers.login import Secret
from course_magics.errors import CourseError, EngineError, Interrupted, OptionError, RegistryError
from course_magics.guest.launch import free_port
from course_magics.registry import in_container, server
from course_magics.registry.contents import status
from course_magics.registry.place import Facts, Place

from .conftest import Cell

pytestmark = pytest.mark.engine
Fails = Callable[[str], BaseException]
#: Such a word is found wherever it got to.
PASSWORD = "xyzzy-Plugh-4711"


def quiet(line: str) -> None: ...


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """docker's config.json, a new one: nobody's real logins are touched."""
    folder = tmp_path / "docker"
    folder.mkdir()
    (folder / "config.json").write_text('{"keep": "this"}')
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))
    yield folder / "config.json"
    monkeypatch.undo()
    engine.current().api.reload_config()


@pytest.fixture
def registry(
    config: Path, tmp_path: Path, api: docker.APIClient
) -> Iterator[Callable[..., tuple[Facts, Place]]]:
    """Starts registries; they, their images and their names on the engine are gone afterwards."""
    places: list[Place] = []
    ports: list[int] = []

    def start(**options: object) -> tuple[Facts, Place]:
        place = Place(tmp_path / f"registry-{len(places)}")
        places.append(place)
        options.setdefault("open", not {"user", "mirror"} & set(options))
        facts, _ = server.start(place, port=free_port(), say=quiet, **options)  # type: ignore[arg-type]
        ports.append(facts.port)
        return facts, place

    yield start
    for place in places:
        server.stop(place, remove=True)
        assert not place.folder.exists()
    for image in api.images():
        for tag in [*(image.get("RepoTags") or ()), *(image.get("RepoDigests") or ())]:
            if any(tag.startswith(f"127.0.0.1:{port}/") for port in ports):
                try:
                    api.remove_image(tag, force=True)
                except docker.errors.APIError as error:
                    assert error.status_code == 404


def absent(api: docker.APIClient, image: str) -> bool:
    return not api.images(filters={"reference": image})


# --- push, pull, digests -------------------------------------------------------------------------


def test_push_pull_and_pin(cell: Cell, fails: Fails, api: docker.APIClient, registry, ip) -> None:  # type: ignore[no-untyped-def]
    facts, _ = registry()
    image = f"{facts.address}/hello"
    cell(f"%container tag course/busybox {image}:1")
    pushed = cell(f"%container push {image}:1").result
    assert str(pushed) == f"pushed {image}:1\n$ docker push {image}:1"
    assert pushed.digest.startswith("sha256:")
    assert pushed.digest not in str(pushed)
    cell(f"%container rmi {image}:1")
    pulled = cell(f"%container pull {image}:1").result
    assert str(pulled).startswith(f"pulled {image}:1\n")
    assert pulled.digest == pushed.digest
    assert str(cell(f"%container image pull -q {image}:1").result).startswith("already up to date:")
    ip.user_ns["pinned"] = pushed.pinned
    assert pushed.pinned == f"{image}@{pushed.digest}"
    cell(f"%container rmi {image}:1")
    assert cell("%container pull {pinned}").result.pinned == pushed.pinned
    assert cell("%container run --rm {pinned} echo here").result.stdout == "here\n"
    # What the registry has is what docker itself takes for it.
    assert api.inspect_distribution(f"{image}:1")["Descriptor"]["digest"] == pushed.digest
    wrong = pushed.pinned[:-4] + "0000"
    assert isinstance(fails(f"%container pull {wrong}"), EngineError)


def test_all_tags(cell: Cell, fails: Fails, api: docker.APIClient, registry) -> None:  # type: ignore[no-untyped-def]
    facts, place = registry()
    image = f"{facts.address}/many"
    for tag in ("a", "b"):
        cell(f"%container tag course/busybox {image}:{tag}")
    assert cell(f"%container push -a {image}").result.tags == ["a", "b"]
    assert [(i["name"], i["tag"]) for i in status(place).images] == [(image, "a"), (image, "b")]
    cell(f"%container rmi {image}:a {image}:b")
    assert cell(f"%container pull --all-tags {image}").result.tags == ["a", "b"]
    assert not absent(api, f"{image}:b")
    for word in ("push", "pull"):
        assert isinstance(fails(f"%container {word} -a {image}:a"), OptionError)


def test_what_is_not_there(cell: Cell, fails: Fails, registry, api: docker.APIClient) -> None:  # type: ignore[no-untyped-def]
    facts, place = registry()
    error = fails(f"%container pull {facts.address}/nothing:1")
    assert isinstance(error, EngineError)
    assert "could not be pulled" in error.message
    assert "no image" in fails(f"%container push {facts.address}/nothing").message  # type: ignore[attr-defined]
    assert isinstance(fails(f"%container push {facts.address}/x@sha256:{'0' * 64}"), OptionError)
    cell(f"%container tag course/busybox {facts.address}/hello")
    server.stop(place)
    for line in ("push A/hello", "pull A/hello", "run --rm A/other"):
        error = fails(f"%container {line.replace('A', facts.address)}")
        assert isinstance(error, EngineError)
        assert "course-magics registry start" in str(error), line
    assert cell("%container run --rm course/busybox echo on").result.stdout == "on\n"
    place.make()


def big(api: docker.APIClient, name: str) -> None:
    """An image whose layer takes a while to push."""
    made = api.create_container(
        "course/busybox",
        ["sh", "-c", "head -c 200000000 /dev/urandom > /big"],
        host_config=api.create_host_config(network_mode="none"),
    )
    api.start(made["Id"])
    api.wait(made["Id"])
    api.commit(made["Id"], name)
    api.remove_container(made["Id"])


def test_a_registry_killed_in_the_middle_of_a_push(
    cell: Cell, registry, api: docker.APIClient, name: str
) -> None:  # type: ignore[no-untyped-def]
    facts, place = registry()
    image = f"{facts.address}/{name}"
    big(api, image)
    killed = []

    def kill(progress: transfer.Progress) -> None:
        if not killed and any(0 < layer.done < layer.total for layer in progress.layers.values()):
            os.kill(facts.pid, signal.SIGKILL)
            os.waitpid(facts.pid, 0)
            killed.append(True)

    with pytest.raises(EngineError, match="went away") as caught:
        transfer.push(image, f"docker push {image}", watch=kill)
    assert killed
    assert "registry start" in str(caught.value)
    assert place.running() is None
    # The next one works, on the same folder.
    again, _ = server.start(place, port=facts.port, open=True, say=quiet)
    assert cell(f"%container push {image}").result.digest
    assert status(place).images[0]["size"] > 200_000_000
    assert again.runs


def test_an_interrupted_push_is_no_push(registry, api: docker.APIClient, name: str) -> None:  # type: ignore[no-untyped-def]
    facts, place = registry()
    image = f"{facts.address}/{name}"
    big(api, image)
    sent = []

    def interrupt(progress: transfer.Progress) -> None:
        if not sent and any(layer.done for layer in progress.layers.values()):
            sent.append(True)
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted, match="was not pushed"):
        transfer.push(image, f"docker push {image}", watch=interrupt)
    assert status(place).images == []


# --- passwords --------------------------------------------------------------------------------------


@pytest.fixture
def guarded(registry) -> tuple[Facts, Place]:  # type: ignore[no-untyped-def]
    """A registry that takes pushes of the user ann only, with PASSWORD."""
    return registry(user="ann", password=Secret(PASSWORD))  # type: ignore[no-any-return]


def test_login_push_logout(  # type: ignore[no-untyped-def]
    cell: Cell, fails: Fails, guarded, config: Path, monkeypatch, ip, capsys
) -> None:
    facts, place = guarded
    image = f"{facts.address}/hello"
    cell(f"%container tag course/busybox {image}")
    error = fails(f"%container push {image}")
    assert isinstance(error, EngineError)
    assert f"%container login {facts.address} -u USER" in str(error)
    monkeypatch.setenv("SECRET", "wrong-" + PASSWORD)
    error = fails(f"%container login {facts.address} -u ann --password-env SECRET")
    assert "does not know this user name and password" in str(error)
    assert "auths" not in json.loads(config.read_text())
    monkeypatch.setenv("SECRET", PASSWORD)
    done = cell(f"%container login {facts.address} -u ann --password-env SECRET").result
    assert str(done).split("\n")[0] == f"logged in to {facts.address} as ann"
    kept = json.loads(config.read_text())
    assert kept["keep"] == "this"
    assert base64.b64decode(kept["auths"][facts.address]["auth"]).decode() == f"ann:{PASSWORD}"
    assert config.stat().st_mode & 0o777 == 0o600
    pushed = cell(f"%container push {image}").result
    # The docker program finds the same login.
    ran = subprocess.run(["docker", "pull", "-q", pushed.pinned], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert "logged in" in str(cell(f"%container login {facts.address}").result), (
        "stored: no question"
    )
    assert status(place).images[0]["name"] == image
    assert "logged out" in str(cell(f"%container logout {facts.address}").result)
    assert "was not logged in" in str(cell(f"%container logout {facts.address}").result)
    assert json.loads(config.read_text())["auths"] == {}
    assert "log in first" in str(fails(f"%container push {image}"))
    cell(f"%container rmi {image}")
    assert cell(f"%container pull {image}").result.digest == pushed.digest, "anybody pulls"
    seen = capsys.readouterr()
    told = [
        seen.out,
        seen.err,
        repr(done),
        repr(vars(done)),
        *map(str, ip.history_manager.input_hist_raw),
    ]
    assert not any(PASSWORD in text for text in told)


@pytest.mark.parametrize(
    "words",
    ["-p W", "--password=W", "-pW", "--password-stdin W", "-u ann one two W", "--pasword W"],
)
def test_a_password_in_the_cell_is_refused_and_not_repeated(  # type: ignore[no-untyped-def]
    fails: Fails, ip, words: str, capsys
) -> None:
    ip.user_ns["secret"] = PASSWORD
    error = fails(f"%container login 127.0.0.1:9 -u ann {words.replace('W', '{secret}')}")
    assert isinstance(error, OptionError)
    assert PASSWORD not in f"{error}{error!r}{capsys.readouterr()}"
    body = fails("%%container login --password-stdin 127.0.0.1:9\nhello\n")
    assert "would stay in the notebook" in str(body)


def test_where_nobody_can_be_asked(
    fails: Fails, monkeypatch: pytest.MonkeyPatch, config: Path
) -> None:
    for line in ("login 127.0.0.1:9 -u ann", "login 127.0.0.1:9"):
        assert "--password-env" in str(fails(f"%container {line}"))
    monkeypatch.delenv("NO_SUCH", raising=False)
    assert "environment variable" in str(fails("%container login -u a --password-env NO_SUCH"))
    monkeypatch.setenv("EMPTY", "")
    assert "empty" in str(fails("%container login -u a --password-env EMPTY"))
    monkeypatch.setenv("SECRET", PASSWORD)
    error = fails("%container login 127.0.0.1:9 -u ann --password-env SECRET")
    assert "registry start" in str(error), "connection refused"


def test_a_notebook_asks_and_keeps_nothing(guarded, config: Path) -> None:  # type: ignore[no-untyped-def]
    facts, _ = guarded
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(env={**os.environ, "DOCKER_CONFIG": str(config.parent)})
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        messages: list[object] = []
        asked: list[dict[str, object]] = []

        def answer(message: dict[str, dict[str, object]]) -> None:
            asked.append(message["content"])
            client.input(PASSWORD)

        def run(code: str) -> dict[str, str]:
            reply = client.execute_interactive(
                code, timeout=60, allow_stdin=True, stdin_hook=answer, output_hook=messages.append
            )
            messages.append(reply)
            return dict(reply["content"])

        run("%load_ext course_magics")
        assert run(f"r = %container login {facts.address} -u ann")["status"] == "ok"
        assert [a["password"] for a in asked] == [True], "a field that does not echo"
        run("r")
        run("%history -l 20")
        run("print(In, _ih, _i, dir(), vars(r), r)")
        shown = repr(messages)
        assert f"logged in to {facts.address} as ann" in shown
        assert PASSWORD not in shown
        reply = client.execute_interactive(
            f"%container login {facts.address} -u bob", timeout=60, allow_stdin=False
        )["content"]
        assert reply["ename"] == "OptionError"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def test_a_credential_helper_is_used(  # type: ignore[no-untyped-def]
    cell: Cell, guarded, config: Path, tmp_path: Path, monkeypatch, fails: Fails
) -> None:
    """The helper is a few lines of shell: the real ones need a desktop's key ring."""
    facts, _ = guarded
    store = tmp_path / "store"
    helper = tmp_path / "bin" / "docker-credential-course"
    helper.parent.mkdir()
    helper.write_text(
        f"#!/bin/sh\ncase $1 in store) cat > {store};; erase) rm -f {store};;\n"
        f'get) [ -f {store} ] && cat {store} || {{ echo "credentials not found in native keychain"; exit 1; }};;\nesac\n'
    )
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{helper.parent}:{os.environ['PATH']}")
    config.write_text(json.dumps({"credHelpers": {facts.address: "course"}}))
    monkeypatch.setenv("SECRET", PASSWORD)
    done = cell(f"%container login {facts.address} -u ann --password-env SECRET").result
    assert "docker-credential-course" in str(done)
    assert json.loads(store.read_text())["Secret"] == PASSWORD
    assert json.loads(config.read_text())["auths"] == {facts.address: {}}, "no password in it"
    cell(f"%container tag course/busybox {facts.address}/hello")
    assert cell(f"%container push {facts.address}/hello").result.digest
    cell(f"%container logout {facts.address}")
    assert not store.exists()
    config.write_text(json.dumps({"credsStore": "missing"}))
    with pytest.warns(UserWarning, match="not installed"):
        error = fails(f"%container login {facts.address} -u ann --password-env SECRET")
    assert "docker-credential-missing" in str(error)
    assert PASSWORD not in str(error)


# --- start, stop, seed, status ---------------------------------------------------------------------


def test_the_command(  # type: ignore[no-untyped-def]
    tmp_path: Path, api: docker.APIClient, config: Path, capfd, cell: Cell
) -> None:
    folder, port = str(tmp_path / "class"), free_port()
    at = ["--folder", folder]

    def course(*words: str) -> tuple[int, str, str]:
        code = main(["registry", *words, *at])
        return code, *capfd.readouterr()  # type: ignore[return-value]

    assert course("status")[0] == 1
    code, _, err = course("stop")
    assert (code, "does not run" in err) == (1, True)
    assert course("seed")[0] == 1
    code, out, _ = course("start", "--port", str(port))
    assert code == 0
    assert f"docker login 127.0.0.1:{port} -u student" in out
    home = Path(folder, "course-registry")
    try:
        password = home / "password"
        assert password.stat().st_mode & 0o777 == 0o600
        assert home.stat().st_mode & 0o777 == 0o700
        assert f"the password: {password.read_text().strip()} " in out, "shown once"
        assert password.read_text().strip() not in (home / "users.json").read_text()
        assert "runs already" in course("start")[2]
        code, out, _ = course("seed", "course/busybox")
        assert code == 0
        assert f"127.0.0.1:{port}/course/busybox@sha256:" in out
        assert absent(api, f"127.0.0.1:{port}/course/busybox"), "only the registry keeps that name"
        assert course("seed", "course/nothing")[0] == 1
        code, out, _ = course("status")
        assert code == 0
        assert out.split("\n")[-2].split()[:2] == [f"127.0.0.1:{port}/course/busybox", "latest"]
        main(["registry", "start", "--port", str(port), "--folder", f"{folder}-2"])
        assert "--port OTHER" in capfd.readouterr().err
        assert not Path(f"{folder}-2").exists()
        assert "nobody can be asked" in str(
            _error(["start", "--password", "--folder", f"{folder}-2"], capfd)
        )
    finally:
        assert course("stop")[0] == 0
    assert course("status")[0] == 1
    code, out, _ = course("start", "--port", str(port))
    assert code == 0
    assert f"that of the last start: in {password}" in out
    assert password.read_text().strip() not in out, "shown no second time"
    assert f"127.0.0.1:{port}/course/busybox" in course("status")[1], "with its images"
    assert course("stop", "--remove")[0] == 0
    assert not home.exists()


def _error(words: list[str], capfd) -> str:  # type: ignore[no-untyped-def]
    assert main(["registry", *words]) == 1
    return str(capfd.readouterr().err)


def test_a_mirror_fetches_once_and_keeps(cell: Cell, fails: Fails, registry, api) -> None:  # type: ignore[no-untyped-def]
    upstream, place = registry()
    mirror, mirrored = registry(mirror=f"http://{upstream.address}")
    cell(f"%container tag course/busybox {upstream.address}/library/box")
    digest = cell(f"%container push {upstream.address}/library/box").result.digest
    assert cell(f"%container pull {mirror.address}/library/box").result.digest == digest
    assert f"mirror of  http://{upstream.address}" in str(status(mirrored))
    server.stop(place)
    place.make()
    cell(f"%container rmi {mirror.address}/library/box {upstream.address}/library/box")
    assert cell(f"%container pull {mirror.address}/library/box").result.digest == digest
    assert isinstance(fails(f"%container pull {mirror.address}/library/other"), EngineError)
    from course_magics.registry.seed import seed

    with pytest.raises(RegistryError, match="takes no pushes"):
        seed(mirrored, ["course/busybox"], quiet)


@pytest.mark.parametrize(
    "options", [{"port": 70000}, {"port": 0}, {"port": 5055, "mirror": "docker.io"}]
)
def test_a_bad_start_is_one_clear_line(tmp_path: Path, options: dict[str, object]) -> None:
    with pytest.raises(OptionError):
        server.start(Place(tmp_path / "x"), say=quiet, **options)  # type: ignore[arg-type]
    assert not (tmp_path / "x").exists()


def test_a_registry_that_ends_at_once_says_why(tmp_path: Path) -> None:
    place = Place(tmp_path / "x")
    place.make()
    place.data.write_text("a file where the folder should be")
    with pytest.raises(CourseError) as caught:
        # The mirror's host cannot be reached, which the program looks at when it starts.
        server.start(place, port=free_port(), mirror="http://127.0.0.1:1", say=quiet)
    assert "ended at once" in str(caught.value)
    assert place.running() is None


def test_a_registry_in_a_container(  # type: ignore[no-untyped-def]
    cell: Cell, fails: Fails, api, registry, name: str, tmp_path: Path, monkeypatch
) -> None:
    """Docker Hub's registry:2 is out of reach; an image with Debian's program stands in for it."""
    shutil.copy(str(shutil.which(server.PROGRAM)), tmp_path / "registry")
    (tmp_path / "Dockerfile").write_text(
        'FROM course/debian\nCOPY registry /bin/registry\nENTRYPOINT ["registry", "serve"]\n'
    )
    list(api.build(path=str(tmp_path), tag=name, rm=True, forcerm=True, decode=True))
    monkeypatch.setattr(in_container, "IMAGE", name)
    monkeypatch.setattr(server, "PROGRAM", "no-such-program")
    facts, place = registry(user="ann")  # no password given: one is made
    assert facts.container
    image = f"{facts.address}/hello"
    cell(f"%container tag course/busybox {image}")
    assert "log in first" in str(fails(f"%container push {image}"))
    monkeypatch.setenv("SECRET", place.password.read_text().strip())
    cell(f"%container login {facts.address} -u ann --password-env SECRET")
    assert cell(f"%container push {image}").result.digest
    assert [i["name"] for i in status(place).images] == [image]
    server.stop(place)
    assert not api.containers(all=True, filters={"name": facts.container})
    assert api.volumes(filters={"name": facts.container})["Volumes"], "its images stay"


# --- search -----------------------------------------------------------------------------------------


class _V1(http.server.BaseHTTPRequestHandler):
    """The old search, which Docker Hub and no free registry has: a fake, asked by the real engine."""

    def do_GET(self) -> None:
        found = [
            {"name": "shop", "description": "a\nshop " * 20, "star_count": 7, "is_official": True},
            {"name": "other", "description": "", "star_count": 0, "is_official": False},
        ]
        body = json.dumps({"num_results": 2, "results": found} if "search" in self.path else True)
        self.send_response(200)
        self.send_header("X-Docker-Registry-Version", "0.9")
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None: ...


def test_search(cell: Cell, fails: Fails, registry) -> None:  # type: ignore[no-untyped-def]
    with http.server.HTTPServer(("127.0.0.1", 0), _V1) as fake:
        threading.Thread(target=fake.serve_forever, daemon=True).start()
        term = f"127.0.0.1:{fake.server_port}/shop"
        table = cell(f"%container search {term}").result
        assert [r["StarCount"] for r in table] == ["7", "0"]
        assert str(table).split("\n")[0].split() == ["NAME", "DESCRIPTION", "STARS", "OFFICIAL"]
        assert "…" in table[0]["Description"]
        assert "…" not in cell(f"%container search --no-trunc {term}").result[0]["Description"]
        line = f"%container search --filter stars=3 --format '{{{{.IsOfficial}}}}' {term}"
        assert cell(line).result.lines == ["true"]
        fake.shutdown()
    facts, _ = registry()
    error = fails(f"%container search {facts.address}/shop")
    assert "course-magics registry status" in str(error)
    assert isinstance(fails("%container search --limit 0 x"), OptionError)
    assert isinstance(fails("%container search --filter color=x x"), OptionError)

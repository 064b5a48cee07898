"""Two students on one engine: what each one's `%engine clean`, reaper and names leave alone.

The engine is one of the tests' own; the students are told apart by COURSE_USER.
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest
from docker.errors import NotFound
from IPython.core.interactiveshell import InteractiveShell

from course_magics import engine, labels
from course_magics.containers import steps
from course_magics.containers.reap import reap
from course_magics.course import left, undo
from course_magics.engine import contexts
from course_magics.engine.namespaced import Namespaced, engine_beside
from course_magics.errors import EngineError, OptionError

from .conftest import Cell, exists
from .further import load_images

pytestmark = pytest.mark.engine
Fails = Callable[[str], BaseException]
#: An owner's label that names nobody: a later process has this one's pid.
GONE = labels.owner().rpartition(":")[0] + ":1"


@pytest.fixture(scope="module")
def private() -> Iterator[Namespaced]:
    with engine_beside("sharing") as found:
        load_images(found.url, ["course/busybox"])
        yield found


@pytest.fixture
def api(
    private: Namespaced, ip: InteractiveShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[docker.APIClient]:
    """The engine, in use, with nothing on it."""
    monkeypatch.setenv("COURSE_BUILDER", "classic")
    monkeypatch.setenv("COURSE_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    engine.use(private.url)
    found = engine.current().api
    yield found
    for c in found.containers(all=True):
        found.remove_container(c["Id"], force=True, v=True)
    for v in found.volumes()["Volumes"] or ():
        found.remove_volume(v["Name"], force=True)
    found.prune_networks()
    for image in found.images():
        for tag in image["RepoTags"] or ["<none>"]:
            if not tag.startswith("course/"):
                with contextlib.suppress(NotFound):  # it went with one that lay on it
                    found.remove_image(image["Id"] if "<none>" in tag else tag, force=True)
    engine.use("")


@pytest.fixture
def student(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes the next cells this student's."""

    def change(name: str) -> None:
        monkeypatch.setenv("COURSE_USER", name)
        monkeypatch.setattr(labels, "_session", f"session-{name}")

    return change


def make_all(cell: Cell, who: str) -> None:
    cell(f"%container volume create {who}-data")
    cell(f"%container network create {who}-net")
    cell(f"%container run -d --name {who}-web -v {who}-data:/d course/busybox sleep 600")
    cell(f"%%dockerfile -t {who}-image\nFROM course/busybox\nRUN echo {who} > /who")


def there(api: docker.APIClient, who: str) -> set[str]:
    """Which kinds of this student's things are there."""
    found = {
        "container": [n for c in api.containers(all=True) for n in c["Names"]],
        "volume": [v["Name"] for v in api.volumes()["Volumes"] or ()],
        "network": [n["Name"] for n in api.networks()],
        "image": [t for i in api.images() for t in i["RepoTags"] or ()],
    }
    return {kind for kind, names in found.items() if any(who in name for name in names)}


def test_clean_removes_one_s_own_and_volumes_only_when_asked(
    cell: Cell, fails: Fails, api: docker.APIClient, student: Callable[[str], None]
) -> None:
    for who in ("ada", "bob"):
        student(who)
        make_all(cell, who)
    before = there(api, "ada")
    assert before == {"container", "volume", "network", "image"}
    cleaned = cell("%engine clean").result
    assert cleaned.asks == {"volumes": ["bob-data"]}
    assert "add -f" in str(cleaned) and "bob-data" in str(cleaned)
    assert (there(api, "ada"), there(api, "bob")) == (before, {"volume"})
    assert cell("%engine clean -f").result.removed["volumes"] == ["bob-data"]
    assert (there(api, "ada"), there(api, "bob")) == (before, set())

    error = fails("%engine clean --everybody")
    assert isinstance(error, OptionError)
    for name in ("ada-web", "ada-net", "ada-data", "ada-image"):
        assert name in str(error)
    assert there(api, "ada") == before
    cell("%engine clean --everybody -f")
    assert there(api, "ada") == set()


def test_what_0_1_0_made_is_nobody_s_and_goes_with_everybody_s(
    cell: Cell, api: docker.APIClient
) -> None:
    api.create_container(
        "course/busybox", ["true"], name="old", labels={labels.SESSION: "0", labels.OWNER: "vm:1:1"}
    )
    api.create_volume("unlabelled")
    assert reap(api) == []
    cell("%engine clean -f")
    assert exists(api, "old")
    cell("%engine clean --everybody -f")
    assert not exists(api, "old")
    assert api.inspect_volume("unlabelled")


def test_what_somebody_else_still_uses_stays_and_is_told(
    cell: Cell, api: docker.APIClient, student: Callable[[str], None]
) -> None:
    student("bob")
    make_all(cell, "bob")
    student("ada")
    cell("%container run -d --name ada-web --network bob-net -v bob-data:/d bob-image sleep 600")
    student("bob")
    cleaned = cell("%engine clean -f").result
    assert cleaned.kept == ["bob-data", "bob-image", "bob-net"]
    assert not exists(api, "bob-web")
    assert exists(api, "ada-web")


def test_labels_that_come_from_an_image_are_nobody_s(
    cell: Cell, api: docker.APIClient, student: Callable[[str], None]
) -> None:
    """Bob's container becomes an image by `docker commit`; Ada runs it in a terminal."""
    student("bob")
    api.start(
        api.create_container(
            "course/busybox",
            ["sleep", "600"],
            name="bob-web",
            labels={**labels.ours(), labels.OWNER: GONE},
        )
    )
    api.commit("bob-web", "shared")
    assert api.inspect_image("shared")["Config"]["Labels"][labels.USER] == "bob"
    api.start(api.create_container("shared", ["sleep", "600"], name="ada-web"))
    cell("%container run -d --name bob-too shared sleep 600")
    assert reap(api) == ["bob-web"]
    cell("%engine clean")
    assert exists(api, "ada-web")
    assert not exists(api, "bob-too")
    assert left.things([])["containers"] == []


def test_an_image_that_a_terminal_built_on_ours_goes_only_when_asked(
    cell: Cell, api: docker.APIClient
) -> None:
    cell("%%dockerfile -t base\nFROM course/busybox\nRUN echo x > /x")
    cell("%%dockerfile -t ours\nFROM base\nRUN echo y > /y")
    text = b"FROM base\nRUN echo mine > /mine\n"
    list(api.build(fileobj=io.BytesIO(text), tag="terminal", rm=True))
    for _ in range(2):  # what the first one keeps must not make the second one bolder
        assert cell("%engine clean").result.asks == {"images": ["base", "terminal"]}
        assert api.inspect_image("terminal")
    with pytest.raises(NotFound):
        api.inspect_image("ours")
    assert cell("%engine clean -f").result.removed["images"] == ["base", "terminal"]


def test_a_commit_goes_only_when_asked(cell: Cell, api: docker.APIClient) -> None:
    """It may be the only copy of what somebody has done in a container."""
    cell("%%dockerfile -t base\nFROM course/busybox\nRUN echo x > /x")
    for image in ("course/busybox", "base"):
        cell(f"%container run --name box {image} sh -c 'echo work > /work'")
        cell("%container commit box named" if image == "base" else "%container commit box snap/one")
        cell("%container commit box")
        cell("%container rm box")
    for _ in range(2):
        cleaned = cell("%engine clean").result
        assert len(cleaned.asks["images"]) == 4
        assert {"named", "snap/one"} < set(cleaned.asks["images"])
        assert cleaned.kept == []
    for image in ("named", "snap/one"):
        assert cell(f"%container run --rm {image} cat /work").result.stdout == "work\n"
    cell("%engine clean -f")
    assert api.images(filters={"label": labels.IMAGE}) == []


@pytest.mark.parametrize("name", ["mine", ""])
def test_a_commit_of_a_terminal_goes_only_when_asked(
    cell: Cell, api: docker.APIClient, name: str
) -> None:
    cell("%%dockerfile -t base\nFROM course/busybox\nRUN echo x > /x")
    cell("%container run --name box base sh -c 'echo work > /work'")
    made = api.commit("box", name)["Id"]
    cell("%engine clean")
    assert made in {i["Id"] for i in api.images()}


def test_what_was_built_on_a_commit_without_a_name_stays_with_it(
    cell: Cell, api: docker.APIClient
) -> None:
    """The engine removes images without a name together with the last one that is built on them."""
    cell("%container run --name box course/busybox sh -c 'echo work > /work'")
    made = cell("%container commit box").result.id
    cell(f"%%dockerfile -t above\nFROM {made}\nRUN echo x > /x")
    cell("%%dockerfile -t beside\nFROM course/busybox\nCMD x")
    cleaned = cell("%engine clean").result
    assert cleaned.removed["images"] == ["beside"]
    assert cleaned.asks == {"images": ["above"]}
    assert api.inspect_image(made)


def test_an_image_with_several_names_stays(
    cell: Cell, api: docker.APIClient, student: Callable[[str], None]
) -> None:
    """One of them may be somebody else's, and he has no other image."""
    student("alice")
    cell("%%dockerfile -t alice/built\nFROM course/busybox\nRUN echo x > /x")
    cell("%%dockerfile -t alice/other\nFROM course/busybox\nRUN echo y > /y")
    built = api.inspect_image("alice/built")["Id"]
    api.tag("alice/built", "bob/mine")
    cleaned = cell("%engine clean").result
    assert cleaned.removed["images"] == ["alice/other"]
    assert cleaned.asks == {"images": ["alice/built", "bob/mine"]}
    assert set(api.inspect_image(built)["RepoTags"]) == {"alice/built:latest", "bob/mine:latest"}
    removed = cell("%engine clean -f").result.removed["images"]
    assert removed == ["alice/built", "bob/mine"]


def test_one_file_is_one_image_under_every_name(cell: Cell, api: docker.APIClient) -> None:
    """As docker has it: our label says nothing of the name."""
    for name in ("one", "two"):
        cell(f"%%dockerfile -t {name}\nFROM course/busybox\nRUN echo x > /x")
    assert api.inspect_image("one")["Id"] == api.inspect_image("two")["Id"]


@pytest.mark.usefixtures("composer")
def test_what_compose_builds_goes_as_what_a_cell_builds(
    cell: Cell, api: docker.APIClient, here: Path
) -> None:
    (here / "Dockerfile").write_text("FROM course/busybox\nRUN echo x > /x\n")
    (here / "Other").write_text("FROM course/busybox\nRUN echo y > /y\n")
    cell(
        "%%compose -p shop build\nservices:\n"
        "  web: {build: .}\n  db: {build: {context: ., dockerfile: Other}}\n"
    )
    api.tag("shop-db", "db:kept")
    cleaned = cell("%engine clean").result
    assert cleaned.removed["images"] == ["shop-web"]
    assert cleaned.asks == {"images": ["db:kept", "shop-db"]}


def test_names_that_another_student_has_are_told_as_theirs(
    cell: Cell, fails: Fails, api: docker.APIClient, student: Callable[[str], None]
) -> None:
    student("ada@hub")
    make_all(cell, "ada")
    student("bob@hub")
    for line, hint in (
        ("run -d --name ada-web course/busybox true", "--name ada-web-bob"),
        ("volume create ada-data", "ada-data-bob"),
        ("network create ada-net", "ada-net-bob"),
    ):
        error = fails(f"%container {line}")
        assert isinstance(error, EngineError)
        assert "on this engine belongs to ada" in error.message
        assert error.hint is not None and error.hint.endswith(hint)
    assert there(api, "ada") == {"container", "volume", "network", "image"}


@pytest.mark.usefixtures("composer")
def test_two_students_with_one_notebook_have_a_project_each(
    cell: Cell, fails: Fails, api: docker.APIClient, student: Callable[[str], None],
    here: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("JPY_SESSION_NAME", "/home/jovyan/shop.ipynb")
    monkeypatch.delenv("COMPOSE_PROJECT_NAME", raising=False)
    file = (
        "%%compose\nservices:\n  web:\n    image: course/busybox\n    command: sleep 600\n"
        "    stop_grace_period: 0s\n"
    )
    for who in ("ada", "bob"):
        student(who)
        monkeypatch.setenv("COURSE_STATE", str(here / who))
        cell(file)
    assert exists(api, "shop-web-1")
    assert exists(api, "shop-bob-web-1")
    assert "belongs to ada" in str(fails(file.replace("%%compose", "%%compose -p shop")))
    cell("%compose down")
    assert exists(api, "shop-web-1")
    assert not exists(api, "shop-bob-web-1")


# --- steps of builds that were cut off -------------------------------------------------------------


def step(api: docker.APIClient, name: str) -> str:
    """A container as the engine's own builder makes them."""
    image = api.inspect_image("course/busybox")["Id"]
    config = api.create_host_config(log_config={"Type": "none", "Config": {}})
    made = api.create_container(image, ["sh", "-c", "true"], name=name, host_config=config)
    return str(made["Id"])


def test_a_killed_build_s_step_is_found_and_removed_by_the_next_kernel(
    cell: Cell, api: docker.APIClient, private: Namespaced
) -> None:
    """The fault is put in: the engine removes such a container itself, but for rare failures."""
    id, stranger = step(api, "cut"), step(api, "theirs")
    script = (
        "import os, sys; from course_magics import engine; from course_magics.containers import "
        "steps; engine.use(sys.argv[1]); steps.begun(sys.argv[2]); os.kill(os.getpid(), 9)"
    )
    words = [sys.executable, "-c", script, private.url, id[:12]]
    killed = subprocess.run(words, env=os.environ, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert set(left.things([])["build steps"]) == {"cut", "theirs"}
    assert steps.reap(api, mine=True) == [], "it is not this process's"
    assert steps.reap(api) == ["cut"]
    assert api.inspect_container(stranger)
    assert list((Path(os.environ["COURSE_STATE"]) / "builds").iterdir()) == []


def test_a_living_build_s_step_is_left_alone(api: docker.APIClient) -> None:
    id = step(api, "goes-on")[:12]
    steps.begun(id)
    assert steps.reap(api) == []
    steps.abandon(id)
    assert steps.reap(api) == ["goes-on"]


def test_clean_removes_what_a_build_has_left(cell: Cell, api: docker.APIClient) -> None:
    id = step(api, "cut")[:12]
    steps.begun(id)
    steps.abandon(id)
    assert cell("%engine clean").result.removed["containers"] == ["cut"]


def test_a_build_that_ends_leaves_no_note(cell: Cell, fails: Fails, api: docker.APIClient) -> None:
    cell("%%dockerfile -t built\nFROM course/busybox\nRUN echo x > /x\nCMD sh")
    fails("%%dockerfile\nFROM course/busybox\nRUN exit 3")
    notes = Path(os.environ["COURSE_STATE"]) / "builds"
    assert list(notes.iterdir()) == []
    assert api.containers(all=True) == []


def nameless(api: docker.APIClient) -> int:
    """How many images have no name, those of the engine's cache included."""
    tags = [i["RepoTags"] or ["<none>:<none>"] for i in api.images(all=True)]
    return tags.count(["<none>:<none>"])


GETS_AS_FAR = "%%dockerfile -t built\nFROM course/busybox AS one\nRUN echo one > /1\n{}"
FAILS = "FROM course/busybox\nRUN echo two > /2\nRUN exit 3"


def test_what_a_failed_build_has_got_to_is_its_user_s(
    cell: Cell, fails: Fails, api: docker.APIClient, student: Callable[[str], None]
) -> None:
    before = nameless(api)
    student("ada")
    for _ in range(2):
        fails(GETS_AS_FAR.format(FAILS))
    assert len(api.images(filters={"dangling": True})) == 2, "one for each stage, and no more"
    assert len(left.things([])["images"]) == 2
    student("bob")
    assert left.things([])["images"] == []
    cell("%engine clean")
    assert nameless(api) > before, "they are ada's"
    student("ada")
    assert len(cell("%engine clean").result.removed["images"]) == 2
    assert nameless(api) == before


def test_it_goes_when_the_build_gets_further(
    cell: Cell, fails: Fails, api: docker.APIClient
) -> None:
    fails(GETS_AS_FAR.format("RUN exit 3"))
    (first,) = api.images(filters={"dangling": True})
    fails(GETS_AS_FAR.format("RUN echo two > /2\nRUN exit 3"))
    (second,) = api.images(filters={"dangling": True})
    assert first["Id"] != second["Id"]
    cell(GETS_AS_FAR.format("RUN echo two > /2\nRUN echo three > /3"))
    assert api.images(filters={"dangling": True}) == []
    assert cell("%engine clean").result.removed["images"] == ["built"]


def test_it_goes_with_the_run_that_failed(
    fails: Fails, api: docker.APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = nameless(api)
    monkeypatch.setenv("COURSE_RUN", "run-1")
    fails(GETS_AS_FAR.format("RUN exit 3"))
    assert undo.undo("run-2", None) == []
    (gone,) = undo.undo("run-1", None)
    assert gone.startswith("image sha256:")
    assert nameless(api) == before


# --- contexts ------------------------------------------------------------------------------------------


def test_contexts_that_cells_made_are_listed_and_go_when_asked(
    cell: Cell, api: docker.APIClient
) -> None:
    contexts.save(contexts.meta("theirs", "tcp://192.0.2.1:2375"))
    cell("%container context create lab --docker host=tcp://192.0.2.1:2375")
    assert left.things([])["contexts"] == ["lab"]
    assert cell("%engine clean").result.asks == {"contexts": ["lab"]}
    cell("%engine clean -f")
    assert contexts.names() == ["default", "theirs"]

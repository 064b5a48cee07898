"""The other words of `%container` on the real engine, beside what `docker` itself says."""

import json
import os
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import docker
import pytest
from IPython.core.interactiveshell import InteractiveShell

from course_magics import labels
from course_magics.errors import ContainerError, EngineError, OptionError
from course_magics.patience import until

from .conftest import Cell, exists

pytestmark = pytest.mark.engine
Fails = Callable[[str], BaseException]
#: Another one in another run beside this; below those that the engine chooses.
PORT = 28_000 + os.getpid() % 1000


@pytest.fixture
def web(cell: Cell, api: docker.APIClient, name: str) -> str:
    """A running container that has said something."""
    cell(
        f"%container run -d --name {name} -p 127.0.0.1:{PORT}:80 -l color=blue course/busybox "
        "sh -c 'echo one; echo two >&2; exec httpd -f'"
    )
    until(lambda: api.top(name)["Processes"][0][-1].endswith("httpd -f"), what="httpd")
    return name


def docker_says(*words: str) -> str:
    return subprocess.run(
        ["docker", *words], capture_output=True, text=True, check=True
    ).stdout.rstrip("\n")


# --- ps ---------------------------------------------------------------------------------------


def test_ps_shows_names_and_nothing_that_changes(cell: Cell, web: str) -> None:
    table = cell(f"%container ps --filter name={web}").result
    assert len(table) == 1
    text = str(table).split("\n")
    assert text[0].split() == ["NAMES", "IMAGE", "COMMAND", "STATE", "PORTS"]
    assert text[1].startswith(web)
    assert f"127.0.0.1:{PORT}->80/tcp" in text[1]
    assert table[0]["ID"][:12] not in str(table)


def test_ps_hides_what_has_ended_unless_asked(cell: Cell, web: str) -> None:
    cell(f"%container kill {web}")
    assert len(cell(f"%container ps --filter name={web}").result) == 0
    table = cell(f"%container ps -a --filter name={web}").result
    assert "exited (137)" in str(table)


def test_ps_knows_at_once_what_has_ended(cell: Cell, name: str) -> None:
    """Docker 26's own `stop`, `wait` and `run` say so before its lists do, now and then."""
    cell(f"%container run -d --init --name {name} course/busybox sleep 99")
    ps = f"%container ps --filter name={name}"
    for word in ("stop", "kill"):
        assert len(cell(ps).result) == 1
        cell(f"%container {word} {name}")
        assert len(cell(ps).result) == 0
        cell(f"%container start {name}")
    cell(f"%container exec {name} kill 1")
    cell(f"%container wait {name}")
    assert len(cell(ps).result) == 0
    cell(f"%container run --name {name}-2 course/busybox true")
    assert len(cell(ps).result) == 0


def test_a_port_that_the_engine_chose_is_a_star(cell: Cell, name: str) -> None:
    cell(f"%container run -d --name {name} -p 127.0.0.1::80 course/busybox sleep 99")
    assert "127.0.0.1:*->80/tcp" in str(cell(f"%container ps --filter name={name}").result)
    assert str(cell(f"%container port {name} 80").result).startswith("127.0.0.1:")


@pytest.mark.parametrize(
    "template",
    [
        "{{.Names}}",
        "{{.ID}}",
        "{{.Image}} {{.Command}}",
        "{{.Status}}",
        "{{.State}}",
        "{{.Ports}}",
        "{{.CreatedAt}}",
        "{{.RunningFor}}",
        "{{.Networks}}",
        "{{.Mounts}}",
        "{{upper .Names}}",
        "{{json .Names}}",
        "{{.LocalVolumes}}",
    ],
)
def test_ps_format_is_docker_s(cell: Cell, web: str, template: str) -> None:
    for attempt in range(3):  # "2 seconds ago" may change between the two
        ours = cell(f"%container ps --filter name={web} --format '{template}'").result
        theirs = docker_says("ps", "--filter", f"name={web}", "--format", template)
        if ours.text == theirs:
            break
        assert attempt < 2, (ours.text, theirs)


def test_ps_quiet_and_table(cell: Cell, web: str) -> None:
    assert cell(f"%container ps -q --filter name={web}").result.text == docker_says(
        "ps", "-q", "--filter", f"name={web}"
    )
    table = cell(
        rf"%container ps --filter name={web} --format 'table {{{{.Names}}}}\t{{{{.Image}}}}'"
    )
    assert str(table.result).split("\n")[0].split() == ["NAMES", "IMAGE"]


@pytest.mark.parametrize("bad", ["nmae=x", "name", "status=sleeping"])
def test_a_bad_filter_is_one_clear_line(fails: Fails, bad: str) -> None:
    error = fails(f"%container ps --filter {bad}")
    assert isinstance(error, OptionError | EngineError)


# --- inspect, port, top, diff -------------------------------------------------------------------


@pytest.mark.parametrize(
    "template",
    [
        "{{.State.Status}}",
        "{{json .Config.Cmd}}",
        "{{.HostConfig.Memory}}",
        "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}",
        "{{.Name}} {{.State.Running}}",
        '{{index .Config.Labels "color"}}',
        "{{range $p, $c := .NetworkSettings.Ports}}{{$p}} -> {{(index $c 0).HostPort}}{{end}}",
        "{{.Config.Env}}",
        "{{len .Config.Env}}",
    ],
)
def test_inspect_format_is_docker_s(cell: Cell, web: str, template: str) -> None:
    ours = cell(f"%container inspect -f '{template}' {web}").result
    assert ours.text == docker_says("inspect", "-f", template, web)


def test_inspect_is_docker_s_json(cell: Cell, web: str) -> None:
    ours = cell(f"%container inspect {web} course/busybox").result
    assert ours.data == json.loads(docker_says("inspect", web, "course/busybox"))


def test_unknown_names_get_the_closest(fails: Fails, web: str) -> None:
    for words in ("inspect", "logs", "port", "top", "diff", "rm"):
        error = fails(f"%container {words} {web}x")
        assert isinstance(error, EngineError), words
        assert f"did you mean {web}?" in (error.hint or ""), words


def test_top_port_diff(cell: Cell, web: str) -> None:
    assert list(cell(f"%container top {web}").result[0].values())[-1] == "httpd -f"
    assert cell(f"%container port {web}").result.lines == [f"80/tcp -> 127.0.0.1:{PORT}"]
    cell(f"%container exec {web} sh -c 'echo > /new; rm /etc/group'")
    rows = {r["Path"]: r["Kind"] for r in cell(f"%container diff {web}").result}
    assert rows["/new"] == "A"
    assert rows["/etc"] == "C"


# --- exec, logs -----------------------------------------------------------------------------------


def test_exec(cell: Cell, fails: Fails, web: str) -> None:
    run = cell(f"%container exec -e A=1 -w /tmp -u 1 {web} sh -c 'echo $A; pwd; id -u'").result
    assert run.stdout == "1\n/tmp\n1\n"
    assert cell(f"%%container exec {web}\necho $((6*7))\n").result.stdout == "42\n"
    assert cell(f"%container exec -d {web} touch /done").result.exit_code is None
    error = fails(f"%container exec {web} sh -c 'exit 4'")
    assert isinstance(error, ContainerError)
    assert error.status == 4
    error = fails(f"%container exec {web} nothing-here")
    assert isinstance(error, ContainerError)
    assert "not found" in error.message
    cell(f"%container stop -t 0 {web}")
    assert isinstance(fails(f"%container exec {web} ls"), EngineError)


def test_exec_leaves_no_mark_in_the_environment(cell: Cell, web: str) -> None:
    ours = cell(f"%container exec {web} env").result.stdout
    assert ours == docker_says("exec", web, "env") + "\n"


def test_logs(cell: Cell, fails: Fails, web: str) -> None:
    log = cell(f"%container logs {web}").result
    assert (log.stdout, log.stderr) == ("one\n", "two\n")
    assert cell(f"%container logs --tail 1 {web}").result.stdout in ("one\n", "")
    assert cell(f"%container logs --since 1h {web}").result.stdout == "one\n"
    assert cell(f"%container logs --until 1h {web}").result.stdout == ""
    assert cell(f"%container logs -t {web}").result.stdout.endswith("Z one\n")
    assert isinstance(fails(f"%container logs --tail some {web}"), OptionError)
    assert isinstance(fails(f"%container logs --since yesterday {web}"), OptionError)


def test_following_shows_lines_as_they_come(cell: Cell, name: str, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    """The first line is on the screen while the container is still running: it waits for that."""
    import sys

    wait = "until [ -e /seen ] || [ $((n += 1)) -gt 600 ]; do sleep 0.1; done"
    script = f"echo first; {wait}; [ -e /seen ] && echo last"
    cell(f"%container run -d --name {name} course/busybox sh -c '{script}'")
    seen: list[str] = []

    class Screen:
        def write(self, text: str) -> int:
            seen.extend(text.split())
            if "first" in text:
                subprocess.run(["docker", "exec", name, "touch", "/seen"], check=True)
            return len(text)

        def flush(self) -> None: ...

    monkeypatch.setattr(sys, "stdout", Screen())
    from course_magics.magics.base import cell_streams

    out, err = cell_streams()
    from course_magics.containers.logs import logs

    logs(name, out=out, err=err, follow=True)
    assert seen == ["first", "last"]


# --- life cycle --------------------------------------------------------------------------------------


def test_the_life_of_a_container(cell: Cell, api: docker.APIClient, web: str) -> None:
    def state() -> str:
        return str(api.inspect_container(web)["State"]["Status"])

    cell(f"%container stop -t 0 {web}")
    assert state() == "exited"
    cell(f"%container start {web}")
    assert state() == "running"
    cell(f"%container restart -t 0 {web}")
    assert state() == "running"
    cell(f"%container kill -s KILL {web}")
    assert cell(f"%container wait {web}").result.statuses == {web: 137}
    assert state() == "exited"
    cell(f"%container rm {web}")
    assert not exists(api, web)
    assert cell(f"%container rm -f {web}").result.absent == [web]


def test_one_failure_does_not_stop_the_others(fails: Fails, api, web: str) -> None:  # type: ignore[no-untyped-def]
    error = fails(f"%container kill {web}-nothing {web}")
    assert isinstance(error, EngineError)
    assert f"killed: {web}" in error.message
    assert api.inspect_container(web)["State"]["Status"] == "exited"
    assert error.result.names == [web]  # type: ignore[attr-defined]


def test_a_running_container_is_not_removed_without_force(fails: Fails, api, web: str) -> None:  # type: ignore[no-untyped-def]
    assert isinstance(fails(f"%container rm {web}"), EngineError)
    assert exists(api, web)


# --- images -------------------------------------------------------------------------------------------


def test_images_tag_history_rmi(cell: Cell, fails: Fails, name: str) -> None:
    cell(f"%container tag course/busybox {name}:one")
    table = cell(f"%container images {name}").result
    assert [(r["Repository"], r["Tag"]) for r in table] == [(name, "one")]
    theirs = docker_says("images", "--format", "{{.Repository}}:{{.Tag}} {{.ID}} {{.Size}}", name)
    template = "{{.Repository}}:{{.Tag}} {{.ID}} {{.Size}}"
    assert cell(f"%container images --format '{template}' {name}").result.text == theirs
    rows = cell(f"%container history {name}:one").result
    assert len(rows) == len(docker_says("history", "-q", f"{name}:one").split("\n"))
    cell(f"%container rmi {name}:one")
    assert len(cell(f"%container images {name}").result) == 0
    error = fails(f"%container rmi {name}:one")
    assert isinstance(error, EngineError)
    assert isinstance(fails("%container tag course/nothing x"), EngineError)


def test_pull_says_what_it_could_not_do(fails: Fails) -> None:
    error = fails("%container pull 127.0.0.1:9/nothing/here")
    assert isinstance(error, EngineError)
    assert "could not be pulled" in error.message
    assert isinstance(fails("%container pull UPPER/case"), EngineError)


# --- cp -------------------------------------------------------------------------------------------------


@pytest.fixture
def tree(here: Path) -> Path:
    (here / "dir/sub").mkdir(parents=True)
    (here / "file").write_text("F")
    (here / "dir/a").write_text("A")
    (here / "dir/sub/b").write_bytes(b"\x00\xff")
    (here / "link").symlink_to("file")
    return here


@pytest.mark.parametrize(
    ("source", "target", "check"),
    [
        ("file", "/tmp", "cat /tmp/file"),
        ("file", "/tmp/new", "cat /tmp/new"),
        ("dir", "/tmp", "ls /tmp/dir/sub"),
        ("dir", "/tmp/made", "ls /tmp/made/sub"),
        ("dir/.", "/tmp", "ls /tmp/sub"),
        ("link", "/tmp", "readlink /tmp/link"),
    ],
)
def test_cp_into_a_container_lands_where_docker_s_does(
    cell: Cell, name: str, tree: Path, source: str, target: str, check: str
) -> None:
    for suffix in ("a", "b"):
        cell(f"%container run -d --name {name}-{suffix} course/busybox sleep 99")
    cell(f"%container cp {source} {name}-a:{target}")
    docker_says("cp", source, f"{name}-b:{target}")
    assert docker_says("exec", f"{name}-a", *check.split()) == docker_says(
        "exec", f"{name}-b", *check.split()
    )


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("/etc/passwd", "."),
        ("/etc/passwd", "renamed"),
        ("/etc", "existing"),
        ("/etc", "made"),
        ("/etc/.", "existing"),
        ("/etc/passwd", "existing/"),
    ],
)
def test_cp_out_of_a_container_lands_where_docker_s_does(
    cell: Cell, web: str, here: Path, monkeypatch: pytest.MonkeyPatch, source: str, target: str
) -> None:
    found = []
    for who in ("ours", "theirs"):
        (here / who / "existing").mkdir(parents=True)
        monkeypatch.chdir(here / who)
        if who == "ours":
            cell(f"%container cp {web}:{source} {target}")
        else:
            docker_says("cp", f"{web}:{source}", target)
        found.append(sorted(str(p.relative_to(here / who)) for p in (here / who).rglob("*")))
    assert found[0] == found[1]


def test_cp_refuses_what_cannot_be(cell: Cell, fails: Fails, web: str, tree: Path) -> None:
    for words in (
        "file other",
        f"{web}:/etc {web}:/tmp",
        f"missing {web}:/tmp",
        f"{web}:/missing .",
        f"{web}:/etc file",
        f"file {web}:/no/such/folder/",
        f"file {web}-none:/tmp",
        f"{web}:/etc/passwd nowhere/deep/x",
    ):
        assert isinstance(fails(f"%container cp {words}"), EngineError | OptionError), words


def test_cp_does_not_leave_its_folder(cell: Cell, fails: Fails, web: str, here: Path) -> None:
    """A symbolic link out of the tree, made by the container, is not followed on the way out."""
    cell(f"%container exec {web} sh -c 'mkdir /x && ln -s /etc/passwd /x/l && ln -s ../.. /x/up'")
    error = None
    try:
        cell(f"%container cp {web}:/x .")
    except Exception as refused:
        error = refused
    assert error is None or isinstance(error, EngineError)
    assert not (here / "x/l").is_file() or (here / "x/l").is_symlink()


# --- clean ----------------------------------------------------------------------------------------------


def test_clean_removes_ours_and_nothing_else(cell: Cell, api, name: str) -> None:  # type: ignore[no-untyped-def]
    stranger = api.create_container("course/busybox", ["true"], name=f"{name}-stranger")
    api.create_volume(f"{name}-volume")
    try:
        cell(f"%container run -d --name {name}-ours course/busybox sleep 99")
        removed = cell("%engine clean --mine").result
        assert f"{name}-ours" in removed.removed["containers"]
        assert not exists(api, f"{name}-ours")
        assert api.inspect_container(stranger["Id"])
        assert api.inspect_volume(f"{name}-volume")
    finally:
        api.remove_volume(f"{name}-volume")


def test_clean_of_this_kernel_leaves_another_kernel_s(cell: Cell, api, name: str) -> None:  # type: ignore[no-untyped-def]
    made = api.create_container(
        "course/busybox", ["true"], name=f"{name}-other", labels={labels.SESSION: "another"}
    )
    cell("%engine clean --mine")
    assert api.inspect_container(made["Id"])


# --- the engine itself --------------------------------------------------------------------------------


def test_an_engine_that_is_not_there(ip: InteractiveShell, fails: Fails, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    from course_magics import engine

    monkeypatch.setenv("COURSE_ENGINE", "unix:///nowhere/docker.sock")
    engine.forget()
    try:
        for line in ("%container ps", "%container run --rm course/busybox", "%engine"):
            error = fails(line)
            assert isinstance(error, EngineError)
            assert "does not answer at unix:///nowhere/docker.sock" in error.message
        assert isinstance(fails("%%dockerfile\nFROM course/busybox"), EngineError)
    finally:
        monkeypatch.undo()
        engine.forget()


def test_switching_keeps_the_old_engine_when_the_new_one_fails(cell: Cell, fails: Fails) -> None:
    before = cell("%engine").result.engine.url
    assert isinstance(fails("%engine use unix:///nowhere.sock"), EngineError)
    assert isinstance(fails("%engine use no-such-context"), EngineError)
    assert cell("%engine").result.engine.url == before


def test_the_engine_breaks_in_the_middle_of_a_stream(cell: Cell, fails: Fails, here: Path) -> None:
    """A proxy in front of the socket is cut: a fault that the real engine does not make to order."""
    import socket

    from course_magics import engine

    path = here / "cut.sock"
    real = engine.current().url.removeprefix("unix://")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    pairs: list[socket.socket] = []

    def pass_on(one: socket.socket, other: socket.socket) -> None:
        try:
            while data := one.recv(65536):
                other.sendall(data)
        except OSError:
            pass

    def serve() -> None:
        try:
            while True:
                inside, _ = listener.accept()
                outside = socket.socket(socket.AF_UNIX)
                outside.connect(real)
                pairs.extend([inside, outside])
                for ends in ((inside, outside), (outside, inside)):
                    threading.Thread(target=pass_on, args=ends, daemon=True).start()
        except OSError:
            pass

    threading.Thread(target=serve, daemon=True).start()

    def cut() -> None:
        listener.close()
        for end in pairs:
            end.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(1.5, cut)
    try:
        cell(f"%engine use unix://{path}")
        timer.start()
        error = fails("%container run --rm course/busybox sh -c 'echo before; sleep 5'")
        assert isinstance(error, EngineError), error
        assert "broke" in error.message
    finally:
        timer.cancel()
        engine.use("")
    assert cell("%container run --rm course/busybox echo again").result.stdout == "again\n"


def test_errors_of_files_are_not_the_engine_s(fails: Fails, web: str, here: Path) -> None:
    (here / "closed").mkdir(mode=0o500)
    if os.geteuid() == 0:
        # Root may write anywhere: a file in place of a folder refuses as well.
        (here / "closed").rmdir()
        (here / "closed").write_text("")
    error = fails(f"%container cp {web}:/etc/passwd closed/deeper/file")
    assert isinstance(error, EngineError)
    assert "connection" not in error.message

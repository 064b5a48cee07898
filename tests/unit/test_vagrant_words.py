"""What `%vagrant` reads and writes: recorded output of the real vagrant 2.3.4, no machine."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from course_magics import process, runtime
from course_magics.engine import Engine
from course_magics.errors import CourseError, MachineError, OptionError
from course_magics.machines import ensure, lists, live, program, project, readable
from course_magics.machines.machine import Machine, Machines, change
from course_magics.machines.text import Lines
from course_magics.machines.vagrantfile import _place
from course_magics.magics.grammar import parse
from course_magics.magics.vagrant import MAGIC, WORDS, _words
from course_magics.streams import Stream

_STATUS = """\
1795523782,default,metadata,provider,qemu
1795523782,default,provider-name,qemu
1795523782,default,state,running
1795523782,default,state-human-short,running
1795523782,default,state-human-long,The machine is running. `vagrant halt` shuts it down%!(VAGRANT_COMMA) `vagrant suspend` saves its\\nmemory%!(VAGRANT_COMMA) `vagrant destroy` removes it.
1795523782,b,provider-name,qemu
1795523782,b,state,not_created
1795523782,b,state-human-short,not created
1795523782,,ui,info,Current machine states:\\n\\ndefault                   running (qemu)
"""
_ERROR = """\
1795523215,,ui,error,No usable default provider could be found for your system.\\n\\nVagrant relies
1795523215,,error-exit,Vagrant::Errors::NoDefaultProvider,No usable default provider could be found for your system.\\n\\nVagrant relies on 3rd party systems%!(VAGRANT_COMMA) known as\\n"providers"
"""
_SNAPSHOTS = """\
1795523787,default,metadata,provider,qemu
1795523787,default,ui,output,==> default: 
1795523787,default,ui,detail,one
1795523787,default,ui,detail,two
1795523787,web,ui,output,==> web: No snapshots have been taken yet!
1795523787,web,ui,detail,    web: You can take a snapshot using `vagrant snapshot save`. Note that
1795523787,db,ui,info,==> db: VM not created. Moving on...
"""  # noqa: W291
_GLOBAL = """\
1795523788,,metadata,machine-count,2
1795523788,,machine-id,28598ae
1795523788,,provider-name,qemu
1795523788,,machine-home,/tmp/m1
1795523788,,state,running
1795523788,,machine-id,72f2dda
1795523788,,provider-name,qemu
1795523788,,machine-home,/tmp/a%!(VAGRANT_COMMA)b
1795523788,,state,poweroff
1795523788,,ui,info,id       
"""  # noqa: W291


def _recorded(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Vagrant's answer as recorded, where only the reading of it is of interest."""
    monkeypatch.setattr(lists, "_ask", lambda folder, words, line: list(readable.read(text)))


def test_status_is_read() -> None:
    found = project._read(list(readable.read(_STATUS)))
    assert [(s.name, s.state, s.provider, s.human) for s in found] == [
        ("default", "running", "qemu", "running"),
        ("b", "not_created", "qemu", "not created"),
    ]


def test_vagrants_own_words_of_an_error() -> None:
    words = readable.error(_ERROR) or ""
    assert words.endswith('Vagrant relies on 3rd party systems, known as\n"providers"')
    assert readable.error(_STATUS) is None
    assert list(readable.read("some plugin's own words, two\n\n")) == []


def test_snapshots_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    _recorded(monkeypatch, _SNAPSHOTS)
    assert lists.snapshots(Path()).rows == [
        {"machine": "default", "name": "one"},
        {"machine": "default", "name": "two"},
    ]


def test_every_machine_is_listed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _recorded(monkeypatch, _GLOBAL)
    monkeypatch.setenv("VAGRANT_HOME", str(tmp_path))
    index = tmp_path / "data" / "machine-index" / "index"
    index.parent.mkdir(parents=True)
    index.write_text('{"version": 1, "machines": {"72f2dda0123": {"name": "web"}}}')
    rows = lists.everywhere().rows
    assert [row["name"] for row in rows] == ["", "web"]
    assert rows[1]["machine-home"] == "/tmp/a,b"
    assert list(lists.index()) == ["72f2dda0123"]
    for broken in ("{broken", "[]", "{}", '{"machines": []}'):
        index.write_text(broken)
        assert [row["name"] for row in lists.everywhere().rows] == ["", ""]


def _shown(*pieces: bytes) -> bytes:
    kept = process.Kept()
    lines = Lines(kept)
    for piece in pieces:
        lines.write(piece)
    lines.close()
    return bytes(kept.data)


def test_chance_lines_are_left_out() -> None:
    assert (
        _shown(
            b"==> default: Waiting for machine to boot.\n    default: Warn",
            b"ing: Connection reset. Retrying...\n",
            b"    default: Warning: Authentication failure. Retrying...\n",
            b"==> default: Fixed port collision for 22 => 2222. Now on port 2200.\n",
            b"==> default: Fixed port collision for 80 => 8080. Now on port 2201.\n",
            b"Progress: 3%\rProgress: 90%\n    default: \xff half",
        )
        == b"==> default: Waiting for machine to boot.\n"
        b"==> default: Fixed port collision for 80 => 8080. Now on port 2201.\n"
        b"    default: \xff half"
    )
    assert _shown(b"old\rnew\r\n") == b"new\n"
    assert _shown(b"a", b"\n\n", b"b") == b"a\n\nb"


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("up", "up"),
        ("up web db --no-provision --dir x", "up --no-provision web db"),
        ("up --provider=qemu --destroy-on-error=false", "up --provider qemu"),
        ("snapshot save web clean -f", "snapshot save --force web clean"),
        ("provision --provision-with a,b", "provision --provision-with a,b"),
        ("reload -f", "reload --force"),
        ("port --guest 80", "port --guest 80"),
        ("box add --name x ./a.box -o made", "box add --name x ./a.box"),
        ("package --output x.box", "package --output x.box"),
    ],
)
def test_words_for_vagrant(typed: str, words: str) -> None:
    assert " ".join(_words(parse(MAGIC, typed.split()))) == words


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("staus", "%vagrant status"),
        ("up --provison", "--provision"),
        ("snapshot lst", "snapshot list"),
        ("snapshot save", "usage"),
        ("validate x", "usage"),
    ],
)
def test_wrong_words_get_the_closest(typed: str, hint: str) -> None:
    with pytest.raises(OptionError) as caught:
        parse(MAGIC, typed.split())
    assert hint in (caught.value.hint or "")


def test_every_flag_is_vagrants() -> None:
    """Each word's flags stand in `vagrant WORD --help`, but for those that are ours."""
    try:
        program.find()
    except MachineError as error:
        pytest.skip(str(error))
    for word in WORDS:
        if word.name in ("up", "reload", "snapshot restore", "box add", "ssh", "init", "package"):
            shown = subprocess.run(
                ["vagrant", *word.name.split(), "--help"],
                capture_output=True,
                text=True,
                check=True,
                env={**os.environ, "VAGRANT_CHECKPOINT_DISABLE": "1"},
            ).stdout
            for flag in word.flags:
                if flag.long not in ("--dir", "--sudo"):
                    bare = flag.long.removeprefix("--no-").removeprefix("--")
                    assert bare in shown, (word.name, flag.long)


def test_ssh_needs_a_command(ip: InteractiveShell) -> None:
    result = ip.run_cell("%vagrant ssh")
    assert isinstance(result.error_in_exec, OptionError)
    assert "-c" in result.error_in_exec.message
    result = ip.run_cell("%%vagrant ssh -c ls\nls")
    assert isinstance(result.error_in_exec, OptionError)
    result = ip.run_cell("%vagrantfile")
    assert isinstance(result.error_in_exec, OptionError)
    result = ip.run_cell("%%vagrant up\nls")
    assert isinstance(result.error_in_exec, OptionError)


@pytest.mark.parametrize(
    "cell",
    [
        "%vagrant up",
        "%vagrant status",
        "%vagrant ssh -c ls",
        "%vagrant box list",
        "%vagrant version",
        "%vagrant init",
        "%%vagrantfile\nx",
        "%%vagrant ssh\nls",
    ],
)
def test_without_vagrant(
    cell: str, ip: InteractiveShell, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(here))
    error = ip.run_cell(cell).error_in_exec
    assert isinstance(error, MachineError)
    assert error.message == "vagrant is not installed"
    assert "install" in (error.hint or "")
    assert not (here / "Vagrantfile").exists()


def test_hostile_names_are_escaped() -> None:
    evil = "<script>alert(1)</script>\x1b[31m"
    machine = Machine(Path(), project.State(evil, evil, evil, evil), evil)
    for shown in (machine, Machines([machine], evil), lists.Text(evil, evil)):
        html = shown._repr_mimebundle_()["text/html"]
        assert "<script>" not in html
        assert "\x1b" not in html + str(shown)


def test_machines_by_name() -> None:
    machines = Machines([Machine(Path(), project.State("web", "running", "qemu"))])
    assert machines["web"] is machines[0]
    with pytest.raises(MachineError) as caught:
        machines["wbe"]
    assert "web" in (caught.value.hint or "")


def test_the_line_at_fault(tmp_path: Path) -> None:
    path = tmp_path / "Vagrantfile"
    path.write_text("one\n# config.vm.bax\n  config.vm.bax = 1\nfour\n")
    assert _place("/x/Vagrantfile:4: syntax error", path) == (4, "four")
    assert _place("Path: Vagrantfile\nLine number: 1\nMessage: no", path) == (1, "one")
    assert _place("Line number: 0\nMessage: no `four'\n\nfour\n^^^^", path) == (4, "four")
    words = "* The following settings shouldn't exist: bax"
    assert _place(words, path) == (3, "config.vm.bax = 1")
    assert _place("Vagrantfile:99: end of file", path) == (4, "four")
    assert _place("something else", path) == (0, "")


def test_primary_machine(tmp_path: Path) -> None:
    file = tmp_path / "Vagrantfile"
    file.write_text('c.vm.define "web", autostart: false\n# c.vm.define "no", primary: true\n')
    assert project.primary(tmp_path) is None
    file.write_text('c.vm.define "web"\n  c.vm.define :db, primary: true do |d|\n')
    assert project.primary(tmp_path) == "db"


@pytest.mark.parametrize(
    ("text", "own"),
    [
        ('config.vm.define "web"', True),
        ('ENV["N"].to_i.times { }', False),
        ('YAML.load_file("x")', False),
        ("names = `ls`", False),
        ('require "json"', False),
        ('eval File.read("x")', False),
    ],
)
def test_names_are_kept_only_where_the_file_is_all(tmp_path: Path, text: str, own: bool) -> None:
    assert project._fingerprint(tmp_path) is None
    (tmp_path / "Vagrantfile").write_text(text)
    assert (project._fingerprint(tmp_path) is not None) is own


def test_live_state_of_what_is_no_machine(tmp_path: Path) -> None:
    data = tmp_path / "qemu"
    data.mkdir()
    assert live.state(tmp_path / "virtualbox") is None
    assert live.state(data) == "not_created"
    (data / "id").write_text("12345678-1234")
    assert live.state(data) == "not_created"
    (data / "machine.qcow2").touch()
    assert live.state(data) == "poweroff"
    (data / "suspended").touch()
    assert live.state(data) == "saved"
    # A number that another process has now.
    (data / "pid").write_text(str(os.getpid()))
    assert live.state(data) == "saved"
    (data / "pid").write_text("junk")
    assert live.state(data) == "saved"
    (data / "suspended").unlink()
    assert live.state(data) == "aborted"


def test_runtime_folder_of_somebody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    # Not tmp_path: it is too long for a socket.
    with tempfile.TemporaryDirectory(prefix="cm-", dir="/tmp") as name:
        place = Path(name) / "course-magics"
        monkeypatch.setenv("XDG_RUNTIME_DIR", name)
        assert runtime.folder() == place
        place.rmdir()
        elsewhere = Path(name) / "elsewhere"
        elsewhere.mkdir(mode=0o700)
        place.symlink_to(elsewhere)
        assert runtime.folder() != place
        place.unlink()
        place.mkdir(mode=0o755)
        assert runtime.folder() != place
        monkeypatch.setenv("XDG_RUNTIME_DIR", name + "/" + "d" * 60)
        assert len(str(runtime.folder())) < 60


def test_process_passes_on_both_streams_and_the_status() -> None:
    out, err = process.Kept(), process.Kept()
    status = process.run(["sh", "-c", "printf 'a\\377'; printf b >&2; exit 3"], out=out, err=err)
    assert (status, bytes(out.data), bytes(err.data)) == (3, b"a\xff", b"b")
    with pytest.raises(OSError):
        process.run(["/no/such/program"], out=out, err=err)


def test_process_that_will_not_end_is_killed() -> None:
    class Press:
        def write(self, data: bytes) -> None:
            raise KeyboardInterrupt

    script = "trap '' INT TERM; echo $$; while :; do sleep 0.1; done"
    out: Any = Press()
    before = os.times().elapsed
    with pytest.raises(KeyboardInterrupt):
        process.run(["sh", "-c", script], out=out, err=process.Kept())
    assert os.times().elapsed - before < 3


def test_lifeline_is_open_until_the_end() -> None:
    out = process.Kept()
    script = "(cat; echo closed >&2) & sleep 0.3; echo done; kill $!"
    process.run(["sh", "-c", script], out=out, err=Stream(), lifeline=b"")
    assert out.text == "done\n"


def test_help_of_every_word(ip: InteractiveShell) -> None:
    for word in WORDS:
        found = ip.run_cell(f"%vagrant {word.name} --help")
        assert not isinstance(found.error_in_exec, CourseError)
        assert word.summary in str(found.result)


def test_vagrants_docker_provider_uses_the_engine_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("course_magics.engine.in_use", lambda: None)
    assert not any(key.startswith("DOCKER") for key in program.environment())
    one = Engine("one", "unix:///run/one.sock", "by its name", None)  # type: ignore[arg-type]
    monkeypatch.setattr("course_magics.engine.in_use", lambda: one)
    found = program.environment()
    assert found["DOCKER_HOST"] == "unix:///run/one.sock"
    assert found["DOCKER_CONTEXT"] == found["DOCKER_CERT_PATH"] == "", "nothing leads elsewhere"


def test_up_is_tried_again_where_somebody_elses_container_went(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lost = 'Command: ["docker", "inspect", "0f"]\n\nStderr: Error: No such object: 0f'
    said = [lost, lost, "", "no such image", lost]
    tried = []

    def stream(folder: Path, words: list[str], out: object, line: str) -> str:
        tried.append(words[0])
        if detail := said.pop(0):
            raise MachineError("vagrant could not do that", detail=detail)
        return ""

    monkeypatch.setattr(program, "stream", stream)
    monkeypatch.setattr(ensure, "provider_known", lambda: None)
    monkeypatch.setattr(ensure, "box_known", lambda *_: None)
    monkeypatch.setattr(project, "states", lambda *_: [])
    change(tmp_path, ["up"])
    assert tried == ["up"] * 3
    with pytest.raises(MachineError):
        change(tmp_path, ["up"])  # another fault ends it at once
    with pytest.raises(MachineError):
        change(tmp_path, ["halt"])
    assert not said

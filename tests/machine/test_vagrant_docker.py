"""`%vagrant` on a provider that is not ours: Vagrant's own for Docker."""

from __future__ import annotations

import fcntl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

from course_magics import engine, guest, settings
from course_magics.errors import MachineError
from course_magics.machines import lists, program
from course_magics.machines import machine as machines
from course_magics.machines.vagrantfile import write

pytestmark = [pytest.mark.machine, pytest.mark.engine]

_FILE = """\
Vagrant.configure("2") do |config|
  config.vm.synced_folder ".", "/vagrant", disabled: true
  config.vm.provider "docker" do |docker|
    docker.image = "course/busybox"
    docker.cmd = ["sleep", "1000"]
  end
  config.vm.define "web"
  config.vm.define "db"
end
"""


@pytest.fixture
def pair(here: Path) -> Iterator[Path]:
    """A project of two containers, of which none is made yet."""
    with engine.talking("docker build") as api:
        guest.build_images(api, lambda words: None, ["course/busybox"])
    write(here, _FILE)
    yield here
    machines.change(here, ["destroy", "-f"])


def test_states_come_from_vagrant(pair: Path, ip: InteractiveShell) -> None:
    found = ip.run_cell("r = %vagrant up web --provider docker\nr").result
    assert found.rows == [{"name": "web", "state": "running", "provider": "docker"}]
    states = {m.name: m.state for m in machines.status(pair)}
    assert states == {"web": "running", "db": "not_created"}
    assert machines.status(pair)["web"].halt().state == "stopped"
    assert machines.status(pair, ["web"])[0].state == "stopped"
    assert found["web"].up().state == "running"
    # Killed and removed behind vagrant's back.
    id = (pair / ".vagrant/machines/web/docker/id").read_text().strip()
    with engine.talking("docker rm") as api:
        api.remove_container(id, force=True)
    assert {m.state for m in machines.status(pair)} == {"not_created"}


def test_states_are_told_though_another_vagrant_looks_at_the_machine(
    pair: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`vagrant global-status` in a terminal locks each machine for a moment."""
    machines.change(pair, ["up", "web", "--provider", "docker"])
    index = (pair / ".vagrant/machines/web/docker/index_uuid").read_text().strip()
    with (lists.vagrant_home() / f"data/machine-index/{index}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        monkeypatch.setattr(settings.current(), "patience", 1)
        with pytest.raises(MachineError, match="locked"):
            program.ask(pair, ["status"])
        monkeypatch.undo()
        threading.Timer(3, lambda: fcntl.flock(lock, fcntl.LOCK_UN)).start()
        assert machines.status(pair)["web"].state == "running"


def test_a_vagrantfile_for_docker_is_valid_without_the_docker_command(
    here: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a computer with the embedded engine only: `up` says what is missing, not `validate`."""
    programs = tmp_path_factory.mktemp("bin")
    for one in Path("/usr/bin").iterdir():
        if one.name != "docker":
            (programs / one.name).symlink_to(one)
    monkeypatch.setenv("PATH", str(programs))
    text = 'Vagrant.configure("2") do |config|\n  config.vm.provider "docker" do |docker|\n'
    write(here, f'{text}    docker.image = "course/busybox"\n  end\nend\n')
    with pytest.raises(MachineError, match="is not valid, line 2"):
        write(here, text.replace("config.vm.provider", "config.vm.porvider", 1) + "  end\nend\n")

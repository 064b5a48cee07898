"""`%vagrant` on a provider that is not ours: Vagrant's own for Docker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

from course_magics import engine, guest
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

"""The nodes of a swarm as machines: one Vagrantfile, a private network, a dockerd in each.

It needs no root and works wherever vagrant does. Docker reaches each node as it reaches a machine
of `course-magics host`: over ssh, by a name that stands in the reader's ssh configuration.
"""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import dataclass
from pathlib import Path

from course_magics import storage
from course_magics.errors import CourseError
from course_magics.machines import hosts, program, project, ssh
from course_magics.machines import machine as machines
from course_magics.machines.vagrantfile import write
from course_magics.runtime import state_dir
from course_magics.streams import Stream
from course_magics.swarms.members import Say

#: VirtualBox takes private addresses from 192.168.56.0/21 only; the other providers take any.
_NETWORK = "192.168.56."
_FILE = '"#{machine.name}.ssh_config"'  # in Ruby
#: The variable: see `engine/namespaced.py`. dockerd starts when the private network is there, and
#: while the next machine boots.
_VAGRANTFILE = """\
# Made by `course-magics swarm up`; `course-magics swarm down` removes all of it.
Vagrant.configure("2") do |config|
  config.vm.box = "course/debian12"
  config.vm.synced_folder ".", "/vagrant", disabled: true
{machines}  config.vm.provision "shell", run: "always", inline: <<~SCRIPT
    mkdir -p /etc/systemd/system/docker.service.d
    printf '[Service]\\nEnvironment=DOCKER_SERVICE_PREFER_OFFLINE_IMAGE=1\\n' \\
      > /etc/systemd/system/docker.service.d/swarm.conf
    systemctl daemon-reload
    systemctl start --no-block docker
  SCRIPT
{trigger}end
"""
_MACHINE = """\
  config.vm.define "{name}" do |node|
    node.vm.hostname = "{name}"
    node.vm.network "private_network", ip: "{address}"
  end
"""


@dataclass(frozen=True)
class Guest:
    """One machine with an engine. address: that on the private network."""

    folder: Path
    name: str
    address: str

    @property
    def url(self) -> str:
        """Where docker reaches it."""
        return f"ssh://{self.name}"

    def start(self) -> None:
        """Start it and its engine. Raises MachineError."""
        machines.change(self.folder, ["up", self.name], names=[self.name])
        hosts.engine_runs(self.folder, self.name)

    def kill(self) -> None:
        """Cut its power. Raises MachineError."""
        machines.change(self.folder, ["halt", "-f", self.name], names=[self.name])


class Guests:
    """The machines of one swarm, in a Vagrant project of their own."""

    #: Docker's own: in emulation on a busy computer a machine may well be silent for six seconds.
    heartbeat = 5

    def __init__(self, name: str, count: int) -> None:
        self.folder = state_dir() / "swarms" / name
        self.nodes = [
            Guest(self.folder, f"{name}-{number}", f"{_NETWORK}{10 + number}")
            for number in range(1, count + 1)
        ]

    @property
    def there(self) -> bool:
        """Whether they have addresses: always, they stand in the Vagrantfile."""
        return True

    @property
    def left(self) -> list[str]:
        """The names of the nodes of which there is something: all, where that is not known."""
        if not self.folder.exists():
            return []
        names = [node.name for node in self.nodes]
        return [n for n in names if project.data_folder(self.folder, n)] or names[:1]

    def check(self) -> None:
        """Raises MachineError where vagrant is missing, OptionError: a name that ssh knows."""
        program.find()
        for node in self.nodes:
            hosts.free_for_ssh(node.name)

    def start(self, say: Say) -> None:
        """Make all of them and start their engines. Raises MachineError, Interrupted."""
        made = [_MACHINE.format(name=node.name, address=node.address) for node in self.nodes]
        trigger = hosts.trigger(self.folder, _FILE)
        storage.private_folder(self.folder)
        write(self.folder, _VAGRANTFILE.format(machines="".join(made), trigger=trigger))
        hosts.show_to_ssh()
        told = Stream(lambda text: say(text.rstrip("\n")))
        machines.change(self.folder, ["up"], out=told)
        for node in self.nodes:
            hosts.engine_runs(self.folder, node.name)
            say(f"  {node.name} answers at {node.address}")

    def running(self) -> set[str]:
        """The names of those that run."""
        return {found.name for found in project.states(self.folder) if found.state == "running"}

    def prepare(self) -> None:
        """Nothing: Vagrant sees to the network."""

    def remove(self) -> None:
        """Remove them and their project. Raises MachineError where vagrant cannot."""
        if any(project.data_folder(self.folder, node.name) for node in self.nodes):
            machines.change(self.folder, ["destroy", "-f"])
        with contextlib.suppress(CourseError):
            ssh.drop(self.folder)
        shutil.rmtree(self.folder, ignore_errors=True)
        hosts.hide_from_ssh()

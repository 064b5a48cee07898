"""Vagrantfiles written for other providers, as books and manuals have them, come up unchanged."""

from __future__ import annotations

import os
import re
import signal
import socket
import urllib.request

import pytest

from course_magics.guest import acceleration
from course_magics.machines import program
from course_magics.patience import until
from tests.machine import test_provider
from tests.machine.test_provider import Make, Project

pytestmark = pytest.mark.machine

home = test_provider.home
make = test_provider.make

_VIRTUALBOX = """\
# -*- mode: ruby -*-
# vi: set ft=ruby :

Vagrant.configure("2") do |config|
  config.vm.box = "course/debian12"
  config.vm.box_check_update = false
  config.vm.post_up_message = "The site is on port BUSY."
  config.ssh.forward_agent = true

  # Share the site with the web server's user.
  config.vm.synced_folder "site/", "/srv/site", type: "virtualbox",
    owner: "www-data", group: "www-data", mount_options: ["dmode=775,fmode=664"]
  config.vm.synced_folder "./data", "/vagrant_data", create: true
  config.vm.synced_folder ".", "/vagrant", disabled: true

  config.vm.provider "virtualbox" do |vb|
    vb.gui = false
    vb.name = "book-web"
    vb.memory = "768"
    vb.cpus = 1
    vb.linked_clone = true
    vb.check_guest_additions = false
    vb.customize ["modifyvm", :id, "--natdnshostresolver1", "on"]
    vb.customize ["modifyvm", :id, "--cpuexecutioncap", "50"]
  end

  config.vm.define "web", primary: true do |web|
    web.vm.hostname = "web"
    web.vm.network "forwarded_port", guest: 80, host: BUSY, host_ip: "127.0.0.1",
      auto_correct: true
    web.vm.network "private_network", ip: "192.168.33.10"
    web.vm.network "public_network", bridge: "en0: Wi-Fi (AirPort)"
    web.vm.provision "file", source: "motd", destination: "/tmp/motd"
    web.vm.provision "shell", inline: <<-SHELL
      echo "inline as $(whoami)"
      cp /tmp/motd /etc/motd
    SHELL
    web.vm.provision "site", type: "shell", path: "bootstrap.sh", args: ["one", "two words"],
      env: { "GREETING" => "hello" }
    web.vm.provision "shell", inline: "echo mine as $(whoami) > ~/mine", privileged: false
    web.vm.provision "shell", run: "always",
      inline: "busybox httpd -p 80 -h /srv/site; echo served"
  end

  config.vm.define "db", autostart: false do |db|
    db.vm.hostname = "db"
    db.vm.network "private_network", ip: "192.168.33.11"
  end
end
"""

_LIBVIRT = """\
Vagrant.configure("2") do |config|
  config.vm.box = "course/debian12"
  config.vm.hostname = "node.example.test"

  config.vm.provider :libvirt do |lv|
    lv.driver = "kvm"
    lv.uri = "qemu:///system"
    lv.memory = 512
    lv.cpus = 2
    lv.nested = true
    lv.cpu_mode = "host-passthrough"
    lv.graphics_type = "spice"
    lv.video_type = "qxl"
    lv.storage_pool_name = "default"
    lv.storage :file, size: "1G", type: "qcow2"
    lv.channel type: "unix", target_name: "org.qemu.guest_agent.0", target_type: "virtio"
    lv.memorybacking :access, mode: "shared"
  end

  config.vm.synced_folder ".", "/vagrant", type: "nfs", nfs_version: 4, nfs_udp: false
  config.vm.synced_folder "nine", "/nine", type: "9p", accessmode: "mapped", disabled: false
  config.vm.synced_folder "fs", "/fs", type: "virtiofs"

  config.vm.network :private_network, type: "dhcp", libvirt__network_name: "course",
    libvirt__network_address: "192.168.56.0", libvirt__forward_mode: "none"
  config.vm.network :private_network, ip: "10.20.30.40", libvirt__network_name: "second",
    libvirt__dhcp_enabled: false
  config.vm.network :public_network, dev: "br0", mode: "bridge", type: "bridge"
  config.vm.network :forwarded_port, guest: 8000, host: PORT, gateway_ports: true

  config.vm.provision :shell, inline: "cat /nine/file /fs/file"
end
"""


def _put(project: Project, files: dict[str, str]) -> None:
    for name, text in files.items():
        (project.folder / name).parent.mkdir(exist_ok=True)
        (project.folder / name).write_text(text)


def _page(project: Project, machine: str, guest: int, path: str) -> bytes:
    ports = dict(re.findall(r"(\d+) \(guest\) => (\d+)", project.vagrant("port", machine)))
    url = f"http://127.0.0.1:{ports[str(guest)]}/{path}"
    with urllib.request.urlopen(url, timeout=20) as page:
        found: bytes = page.read()
    return found


def test_one_for_virtualbox(make: Make) -> None:
    one = make()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        busy = str(taken.getsockname()[1])
        _put(
            one,
            {
                "Vagrantfile": _VIRTUALBOX.replace("BUSY", busy),
                "site/index.html": "<h1>It works</h1>\n",
                "motd": "Welcome\n",
                "bootstrap.sh": '#!/bin/bash\necho "$GREETING: $# arguments, the second: $2"\n',
            },
        )
        out = one.vagrant("up")
    assert "with 'qemu' provider" in out
    assert "/srv/site: copied from the host by rsync, as this provider has no 'virtualbox'" in out
    assert "/vagrant_data: " not in out
    assert out.count("public_network is left out") == 1
    for said in ("inline as root", "hello: 2 arguments, the second: two words", "web: served"):
        assert said in out
    assert f"The site is on port {busy}." in out
    assert f"Fixed port collision for 80 => {busy}" in out
    assert (one.state("web"), one.state("db")) == ("running", "not_created")

    shown = one.ssh(
        "hostname; nproc; awk '/MemTotal/ {print int($2 / 1024)}' /proc/meminfo; cat ~/mine;"
        " ip -4 -o addr show eth1 | grep -o 192.168.33.10/24; cat /etc/motd;"
        " stat -c %U:%G /srv/site/index.html; ls -d /vagrant_data;"
        " [ -e /vagrant ] || echo no /vagrant",
        "web",
    ).splitlines()
    assert (shown[0], shown[1], shown[3:]) == (
        "web",
        "1",
        [
            "mine as vagrant",
            "192.168.33.10/24",
            "Welcome",
            "www-data:www-data",
            "/vagrant_data",
            "no /vagrant",
        ],
    )
    assert 640 < int(shown[2]) < 768
    assert _page(one, "web", 80, "") == b"<h1>It works</h1>\n"

    # What the machine has written must be on its disk: a power cut takes the rest with it.
    one.ssh("sync", "web")
    # Killed from outside, it is told from one that was shut down, and boots again.
    os.kill(one.qemus()[0], signal.SIGKILL)
    assert until(lambda: one.qemus() == [])
    assert one.state("web") == "aborted"
    out = one.vagrant("up")
    assert "web: served" in out
    assert "inline as root" not in out, "provisioned a second time"
    assert _page(one, "web", 80, "") == b"<h1>It works</h1>\n"

    one.vagrant("halt")
    assert (one.state("web"), one.qemus()) == ("poweroff", [])
    one.vagrant("destroy", "-f")
    assert one.state("web") == "not_created"


def test_one_for_libvirt(make: Make) -> None:
    one = make()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    _put(
        one,
        {
            "Vagrantfile": _LIBVIRT.replace("PORT", port),
            "nine/file": "over nine\n",
            "fs/file": "over fs\n",
        },
    )
    out = one.vagrant("up")
    assert "with 'qemu' provider" in out
    for place, type in (("/vagrant", "nfs"), ("/nine", "9p"), ("/fs", "virtiofs")):
        assert f"{place}: copied from the host by rsync" in out
        assert f"has no '{type}' folders" in out
    assert "public_network is left out" in out
    assert "one private network" in out
    assert "over nine" in out
    assert "over fs" in out
    shown = one.ssh(
        "hostname; nproc; ip -4 -o addr show eth1 | grep -o '192.168.56.[0-9]*/24';"
        " cmp /vagrant/nine/file /nine/file && sudo busybox httpd -p 8000 -h /fs; sync"
    )
    assert shown.split() == ["node", "2", "192.168.56.101/24"]
    assert _page(one, "default", 8000, "file") == b"over fs\n"
    one.vagrant("destroy", "-f")
    assert (one.state(), one.qemus()) == ("not_created", [])


def test_the_provider_is_told_of_kvm_only_where_it_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acceleration, "known_to_work", lambda: True)
    assert program.environment()["COURSE_KVM"] == "1"
    monkeypatch.setattr(acceleration, "known_to_work", lambda: False)
    assert "COURSE_KVM" not in program.environment()

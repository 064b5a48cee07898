"""What version 0.1.0 has written is opened: progress, a registry, a Vagrant machine of the provider.

The files are as that version wrote them. The embedded engine's: tests/embedded/test_kept.py.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from course_magics import machines
from course_magics.lessons import progress
from course_magics.registry.place import Place

PROGRESS = """\
{
 "exercises": {
  "02-first": {
   "checks": 3,
   "hints": {
    "start": 2
   },
   "passed": "2026-10-02T09:30:00Z",
   "solution": ""
  }
 },
 "form": 1,
 "quizzes": {
  "02-docker": {
   "layers": {
    "first": false,
    "right": true,
    "tries": 2
   }
  }
 }
}
"""


def test_progress_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "progress.json"
    file.write_text(PROGRESS)
    monkeypatch.setenv("COURSE_PROGRESS", str(file))
    book, said = progress.load()
    assert said == ""
    done = book.exercises["02-first"]
    assert (done.passed, done.checks, done.hints) == ("2026-10-02T09:30:00Z", 3, {"start": 2})
    assert book.quizzes["02-docker"]["layers"].right
    assert progress.change(lambda book: book.exercise("03-next")) == ""
    assert progress.load()[0].exercises["02-first"].passed


def test_a_registry_is_found_with_its_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the state folder, where it is without `--folder`."""
    monkeypatch.setenv("COURSE_STATE", str(tmp_path))
    folder = tmp_path / "registry"
    blob = Path("docker/registry/v2/blobs/sha256/ab/abcd/data")
    (folder / "data" / blob).parent.mkdir(parents=True)
    (folder / "data" / blob).write_text("layer")
    (folder / "htpasswd").write_text("course:$2b$06$x\n")
    (folder / "password").write_text("secret\n")
    (folder / "config.yml").write_text("version: 0.1\n")
    (folder / "registry.json").write_text(
        '{"port": 5000, "user": "course", "mirror": "", "pid": 1, "began": "never", "container": ""}'
    )
    place = Place()
    place.make()
    facts = place.facts()
    assert facts is not None
    assert (facts.port, facts.user, facts.runs) == (5000, "course", False)
    assert (place.data / blob).read_text() == "layer"
    assert place.password.read_text() == "secret\n"


RUBY = """
require ARGV[0]
machine = Struct.new(:id, :data_dir).new("0123456789abcdef", Pathname.new(ARGV[1]))
driver = CourseQemu::Driver.new(machine)
puts JSON.generate(
  state: driver.state, suspension: driver.suspension, ports: driver.ports, ssh: driver.ssh_port,
  snapshots: driver.snapshots, known: driver.send(:known)
)
"""


@pytest.mark.skipif(
    shutil.which("ruby") is None or shutil.which("qemu-img") is None, reason="no vagrant, no QEMU"
)
def test_a_suspended_machine_with_a_snapshot_is_one(tmp_path: Path) -> None:
    hardware = {"memory": 512, "cpus": 2, "kvm": False, "extra": []}
    ports = [{"id": "ssh", "guest": 22, "host": 2222}]
    disk = tmp_path / "machine.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", disk, "8G"], check=True)
    subprocess.run(["qemu-img", "snapshot", "-c", "fresh", disk], check=True)
    (tmp_path / "machine.json").write_text(
        json.dumps({"now": hardware, "snapshots": {"fresh": hardware}})
    )
    (tmp_path / "ports.json").write_text(json.dumps(ports))
    (tmp_path / "suspended").write_text("vagrant-suspended")
    (tmp_path / "settled").write_text("")
    driver = Path(machines.__file__).parent / "provider" / "driver.rb"
    done = subprocess.run(
        ["ruby", "-rpathname", "-e", RUBY, driver, tmp_path], capture_output=True, text=True
    )
    assert json.loads(done.stdout or "{}") == {
        "state": "saved",
        "suspension": "vagrant-suspended",
        "ports": ports,
        "ssh": 2222,
        "snapshots": ["fresh"],
        "known": {"now": hardware, "snapshots": {"fresh": hardware}},
    }, done.stderr

"""A stopped engine with something in it: made once, copied for each test that ill-treats it."""

from __future__ import annotations

import io
import json
import os
import secrets
import shutil
import subprocess
from pathlib import Path
from typing import Any

import docker
import pytest

from course_magics import engine
from course_magics.engine import embedded
from course_magics.engine.embedded import memory
from course_magics.engine.embedded.files import Files
from course_magics.engine.embedded.prepare import Prepared

IMAGE = "kept:1"


def link_tree(source: Path, target: Path) -> None:
    """The folder once more, its files by other names."""
    shutil.copytree(source, target, copy_function=os.link)


class Stopped:
    """Its state folder and its cache. prepared: the snapshot in the cache."""

    def __init__(self, folder: Path) -> None:
        self.state = folder / "state"
        self.cache = folder / "cache"

    def use(self, m: pytest.MonkeyPatch) -> None:
        m.setenv("COURSE_STATE", str(self.state))
        m.setenv("COURSE_CACHE", str(self.cache))
        m.setenv("COURSE_ENGINE", "embedded")
        engine.forget()

    @property
    def files(self) -> Files:
        return Files(self.state / "engine")

    @property
    def prepared(self) -> Path:
        (found,) = (self.cache / "engine").glob("*/prepared.json")
        return found.parent

    def make(self, m: pytest.MonkeyPatch, source: Prepared) -> None:
        """A cache with one snapshot; an engine on it with an image, a volume and two containers."""
        name = f"{source.hash}-{secrets.token_hex(4)}"
        link_tree(source.folder, self.cache / "engine" / name)
        note = self.prepared / "prepared.json"
        data = {**source.data, "id": name.rpartition("-")[2]}
        data["sizes"] = {
            n: (self.prepared / n).stat().st_size for n in ("engine.qcow2", "engine.state")
        }
        note.unlink()
        note.write_text(json.dumps(data))
        self.use(m)
        api = start()
        text = b"FROM course/busybox\nRUN echo image > /mine\n"
        api.images.build(fileobj=io.BytesIO(text), tag=IMAGE, rm=True)
        volume: dict[str, Any] = {"data": {"bind": "/v"}}
        api.containers.run(IMAGE, "sh -c 'echo volume > /v/f'", volumes=volume, name="ended")
        api.containers.run(IMAGE, "sleep 100000", detach=True, name="runs")
        api.close()
        embedded.stop()

    def copy(self, folder: Path) -> Stopped:
        """Another one, to be ill-treated. What is replaced and never written to is linked."""
        other = Stopped(folder)
        link_tree(self.cache, other.cache)
        link_tree(self.state, other.state)
        small = [*other.state.glob("engine/**/*.json"), *other.cache.glob("engine/*/*.json")]
        for file in (other.files.disk, *small):
            if file.is_file():
                content = file.read_bytes()
                about = file.stat()
                file.unlink()
                file.write_bytes(content)
                os.utime(file, (about.st_atime, about.st_mtime))
                file.chmod(about.st_mode)
        note = other.files.base
        note.write_text(note.read_text().replace(str(self.cache), str(other.cache)))
        return other

    def as_0_1_0(self) -> None:
        """What version 0.1.0 had written in its place: no ids, no sizes, no base of its own."""
        place = self.prepared
        data = json.loads((place / "prepared.json").read_text())
        data = {key: data[key] for key in ("hash", "hardware", "versions", "seconds")}
        (place / "prepared.json").write_text(json.dumps(data, indent=1) + "\n")
        place = place.rename(place.with_name(data["hash"]))
        files = self.files
        shutil.rmtree(files.own_base)
        base = ["-u", "-f", "qcow2", "-F", "qcow2", "-b", place / "engine.qcow2"]
        subprocess.run(["qemu-img", "rebase", *base, files.disk], check=True)
        files.base.write_text(json.dumps({"folder": str(place)}))
        memory.unmark(files)
        hardware = json.loads(files.saved_as.read_text())["hardware"]
        files.saved_as.write_text(json.dumps(hardware))


def start() -> docker.DockerClient:
    """The engine, started as by a kernel; a client of it."""
    embedded.start(print)
    return docker.DockerClient(f"unix://{embedded.socket_path()}", timeout=120)


def content() -> dict[str, Any]:
    """What is in the engine: images of ours, containers, what the volume holds. It is running."""
    api = start()
    try:
        found: dict[str, Any] = {c.name: c.status for c in api.containers.list(all=True)}
        if IMAGE in {tag for image in api.images.list() for tag in image.tags}:
            binds = {"data": {"bind": "/v"}}
            said = api.containers.run(IMAGE, "cat /mine /v/f", volumes=binds, remove=True)
            found["holds"] = said.decode().split()
        return found
    finally:
        api.close()


#: That of a stopped engine, when its memory was loaded again.
WHOLE = {"runs": "running", "ended": "exited", "holds": ["image", "volume"]}
#: The same after a boot.
BOOTED = {**WHOLE, "runs": "exited"}

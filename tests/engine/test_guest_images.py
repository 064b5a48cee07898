"""The base images on a real engine."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest

from course_magics.guest import images
from course_magics.guest.bases import BASES, Base
from course_magics.guest.images import LABEL, build_images, stale_images

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    import docker

    from course_magics import engine

    found = engine.current()
    client = docker.DockerClient(base_url=found.url)
    build_images(client.api, print)
    yield client
    client.close()


def _run(client: Any, image: str, *command: str) -> str:
    output = client.containers.run(image, list(command), remove=True)
    return str(output.decode())


def test_building_again_does_nothing(client: Any) -> None:
    lines: list[str] = []
    before = client.images.get("course/python").id
    assert build_images(client.api, lines.append) == []
    assert lines == []
    assert stale_images(client.api) == []
    assert client.images.get("course/python").id == before


class _Twin(Base):
    """busybox by a name of its own: the image that other tests are using stays as it is."""

    @property
    def hash(self) -> str:
        return BASES["course/busybox"].hash


def test_an_image_of_other_inputs_is_rebuilt(
    client: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = BASES["course/busybox"]
    twin = _Twin(f"{name}/busybox", base.official, base.parent, base.inputs, base.make)
    monkeypatch.setattr(images, "BASES", {twin.name: twin})
    monkeypatch.setattr(images, "IMAGES", (twin.name,))
    text = f"FROM course/busybox\nLABEL {LABEL}=other\n"
    client.images.build(fileobj=BytesIO(text.encode()), tag=twin.name, rm=True)
    assert stale_images(client.api) == [twin.name]
    assert build_images(client.api, print, [twin.name]) == [twin.name]
    assert stale_images(client.api) == []


def test_busybox(client: Any) -> None:
    assert client.images.get("course/busybox").attrs["Size"] < 3e6
    script = "id -un; echo $HOME; ls -ld /tmp | cut -c1-10; /usr/bin/env echo ok; wget --help 2>&1"
    out = _run(client, "course/busybox", "sh", "-c", script)
    assert out.startswith("root\n/root\ndrwxrwxrwt\nok\n")
    assert "Usage: wget" in out


def test_names_are_resolved_in_busybox(client: Any) -> None:
    """A static program cannot load the C library's resolver: it has to bring its own."""
    network = client.networks.create("course-test-guest-images")
    try:
        peer = client.containers.run(
            "course/busybox", ["sleep", "60"], name="course-test-peer", detach=True, init=True,
            network=network.name,
        )  # fmt: skip
        try:
            out = client.containers.run(
                "course/busybox", ["ping", "-c", "1", "course-test-peer"], remove=True,
                network=network.name,
            )  # fmt: skip
            assert b"1 packets received" in out
        finally:
            peer.remove(force=True)
    finally:
        network.remove()


def test_debian(client: Any) -> None:
    assert client.images.get("course/debian").attrs["Size"] < 90e6
    out = _run(
        client, "course/debian", "bash", "-c", "cat /etc/debian_version /etc/apt/sources.list"
    )
    assert out.startswith("12")
    assert {line.split()[1] for line in out.splitlines()[1:]} == {
        "http://deb.debian.org/debian",
        "http://deb.debian.org/debian-security",
    }
    script = "apt-get check && ls /var/cache/apt /var/lib/apt/lists /etc/apt/preferences.d"
    assert "Packages" not in _run(client, "course/debian", "bash", "-c", script)


def test_python_lies_on_debian_and_works(client: Any) -> None:
    debian = client.images.get("course/debian").attrs["RootFS"]["Layers"]
    python = client.images.get("course/python").attrs["RootFS"]["Layers"]
    assert python[: len(debian)] == debian
    script = "import sys, ssl, sqlite3, http.server; print(sys.version_info[:2])"
    for name in ("python", "python3"):
        assert _run(client, "course/python", name, "-c", script) == "(3, 11)\n"
    assert _run(client, "course/python", "pip", "--version").startswith("pip ")

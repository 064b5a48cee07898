"""The registry in a container, for where the program is not installed."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from typing import TYPE_CHECKING

from course_magics import engine, labels
from course_magics.containers.create import fetch, is_missing_image
from course_magics.errors import EngineError, NotFound, RegistryError

if TYPE_CHECKING:
    from course_magics.registry.place import Facts, Place

IMAGE = "registry:2"
_LINE = "docker run registry:2"
_CONFIG = "etc/docker/registry/config.yml"
_CERTIFICATE = "etc/docker/registry/token.crt"
_DATA = "/var/lib/registry"


def _name(place: Place) -> str:
    """One for each folder."""
    return f"course-registry-{hashlib.sha256(str(place.base).encode()).hexdigest()[:8]}"


def must_be_here() -> None:
    """Raises RegistryError where the engine's containers do not share this computer's 127.0.0.1."""
    now = engine.current()
    if now.lease is not None or not now.url.startswith("unix://"):
        raise RegistryError(
            "this engine cannot reach the server that checks the password: it is in a machine",
            hint="--open: anybody on this computer may push; or install docker-registry",
        )


def start(place: Place, facts: Facts, realm: str, image: str, say: Callable[[str], None]) -> str:
    """Run `image` as the registry of `place`; returns the container's name. Raises EngineError.

    realm: who says what its clients may do, or "".
    """
    from docker.errors import APIError

    from course_magics.registry.server import settings

    name = _name(place)
    with engine.talking(_LINE) as api:
        stop(name)
        ports = {"5000/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(facts.port)}]}
        host = api.create_host_config(
            port_bindings={5000: ("127.0.0.1", facts.port)}, binds=[f"{name}:{_DATA}"]
        )
        host["PortBindings"] = ports

        def create() -> None:
            api.create_container(
                image,
                name=name,
                ports=[5000],
                host_config=host,
                labels=labels.ours(),
                command=[f"/{_CONFIG}"],
            )

        api.create_volume(name, labels=labels.ours())
        try:
            create()
        except APIError as error:
            if not is_missing_image(error):
                raise
            fetch(api, image, say=say, line=_LINE)
            create()
        try:
            config = settings(
                _DATA, ":5000", mirror=facts.mirror, realm=realm, trusts=f"/{_CERTIFICATE}"
            )
            files = {_CONFIG: json.dumps(config).encode()}
            if realm:
                files[_CERTIFICATE] = place.certificate.read_bytes()
            api.put_archive(name, "/", _tar(files))
            api.start(name)
            engine.current().published(name)
        except BaseException:
            stop(name)
            raise
    return name


def _tar(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for path, content in files.items():
            about = tarfile.TarInfo(path)
            about.size, about.mode = len(content), 0o600
            tar.addfile(about, io.BytesIO(content))
    return packed.getvalue()


def ended(name: str) -> str | None:
    """Its last words where it has ended; None while it runs."""
    with engine.talking(f"docker logs {name}") as api:
        if api.inspect_container(name)["State"]["Running"]:
            return None
        return bytes(api.logs(name, tail=5)).decode("utf-8", "replace")


def stop(name: str) -> None:
    """Remove the container; the volume with its images stays."""
    with contextlib.suppress(NotFound), engine.talking(f"docker rm -f {name}") as api:
        api.remove_container(name, force=True)


def remove_data(place: Place) -> None:
    """Remove the volume with its images, where an engine answers and has one."""
    try:
        with engine.talking(f"docker volume rm {_name(place)}") as api:
            api.remove_volume(_name(place))
    except NotFound:
        return
    except EngineError:
        if engine.found() is not None:
            raise

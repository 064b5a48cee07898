"""`course-magics images build`: the small images that the notebooks start from."""

from __future__ import annotations

import tarfile
import tempfile
import time
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_magics.errors import EngineError, OptionError, closest
from course_magics.guest.bases import BASES, Base, images_folder
from course_magics.guest.procs import Say

if TYPE_CHECKING:
    from docker import APIClient

#: The images that every engine gets; the optional ones are built when they are named.
IMAGES = tuple(name for name, base in BASES.items() if not base.optional)
LABEL = "course-magics.inputs"


def build_images(
    api: APIClient,
    say: Say,
    names: Iterable[str] | None = None,
    force: bool = False,
    official: bool = False,
) -> list[str]:
    """Build the base images on the engine behind `api` where they are missing or out of date.

    names: which ones (default: all but the optional ones); the images they lie on come along.
    force: build in any case. official: start from Docker Hub's images in place of Debian's
    packages (the engine pulls them).
    Returns the names of those that were built. OptionError for an unknown name, MachineError when
    a root file system cannot be made, EngineError when the engine refuses the build.
    """
    built: list[str] = []
    for name in _wanted(names):
        base = BASES[name]
        inputs = f"official {base.official} {base.hash}" if official else base.hash
        if not force and _label(api, name) == inputs:
            continue
        start = time.monotonic()
        say(f"building {name}")
        _build(api, base, inputs, official, say)
        say(f"  {name} is built: {time.monotonic() - start:.1f} s")
        built.append(name)
    return built


def stale_images(api: APIClient) -> list[str]:
    """Names of the base images that the engine lacks or has from other inputs.

    An image made from Docker Hub's counts as well.
    """
    fine = {
        name: (base.hash, f"official {base.official} {base.hash}") for name, base in BASES.items()
    }
    return [name for name in IMAGES if _label(api, name) not in fine[name]]


def _wanted(names: Iterable[str] | None) -> list[str]:
    wanted: list[str] = []

    def add(name: str) -> None:
        parent = BASES[name].parent
        if parent:
            add(parent)
        if name not in wanted:
            wanted.append(name)

    for name in IMAGES if names is None else names:
        full = name if "/" in name else f"course/{name}"
        if full not in BASES:
            near = closest(full, BASES)
            raise OptionError(
                f"There is no base image {name}.",
                hint=f"did you mean {near}?" if near else f"there are {', '.join(BASES)}",
            )
        add(full)
    return wanted


def _label(api: Any, name: str) -> str | None:
    """The inputs that the engine's image of that name was made from; None without such an image."""
    from docker.errors import ImageNotFound

    try:
        config: dict[str, Any] = api.inspect_image(f"{name}:latest").get("Config") or {}
    except ImageNotFound:
        return None
    value = (config.get("Labels") or {}).get(LABEL)
    return str(value) if value else None


def _build(api: Any, base: Base, inputs: str, official: bool, say: Say) -> None:
    from docker.errors import DockerException

    rootfs = None if official else base.ensure_tar(say)
    folder = images_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as context:
        _write_context(context, base.dockerfile, rootfs)
        context.seek(0)
        try:
            answers = api.build(
                fileobj=context,
                custom_context=True,
                tag=f"{base.name}:latest",
                labels={LABEL: inputs},
                buildargs={"BASE": base.official} if official else {},
                rm=True,
                forcerm=True,
                decode=True,
            )
            for answer in answers:
                if "error" in answer:
                    raise EngineError(
                        f"The engine could not build {base.name}.", detail=answer["error"].strip()
                    )
        except DockerException as error:
            raise EngineError(
                f"The engine could not build {base.name}.", detail=str(error)
            ) from error


def _write_context(target: Any, dockerfile: str, rootfs: Path | None) -> None:
    """A build context of two files: the Dockerfile and rootfs.tar (an empty one for None)."""
    with tarfile.open(fileobj=target, mode="w") as tar:
        member = tarfile.TarInfo("Dockerfile")
        member.size = len(dockerfile.encode())
        tar.addfile(member, BytesIO(dockerfile.encode()))
        if rootfs is not None:
            # Its own time stamp must not count, or the engine's cache would never hit.
            info = tar.gettarinfo(rootfs, arcname="rootfs.tar")
            info.mtime = 0
            with rootfs.open("rb") as stream:
                tar.addfile(info, stream)
        else:
            empty = BytesIO()
            tarfile.open(fileobj=empty, mode="w").close()
            info = tarfile.TarInfo("rootfs.tar")
            info.size = len(empty.getvalue())
            tar.addfile(info, BytesIO(empty.getvalue()))

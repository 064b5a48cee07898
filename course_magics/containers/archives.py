"""export, save, load, import: containers and images as tar files of this computer."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from course_magics import engine
from course_magics.containers.build.classic import events
from course_magics.containers.create import no_such_image
from course_magics.containers.image import Image, changes, repository_and_tag
from course_magics.containers.lifecycle import Done, naming
from course_magics.containers.mounts import host_path
from course_magics.display import Block, Command, Line, Shown
from course_magics.engine.routes import route
from course_magics.engine.stream import request
from course_magics.errors import DiskFull, EngineError, Interrupted, OptionError
from course_magics.storage import disk_full, is_full, writing
from course_magics.units import show_bytes

if TYPE_CHECKING:
    import requests
    from docker import APIClient

_PIECE = 1 << 20


class Archive(Shown):
    """A tar file that was written. path, size (bytes), of: what is in it."""

    def __init__(self, file: str, of: Sequence[str], command: str) -> None:
        self.path = Path(host_path(file))
        self.size = self.path.stat().st_size
        self.of = list(of)
        self._file = file
        self.command = command

    def blocks(self) -> Sequence[Block]:
        words = f"wrote {', '.join(self.of)} to {self._file}: {show_bytes(self.size)}"
        return [Line(words), Command(self.command)]


def export(container: str, file: str | None, line: str) -> Archive:
    """Write a container's files to the tar file `file`.

    Raises OptionError, and EngineError, DiskFull and Interrupted, after which there is no file.
    """
    with _written(file, line) as out, engine.talking(line) as api, naming(api, container):
        url = route("/containers/{}/export", container)
        _store(request(api, "GET", url, stream=True), out, file)
    return Archive(str(file), [container], line)


def save(images: Sequence[str], file: str | None, line: str) -> Archive:
    """Write images with their layers and names to the tar file `file`.

    Raises OptionError, and EngineError, DiskFull and Interrupted, after which there is no file.
    """
    from docker.errors import NotFound

    with _written(file, line) as out, engine.talking(line) as api:
        try:
            params = {"names": list(images)}
            _store(request(api, "GET", "/images/get", params=params, stream=True), out, file)
        except NotFound:
            for image in images:
                _see(api, image, line)
            raise
    return Archive(str(file), images, line)


def _see(api: APIClient, image: str, line: str) -> None:
    """Raises EngineError that names the closest image when there is no `image`."""
    from docker.errors import NotFound

    try:
        api.inspect_image(image)
    except NotFound:
        raise no_such_image(api, image, line) from None


@contextlib.contextmanager
def _written(file: str | None, line: str) -> Iterator[IO[bytes]]:
    """A file that takes the name `file` at the end: half of one is never there."""
    if file is None or file == "-":
        raise OptionError(
            "a tar file cannot be shown in a cell", hint="add -o FILE, for instance -o image.tar"
        )
    path = Path(host_path(file))
    if path.exists() and not path.is_file():
        raise OptionError(f"-o takes a file, and {file} is none")
    half = ""
    try:
        try:
            handle, half = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        except OSError as error:
            if is_full(error):
                raise disk_full(file) from None
            raise OptionError(f"-o: cannot write {file}: {error.strerror}") from None
        out = os.fdopen(handle, "wb")
        try:
            yield out
        finally:
            with writing(file):
                out.close()
        Path(half).replace(path)
    except BaseException as error:
        if half:
            Path(half).unlink(missing_ok=True)
        if isinstance(error, KeyboardInterrupt):
            raise Interrupted(f"interrupted: {file} was not written", command=line) from None
        if isinstance(error, OSError) and error.filename == file:
            raise EngineError(f"cannot write {file}: {error.strerror}", command=line) from None
        if isinstance(error, DiskFull):
            error.command = line
        raise


def _store(response: requests.Response, out: IO[bytes], file: str | None) -> None:
    with contextlib.closing(response):
        for piece in response.iter_content(_PIECE):
            with writing(str(file)):
                out.write(piece)


def load(file: str | None, line: str) -> Done:
    """Bring in the images of a tar file. Raises OptionError, EngineError, Interrupted."""
    loaded: list[str] = []
    with _opened(file, "-i FILE") as data, engine.talking(line) as api:
        try:
            response = _send(api, "/images/load", {"quiet": 1}, data)
            for event in _events(response, line):
                words = str(event.get("stream", "")).strip()
                if words.startswith("Loaded image"):
                    loaded.append(words.partition(": ")[2])
        except KeyboardInterrupt:
            raise Interrupted(f"interrupted: {file} was not loaded", command=line) from None
    return Done("loaded", [n.removesuffix(":latest") for n in loaded], line)


def import_(
    source: str,
    name: str | None,
    line: str,
    *,
    change: Sequence[str] = (),
    message: str | None = None,
    platform: str | None = None,
) -> Image:
    """Make an image of one layer of a tar file, or of one that the engine fetches from a URL.

    change: Dockerfile instructions. Raises OptionError, EngineError, Interrupted.
    """
    repository, tag = repository_and_tag(name)
    url = source.startswith(("http://", "https://"))
    params: dict[str, Any] = {
        "fromSrc": source if url else "-",
        "repo": f"{repository}:{tag}" if name else "",  # Podman does not read "tag" here
        "changes": changes(change),
        **({"message": message} if message else {}),
        **({"platform": platform} if platform else {}),
    }
    last = ""
    with (
        contextlib.nullcontext(b"") if url else _opened(source, "a file or a URL") as data,
        engine.talking(line) as api,
    ):
        try:
            for event in _events(_send(api, "/images/create", params, data), line):
                last = str(event.get("status", last))
        except KeyboardInterrupt:
            raise Interrupted(f"interrupted: {source} was not imported", command=line) from None
    return Image(name or "", last, source, line)


@contextlib.contextmanager
def _opened(file: str | None, what: str) -> Iterator[IO[bytes]]:
    if file is None or file == "-":
        raise OptionError(f"a cell has no tar file on its standard input: name {what}")
    try:
        data = Path(host_path(file)).open("rb")  # noqa: SIM115 - a fault here is the reader's
    except OSError as error:
        raise OptionError(f"cannot read {file}: {error.strerror}") from None
    with data:
        yield data


def _send(
    api: APIClient, path: str, params: dict[str, Any], data: IO[bytes] | bytes
) -> requests.Response:
    headers = {"Content-Type": "application/x-tar"}
    return request(api, "POST", path, params=params, data=data, headers=headers, stream=True)


def _events(response: requests.Response, line: str) -> Iterator[dict[str, Any]]:
    """The engine's words as they come. Raises EngineError when one of them is a fault."""
    with contextlib.closing(response):
        for event in events(response.iter_content(None)):
            if "error" in event:
                raise EngineError(f"the engine refused: {event['error']}", command=line)
            yield event

"""What `docker save` sends, read once: the manifest, the configuration, each layer's files.

Two formats, told apart by nothing but what the members hold: the engine's old one (a folder with a
layer.tar for each layer, up to 24), and the OCI layout (blobs/sha256/…, since 25, maybe
compressed: https://github.com/opencontainers/image-spec/blob/main/image-layout.md). In both,
manifest.json tells which member is which layer, and it may come last: so the files of every layer
are noted when they pass by.
"""

from __future__ import annotations

import contextlib
import json
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from course_magics.containers.create import is_missing_image, no_such_image
from course_magics.containers.layers.tar import (
    BrokenTar,
    Member,
    Source,
    gunzipped,
    is_header,
    members,
)
from course_magics.engine.stream import request
from course_magics.errors import EngineError

if TYPE_CHECKING:
    from docker import APIClient

_BLOCK = 512
#: JSON larger than this (bytes) is none of the engine's: manifests have some kilobytes.
_LARGEST_JSON = 8 << 20
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"


@dataclass(frozen=True, slots=True)
class Entry:
    """One file, folder, link… of a layer. path: without a leading /. checksum: 0 unless asked."""

    path: str
    kind: str
    size: int
    target: str = ""
    checksum: int = 0


@dataclass
class Saved:
    """One image: its configuration, and for each layer (lowest first) what it holds."""

    config: dict[str, Any]
    layers: list[list[Entry]] = field(default_factory=list)

    @property
    def instructions(self) -> list[str]:
        """What made each layer, in the words of the image's history; "" where it does not say."""
        made = [
            str(step.get("created_by", ""))
            for step in self.config.get("history") or ()
            if not step.get("empty_layer")
        ]
        return (made + [""] * len(self.layers))[: len(self.layers)]


def save(api: APIClient, image: str, line: str, *, checksums: bool = False) -> Saved:
    """The engine's image of this name. checksums: also of each file's content.

    The content itself passes by; memory is needed for names and sizes only. Raises EngineError
    (no such image, with the closest name; a broken answer), Interrupted.
    """
    try:
        api.inspect_image(image)
    except Exception as error:
        if is_missing_image(error):
            raise no_such_image(api, image, line) from None
        raise
    response = request(api, "GET", "/images/get", params={"names": image}, stream=True)
    try:
        raw: Any = response.raw
        return read(Source(lambda most: raw.read(most, decode_content=False)), checksums=checksums)
    except BrokenTar as error:
        raise EngineError(
            f"the engine did not send the whole image: {error}",
            command=line,
            hint="%engine shows whether it is well and how full its disk is",
        ) from None
    finally:
        response.close()  # an engine to which nobody listens stops sending


def read(source: Source, *, checksums: bool = False) -> Saved:
    """The image in a `docker save` stream, the first if there are several.

    Raises BrokenTar, EngineError (a compression that Python cannot undo).
    """
    texts: dict[str, bytes] = {}
    layers: dict[str, list[Entry]] = {}
    links: dict[str, str] = {}
    for member in members(source):
        name = posixpath.normpath(member.name)
        if member.kind in ("symlink", "link"):
            folder = posixpath.dirname(name) if member.kind == "symlink" else ""
            links[name] = posixpath.normpath(posixpath.join(folder, member.target))
        elif member.kind == "file":
            _note(name, member, source, texts, layers, checksums)
    found = _json(texts, "manifest.json")
    try:
        return _image(found[0], texts, layers, links)
    except (LookupError, TypeError, AttributeError):
        raise BrokenTar("its manifest.json is none") from None


def _note(
    name: str,
    member: Member,
    source: Source,
    texts: dict[str, bytes],
    layers: dict[str, list[Entry]],
    checksums: bool,
) -> None:
    """Note a member by what it holds: a layer, or JSON."""
    content = Source(source.some, member.stored)
    start = content.peek(_BLOCK)
    if start.startswith(_GZIP):
        content = gunzipped(content)
        start = content.peek(_BLOCK)
    if is_header(start) or (member.stored >= 2 * _BLOCK and not any(start)):
        layers[name] = list(_entries(content, checksums))
    elif start.startswith(_ZSTD):
        raise EngineError(
            "a layer of this image is compressed with zstd, which is not read here",
            hint="build it again without compression=zstd",
        )
    elif start.lstrip()[:1] in (b"{", b"[") and member.stored <= _LARGEST_JSON:
        texts[name] = content.take(_LARGEST_JSON)


def _entries(content: Source, checksums: bool) -> Iterator[Entry]:
    for member in members(content):
        path = member.name.strip("/").removeprefix("./").removeprefix("/")
        if path in ("", "."):
            continue
        checksum = content.checksum(member.stored) if checksums and member.stored else 0
        yield Entry(path, member.kind, member.size, member.target, checksum)


def _image(
    entry: dict[str, Any],
    texts: dict[str, bytes],
    layers: dict[str, list[Entry]],
    links: dict[str, str],
) -> Saved:
    saved = Saved(dict(_json(texts, entry["Config"])))
    for name in entry.get("Layers") or ():
        place = posixpath.normpath(name)
        for _ in range(len(links)):
            if place not in links:
                break
            place = links[place]
        if place not in layers:
            raise BrokenTar(f"layer {len(saved.layers) + 1} is missing")
        saved.layers.append(layers[place])
    return saved


def _json(texts: dict[str, bytes], name: str) -> Any:
    with contextlib.suppress(ValueError, KeyError):
        return json.loads(texts[posixpath.normpath(name)])
    raise BrokenTar(f"{posixpath.basename(name)[:20]} is missing, or no JSON")

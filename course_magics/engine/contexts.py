"""Docker's contexts: named engines, kept where the docker CLI keeps its own; both share them.

A context is a folder `contexts/meta/ID` with a meta.json, and `contexts/tls/ID/docker` with up to
three PEM files; ID is the SHA-256 of its name. The one in use stands in config.json as
"currentContext" (https://docs.docker.com/engine/manage-resources/contexts/; the layout is that of
docker/cli's `cli/context/store`). The SDK's `docker.context` is not used: without a config.json it
looks in the working directory, and it keeps neither descriptions nor the certificates' names.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import shutil
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from course_magics.engine import docker_config
from course_magics.errors import EngineError, OptionError, closest
from course_magics.storage import write_atomic

#: The engine that is meant where no context is: DOCKER_HOST, else the usual socket.
DEFAULT = "default"
#: In the metadata of a context whose machine `course-magics host` made.
HOST = "CourseMagicsHost"
#: What a context may hold for TLS: flag → file.
TLS_FILES = {"ca": "ca.pem", "cert": "cert.pem", "key": "key.pem"}
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.+-]+")
#: An exported context is three small files; what is larger is none (bytes).
_LARGEST = 10_000_000


@dataclass(frozen=True)
class Tls:
    """How to speak TLS: a folder with ca.pem, cert.pem, key.pem (those there are).

    verify: whether the engine must show a certificate that ca.pem (or the system) vouches for.
    """

    folder: Path | None
    verify: bool = True

    def file(self, kind: str) -> Path | None:
        """The file for "ca", "cert" or "key", where it is there."""
        path = self.folder / TLS_FILES[kind] if self.folder is not None else None
        return path if path is not None and path.is_file() else None


@dataclass(frozen=True)
class Context:
    """A named engine. host: as in DOCKER_HOST. meta: all that docker's meta.json says."""

    name: str
    meta: dict[str, Any] = field(default_factory=dict)

    @property
    def host(self) -> str:
        """Where it is; "" where the context does not say, and the usual socket is meant."""
        return str((self.meta.get("Endpoints") or {}).get("docker", {}).get("Host", ""))

    @property
    def description(self) -> str:
        """What its maker wrote about it."""
        return str((self.meta.get("Metadata") or {}).get("Description", ""))

    @property
    def is_host(self) -> bool:
        """Whether it leads to a machine that `course-magics host` made."""
        return HOST in (self.meta.get("Metadata") or {})

    @property
    def labels(self) -> dict[str, str]:
        """The course's labels, where a cell made it."""
        given = (self.meta.get("Metadata") or {}).items()
        return {k: v for k, v in given if k.startswith("course-magics.") and isinstance(v, str)}

    @property
    def tls(self) -> Tls | None:
        """How to speak TLS with it; None where it does not."""
        place = _tls_folder(self.name)
        folder = place if any((place / name).is_file() for name in TLS_FILES.values()) else None
        skip = bool((self.meta.get("Endpoints") or {}).get("docker", {}).get("SkipTLSVerify"))
        if folder is None and not (skip and self.host.startswith("tcp://")):
            return None
        return Tls(folder, not skip)

    @property
    def details(self) -> dict[str, Any]:
        """What `docker context inspect` says of it."""
        stored = self.name != DEFAULT
        found = [n for n in TLS_FILES.values() if (_tls_folder(self.name) / n).is_file()]
        return {
            "Name": self.name,
            "Metadata": self.meta.get("Metadata") or {},
            "Endpoints": self.meta.get("Endpoints") or {},
            "TLSMaterial": {"docker": found} if stored and found else {},
            "Storage": {
                "MetadataPath": str(_meta_file(self.name).parent) if stored else "<IN MEMORY>",
                "TLSPath": str(_tls_folder(self.name).parent) if stored else "<IN MEMORY>",
            },
        }


def usual_host() -> str:
    """Where the docker CLI looks when nobody has said anything."""
    windows = sys.platform == "win32"
    return "npipe:////./pipe/docker_engine" if windows else "unix:///var/run/docker.sock"


def meta(
    name: str, host: str, description: str = "", *, skip_tls_verify: bool = False
) -> dict[str, Any]:
    """The content of a meta.json."""
    return {
        "Name": name,
        "Metadata": {"Description": description} if description else {},
        "Endpoints": {"docker": {"Host": host, "SkipTLSVerify": skip_tls_verify}},
    }


def names() -> list[str]:
    """All names, "default" among them, sorted."""
    return sorted({DEFAULT, *(context.name for context in _stored())})


def load(name: str) -> Context:
    """The context `name`. Raises EngineError that names the closest one."""
    if name == DEFAULT:
        host = os.environ.get("DOCKER_HOST") or usual_host()
        return Context(DEFAULT, meta(DEFAULT, host))
    if _meta_file(name).is_file():
        return _read(_meta_file(name))
    near = closest(name, names())
    raise EngineError(
        f"no such context: {name}",
        hint=f"did you mean {near}?" if near else "%container context ls lists them",
    )


def current_name() -> str:
    """The context in use, as docker decides it: DOCKER_HOST, DOCKER_CONTEXT, the config file."""
    if os.environ.get("DOCKER_HOST"):
        return DEFAULT
    return os.environ.get("DOCKER_CONTEXT") or _stored_name()


def set_current(name: str) -> None:
    """Make `name` the one that docker uses, in every terminal. Raises EngineError."""
    load(name)
    _write_current(name)


def check_name(name: str) -> None:
    """Raises OptionError for a name that docker would not take, and for one that is taken."""
    if name == DEFAULT:
        raise OptionError('the context "default" is docker\'s own', hint="choose another name")
    if not _NAME.fullmatch(name):
        raise OptionError(
            f"a context cannot be called {name!r}",
            hint="two or more letters, digits and _ . + -, the first a letter or digit",
        )
    if _meta_file(name).exists():
        raise EngineError(
            f"there is a context {name} already",
            hint=f"%container context update {name} changes it, "
            f"%container context rm {name} removes it",
        )


def save(found: dict[str, Any], tls: Mapping[str, bytes] | None = None) -> Context:
    """Write a context from its meta.json. tls: file → content; None leaves what is there.

    Raises EngineError where docker's folder cannot be written to.
    """
    name = str(found["Name"])
    try:
        _write(_meta_file(name), json.dumps(found, separators=(",", ":")).encode(), 0o644)
        if tls is not None:
            folder = _tls_folder(name)
            for file, content in tls.items():
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                folder.parent.parent.chmod(0o700)
                _write(folder / file, content, 0o600)
            if not tls:
                shutil.rmtree(folder.parent, ignore_errors=True)
            for old in set(TLS_FILES.values()) - set(tls):
                (folder / old).unlink(missing_ok=True)
    except OSError as error:
        raise EngineError(
            f"docker's folder {docker_config.folder()} cannot be written to",
            detail=error.strerror,
            hint="DOCKER_CONFIG names another one",
        ) from None
    return load(name)


def remove(name: str, *, force: bool = False) -> None:
    """Remove a context. force: also the one in use, and one that is not there."""
    if name == DEFAULT:
        raise OptionError('the context "default" cannot be removed')
    if force and not _meta_file(name).exists():
        return
    load(name)
    if name == _stored_name():
        if not force:
            raise EngineError(
                f"the context {name} is in use",
                hint=f"%container context use default, or: %container context rm -f {name}",
            )
        _write_current(DEFAULT)
    shutil.rmtree(_meta_file(name).parent, ignore_errors=True)
    shutil.rmtree(_tls_folder(name).parent, ignore_errors=True)


def tls_content(name: str) -> dict[str, bytes]:
    """The certificates and the key of a context: file → content."""
    files = ((file, _tls_folder(name) / file) for file in TLS_FILES.values())
    return {file: path.read_bytes() for file, path in files if path.is_file()}


def packed(name: str) -> bytes:
    """The context as a tar file, as `docker context export` makes it."""
    if name == DEFAULT:
        raise OptionError('the context "default" cannot be exported: it is docker\'s own')
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as tar:
        meta_json = json.dumps(load(name).meta, separators=(",", ":")).encode()
        _add(tar, "meta.json", meta_json, 0o644)
        for folder in ("tls", "tls/docker"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o700
            tar.addfile(entry)
        for file, content in tls_content(name).items():
            _add(tar, f"tls/docker/{file}", content, 0o600)
    return target.getvalue()


def unpack(name: str, archive: bytes) -> Context:
    """Make the context `name` of an exported one, tar or zip. Raises EngineError, OptionError."""
    check_name(name)
    try:
        members = _members(archive)
        found = json.loads(members.pop("meta.json"))
        if not isinstance(found.get("Endpoints"), dict):
            raise ValueError("meta.json names no endpoints")
    except (tarfile.TarError, zipfile.BadZipFile, KeyError, ValueError, AttributeError, EOFError):
        raise OptionError(
            "that file is no exported context",
            hint="%container context export NAME FILE makes one",
        ) from None
    found["Name"] = name
    wanted = {f"tls/docker/{file}": file for file in TLS_FILES.values()}
    return save(found, {wanted[n]: content for n, content in members.items() if n in wanted})


def _members(archive: bytes) -> dict[str, bytes]:
    """The files in a tar or zip, none of them written anywhere; what is too large is left out."""
    if archive[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(archive)) as zipped:
            small = [i for i in zipped.infolist() if i.file_size < _LARGEST and not i.is_dir()]
            return {info.filename: zipped.read(info) for info in small}
    found = {}
    # Docker's own has no end: not even the last file is filled up to a whole block.
    with tarfile.open(fileobj=io.BytesIO(archive + bytes(10240)), mode="r:") as tar:
        for member in tar:
            if member.isfile() and member.size < _LARGEST:
                content = tar.extractfile(member)
                assert content is not None
                found[member.name.removeprefix("./")] = content.read()
    return found


def _add(tar: tarfile.TarFile, name: str, content: bytes, mode: int) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), mode
    tar.addfile(member, io.BytesIO(content))


def _id(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def _meta_file(name: str) -> Path:
    return docker_config.folder() / "contexts" / "meta" / _id(name) / "meta.json"


def _tls_folder(name: str) -> Path:
    return docker_config.folder() / "contexts" / "tls" / _id(name) / "docker"


def _stored() -> list[Context]:
    """The contexts on disk; one that cannot be read is passed over."""
    found = []
    for file in (docker_config.folder() / "contexts" / "meta").glob("*/meta.json"):
        with contextlib.suppress(EngineError):
            found.append(_read(file))
    return found


def _read(file: Path) -> Context:
    try:
        found = json.loads(file.read_bytes())
        return Context(str(found["Name"]), found)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EngineError(f"{file} cannot be read", detail=str(error)) from None


def _stored_name() -> str:
    with contextlib.suppress(EngineError):
        return str(docker_config.read().get("currentContext") or DEFAULT)
    return DEFAULT


def _write_current(name: str) -> None:
    with docker_config.changing() as config:
        config.pop("currentContext", None)
        if name != DEFAULT:
            config["currentContext"] = name


def _write(path: Path, content: bytes, mode: int) -> None:
    """All or nothing: a docker in a terminal may be reading it. Never open to others meanwhile."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, content, mode=mode)

"""`docker context`: list, make, change, choose and pass on the names of engines."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from course_magics import engine, labels
from course_magics.containers.inspect import Inspected
from course_magics.containers.lifecycle import Done
from course_magics.containers.listing import Lines, formatted
from course_magics.containers.naming import name_only
from course_magics.display import Block, Command, Line, Shown, Table
from course_magics.engine import contexts
from course_magics.errors import CourseError, EngineError, OptionError, closest

_KEYS = ("from", "host", "ca", "cert", "key", "skip-tls-verify")
_SCHEMES = ("unix", "tcp", "ssh", "npipe", "fd", "http", "https")
_DEFAULT_WORDS = "Current DOCKER_HOST based configuration"


class Chosen(Done):
    """A context that is in use now. name: its name; note: what still comes before it."""

    def __init__(self, name: str, note: str, command: str) -> None:
        super().__init__("in use:", [name], command)
        self.note = note

    def blocks(self) -> Sequence[Block]:
        first, *rest = super().blocks()
        return [first, *([Line(self.note, "warn")] if self.note else []), *rest]


class Written(Shown):
    """A context as a file. path: the file."""

    def __init__(self, path: Path, command: str) -> None:
        self.path = path
        self.command = command

    def blocks(self) -> Sequence[Block]:
        return [Line(f"written: {self.path}"), Command(self.command)]


def ls(*, quiet: bool = False, template: str | None = None, line: str = "docker context ls") -> Any:
    """The contexts: a `Table` of name, description and address, the one in use marked."""
    current = contexts.current_name()
    rows: list[dict[str, Any]] = []
    for name in sorted({*contexts.names(), current}):
        try:
            found, error = contexts.load(name), ""
        except EngineError as missing:  # named by DOCKER_CONTEXT, or a broken file
            found, error = contexts.Context(name), missing.message
        rows.append(
            {
                "Name": name,
                "Description": _DEFAULT_WORDS if name == contexts.DEFAULT else found.description,
                "DockerEndpoint": found.host,
                "Current": name == current,
                "Error": error,
                "shown name": f"{name} *" if name == current else name,
            }
        )
    if quiet:
        return Lines([r["Name"] for r in rows], line)
    if template:
        return formatted([{k: r[k] for k in list(r)[:5]} for r in rows], template, line)
    columns = {"NAME": "shown name", "DESCRIPTION": "Description", "ENDPOINT": "DockerEndpoint"}
    if any(r["Error"] for r in rows):
        columns["ERROR"] = "Error"
    return Table(columns, rows, command=line)


def create(
    name: str,
    line: str,
    *,
    docker: Sequence[str] = (),
    description: str = "",
    source: str | None = None,
) -> Done:
    """Make the context `name`. docker: as `--docker` has it. source: another one to copy.

    Without both it becomes what is in use now. Raises OptionError, EngineError.
    """
    contexts.check_name(name)
    given = endpoint(docker)
    copied = source if source is not None else given.get("from")
    if source is not None and docker:
        raise OptionError("--docker and --from exclude each other", hint="give one of them")
    old = contexts.load(copied or contexts.current_name())
    tls = contexts.tls_content(old.name) if copied else {}
    words = description or (old.description if source else "")
    if docker and not copied:
        found = contexts.meta(name, given.get("host", ""), words, skip_tls_verify=_skips(given))
        tls = _read(given)
    else:
        host = given.get("host", old.host)
        skip = _skips(given) or (old.tls is not None and not old.tls.verify)
        found = contexts.meta(name, host, words, skip_tls_verify=skip)
    found["Metadata"] = {**(found.get("Metadata") or {}), **labels.ours()}
    contexts.save(found, tls)
    return Done("context made:", [name], line)


def update(name: str, line: str, *, docker: Sequence[str] = (), description: str = "") -> Done:
    """Change the description of a context, or where it leads (its certificates with it)."""
    if name == contexts.DEFAULT:
        raise OptionError('the context "default" is docker\'s own', hint="make another one")
    found = contexts.load(name).meta
    tls = None
    if docker:
        given = endpoint(docker)
        old = contexts.load(given["from"]) if "from" in given else None
        host = given.get("host", old.host if old else "")
        new = contexts.meta(name, host, skip_tls_verify=_skips(given))
        found = {**found, "Endpoints": {**found.get("Endpoints", {}), **new["Endpoints"]}}
        tls = contexts.tls_content(old.name) if old else _read(given)
    if description:
        found = {**found, "Metadata": {**found.get("Metadata", {}), "Description": description}}
    contexts.save(found, tls)
    engine.forget()
    return Done("context changed:", [name], line)


def use(name: str, line: str) -> Chosen:
    """Make `name` the context in use: for docker in every terminal, and for this notebook."""
    contexts.set_current(name)
    engine.forget(chosen=True)
    first = next(
        (v for v in ("COURSE_ENGINE", "DOCKER_HOST", "DOCKER_CONTEXT") if v in os.environ), ""
    )
    note = f"{first}={os.environ[first]} is set and comes first" if first else ""
    return Chosen(name, note, line)


def show(line: str = "docker context show") -> Lines:
    """The name of the context in use."""
    return Lines([contexts.current_name()], line)


def remove(names: Sequence[str], line: str, *, force: bool = False) -> Done:
    """Remove contexts. force: also the one in use. One that fails does not stop the others."""
    done: list[str] = []
    failed: list[CourseError] = []
    for name in dict.fromkeys(names):
        try:
            contexts.remove(name, force=force)
            done.append(name)
        except CourseError as error:
            failed.append(error)
    engine.forget()
    if failed:
        words = [e.message for e in failed[1:]] + ([f"removed: {', '.join(done)}"] if done else [])
        failed[0].detail = "\n".join(words) or None
        raise failed[0]
    return Done("removed", done, line)


def inspect(names: Sequence[str], line: str, *, template: str | None = None) -> Shown:
    """All that is known of contexts; without names, of the one in use."""
    data = [contexts.load(name).details for name in names or [contexts.current_name()]]
    if template and template != "json":
        return formatted(data, template, line)
    return Inspected(data, line)


def export(name: str, target: str | None, line: str) -> Written:
    """Write a context, its certificates and key with it, to a file."""
    path = Path(target or f"{name}.dockercontext").expanduser()
    content = contexts.packed(name)
    if target == "-":
        raise OptionError("a context holds bytes that a cell cannot show", hint="name a file")
    try:
        # Its key is in it: nobody else may read it.
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
    except FileExistsError:
        raise OptionError(f"{path} is there already", hint="name another file") from None
    except OSError as error:
        raise OptionError(f"{path} cannot be written", hint=error.strerror) from None
    return Written(path, line)


def read(name: str, source: str, line: str) -> Done:
    """Make a context of a file that `export` wrote."""
    if source == "-":
        raise OptionError("a cell has no standard input for this", hint="name a file")
    found = contexts.unpack(name, _content(source)).meta
    found["Metadata"] = {**(found.get("Metadata") or {}), **labels.ours()}
    contexts.save(found)
    return Done("context made:", [name], line)


def endpoint(given: Sequence[str]) -> dict[str, str]:
    """`--docker KEY=VALUE,…` as a dictionary. Raises OptionError for what docker does not know."""
    found = {}
    for item in ",".join(given).split(",") if given else ():
        key, equals, value = item.partition("=")
        if key not in _KEYS or not equals:
            near = closest(key, _KEYS)
            raise OptionError(
                f"--docker takes KEY=VALUE,…, not {name_only(item)}",
                hint=f"did you mean {near}=?" if near else f"allowed: {', '.join(_KEYS)}",
            )
        found[key] = value
    scheme, colon, rest = found.get("host", "").partition("://")
    if "host" in found and not (colon and rest and scheme in _SCHEMES):
        raise OptionError(
            f"--docker host={found['host']} is no address of an engine",
            hint="allowed: unix:///PATH, tcp://COMPUTER:2376, ssh://USER@COMPUTER",
        )
    if found.get("skip-tls-verify", "true").lower() not in ("true", "false", "1", "0"):
        raise OptionError(f"skip-tls-verify takes true or false, not {found['skip-tls-verify']!r}")
    return found


def _skips(given: dict[str, str]) -> bool:
    return given.get("skip-tls-verify", "false").lower() in ("true", "1")


def _read(given: dict[str, str]) -> dict[str, bytes]:
    """The files for TLS that were named: docker's name for each → content."""
    named = {file: given[k] for k, file in contexts.TLS_FILES.items() if given.get(k)}
    found = {file: _content(path) for file, path in named.items()}
    for file, content in found.items():
        if b"-----BEGIN " not in content:
            raise OptionError(f"{named[file]} is no PEM file", hint="it begins with -----BEGIN …")
    return found


def _content(path: str) -> bytes:
    try:
        return Path(path).expanduser().read_bytes()
    except OSError as error:
        raise OptionError(f"{path} cannot be read", hint=error.strerror) from None

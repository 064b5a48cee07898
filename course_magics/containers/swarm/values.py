"""Secrets and configs: files that services read, kept by the swarm."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_magics import labels
from course_magics.containers.inspect import Inspected
from course_magics.containers.lifecycle import Done, each
from course_magics.containers.listing import Lines, filters, formatted
from course_magics.containers.ours import refuse_others
from course_magics.containers.swarm.talk import explaining, find, managing
from course_magics.display import Shown, Table
from course_magics.engine.routes import route
from course_magics.engine.stream import request
from course_magics.errors import EngineError, OptionError

if TYPE_CHECKING:
    from docker import APIClient


def content(file: str | None, cell: str | None, sign: str) -> bytes:
    """What shall be kept: of a file, or the cell. Raises OptionError."""
    if cell is not None:
        if file not in (None, "-"):
            raise OptionError(f"{sign}: the cell or a file, not both")
        return cell.encode()
    if file in (None, "-"):
        raise OptionError(
            f"{sign}: the value is missing",
            hint=f"from a file: {sign} NAME FILE\nfrom the cell: %{sign} NAME, and the value below",
        )
    try:
        return Path(str(file)).expanduser().read_bytes()
    except OSError as error:
        raise OptionError(f"{sign}: cannot read {file}: {error.strerror}") from None


def create(kind: str, name: str, data: bytes, given: Sequence[str], line: str) -> Done:
    """Keep `data` under `name`. kind: secret or config. Raises EngineError where it is taken."""
    from docker.errors import APIError

    own = dict(item.partition("=")[::2] for item in given)
    body = {
        "Name": name,
        "Labels": {**labels.ours(), **own},
        "Data": base64.b64encode(data).decode(),
    }
    with managing(line) as api:
        try:
            request(api, "POST", f"/{kind}s/create", json=body)
        except APIError as error:
            if error.status_code != 409:
                raise
            there = find(api, kind, name)["Spec"].get("Labels")
            refuse_others(kind, name, there, f"%container {kind} create ")
            raise EngineError(
                f"there is a {kind} {name} already",
                command=line,
                hint=f"a {kind} never changes: another name, or: %container {kind} rm {name}",
            ) from None
    return Done(f"created the {kind}", [name], line)


def ls(
    kind: str,
    line: str,
    *,
    filter: Sequence[str] = (),
    quiet: bool = False,
    template: str | None = None,
) -> Shown:
    """The secrets or the configs."""
    given = filters(filter, ("id", "label", "name"))
    with managing(line) as api:
        params = {"filters": json.dumps(given)}
        found = request(api, "GET", f"/{kind}s", params=params).json() or ()
    rows = [_row(f) for f in sorted(found, key=lambda f: str(f["Spec"]["Name"]))]
    if quiet:
        return Lines([r["ID"] for r in rows], line)
    if template:
        return formatted(rows, template, line)
    return Table({"NAME": "Name"}, rows, command=line, empty=f"(no {kind}s)")


def _row(found: dict[str, Any]) -> dict[str, Any]:
    spec = found["Spec"]
    given = spec.get("Labels") or {}
    return {
        "ID": found["ID"],
        "Name": spec["Name"],
        "CreatedAt": found["CreatedAt"],
        "UpdatedAt": found["UpdatedAt"],
        "Driver": (spec.get("Driver") or {}).get("Name", ""),
        "Labels": ",".join(f"{k}={v}" for k, v in sorted(given.items())),
    }


def inspect(kind: str, names: Sequence[str], line: str, template: str | None = None) -> Shown:
    """All that the swarm tells of them; a secret's value is not among it."""
    with managing(line) as api:
        data = [find(api, kind, name) for name in names]
    if template and template != "json":
        return formatted(data, template, line)
    return Inspected(data, line)


def remove(kind: str, names: Sequence[str], line: str) -> Done:
    """Remove secrets or configs."""

    def act(api: APIClient, name: str) -> None:
        with explaining(line):
            request(api, "DELETE", route(f"/{kind}s/{{}}", find(api, kind, name)["ID"]))

    return each(names, "removed", act, line, containers=False)

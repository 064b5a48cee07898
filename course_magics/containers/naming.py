"""Names of networks and volumes, checked before they become part of a URL; names with values."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from course_magics.errors import EngineError, OptionError, closest

if TYPE_CHECKING:
    from docker import APIClient


def names_of(api: APIClient, kind: str) -> list[str]:
    """The names of all networks or all volumes (`kind`)."""
    if kind == "network":
        return sorted(n["Name"] for n in api.networks())
    return sorted(v["Name"] for v in api.volumes().get("Volumes") or ())


@contextlib.contextmanager
def naming(api: APIClient, kind: str, name: str) -> Iterator[None]:
    """Requests for the network or volume `name`: when there is none, the closest one is named."""
    from docker.errors import NotFound

    unknown = f"no such {kind}: {name}"
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
        raise EngineError(f"no such {kind}: {name!r}", hint=f"%container {kind} ls lists them")
    try:
        yield
    except NotFound:
        names = names_of(api, kind)
        if name in names:
            raise  # something else is missing: the container that shall be connected
        near = closest(name, names)
        raise EngineError(
            unknown, hint=f"did you mean {near}?" if near else f"%container {kind} ls lists them"
        ) from None


def name_only(item: str) -> str:
    """What an error shows of NAME=VALUE: the name. The value may be a secret."""
    name, equals, _ = item.partition("=")
    return repr(f"{name}=…" if equals else name)


def pairs(given: Sequence[str], flag: str, *, bare: bool = False) -> dict[str, str]:
    """`NAME=VALUE` words as a dict. bare: a NAME alone means an empty value, as for labels.

    Raises OptionError.
    """
    found = {}
    for item in given:
        name, equals, value = item.partition("=")
        if not name or not (equals or bare):
            raise OptionError(f"{flag} takes NAME=VALUE, not {name_only(item)}")
        found[name] = value
    return found


def commas(given: Sequence[str]) -> list[str]:
    """Values that may be given one by one or with commas between them."""
    return [part for item in given for part in item.split(",") if part]

"""`docker network prune`, `volume prune`, `system prune`: remove what nothing uses.

docker asks before it removes; nobody can answer in a cell. So without `-f` nothing is removed, and
the error names what would be.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from course_magics import engine
from course_magics.containers.listing import filters
from course_magics.containers.logs import moment
from course_magics.display import Block, Command, Facts, Line, Shown
from course_magics.engine.stream import request
from course_magics.errors import Interrupted, OptionError
from course_magics.patience import Patience
from course_magics.units import show_bytes

if TYPE_CHECKING:
    from docker import APIClient

_FILTERS = ("label", "label!", "until")
#: So many names of a kind are listed; the rest is counted.
_NAMED = 8
#: Networks that Docker itself makes; they are never pruned.
_DOCKERS_OWN = frozenset({"bridge", "host", "none", "docker_gwbridge", "ingress", "podman"})
#: What the engine says to a second prune of the same kind.
_RUNNING = "a prune operation is already running"
Given = dict[str, list[str]]


class Pruned(Shown):
    """What was removed. removed: kind → names; reclaimed: bytes that are free again."""

    def __init__(self, removed: dict[str, list[str]], reclaimed: int, command: str) -> None:
        self.removed = removed
        self.reclaimed = reclaimed
        self.command = command

    def blocks(self) -> Sequence[Block]:
        facts = [(kind, _few(names)) for kind, names in self.removed.items() if names]
        if self.reclaimed:
            facts.append(("freed", show_bytes(self.reclaimed)))
        if not facts:
            return [Line("nothing to remove"), Command(self.command)]
        return [Line("removed"), Facts(facts), Command(self.command)]


def _few(names: Sequence[str]) -> str:
    """Names for a reader: an id or a digest says nothing, so those are counted."""
    named = sorted(n for n in names if not re.fullmatch(r"(sha256:)?[0-9a-f]{64}|[0-9a-z]{25}", n))
    shown = ", ".join(named[:_NAMED])
    rest = len(names) - len(named[:_NAMED])
    if not shown:
        return f"{rest} without a name" if rest else "none"
    return f"{shown} and {rest} more" if rest else shown


@dataclass(frozen=True)
class _Kind:
    """One kind of thing. path: where the engine prunes; unused: the names of what nothing uses;
    names: which of the answer's words are names."""

    path: str
    unused: Callable[[APIClient, Given, bool], list[str]]
    names: Callable[[dict[str, Any]], list[str]]
    labelled: bool = True


def _listed(key: str) -> Callable[[dict[str, Any]], list[str]]:
    return lambda answer: list(answer.get(key) or ())


def _newer(given: Given, created: str | float) -> bool:
    """Whether something was made after the time that `until` names, so that it stays."""
    if not given.get("until"):
        return False
    if isinstance(created, str):
        # The engine writes nine decimals, and Python reads six.
        text = re.sub(r"(\.\d{6})\d+", r"\1", created.replace("Z", "+00:00"))
        with contextlib.suppress(ValueError):
            return datetime.fromisoformat(text).timestamp() > float(given["until"][0])
        return False
    return created > float(given["until"][0])


def _labels(given: Given) -> Given:
    return {"label": given["label"]} if given.get("label") else {}


def _spared(given: Given, thing: dict[str, Any]) -> bool:
    """Whether a `label!` filter or `until` keeps the thing."""
    labels = thing.get("Labels") or {}
    for word in given.get("label!", ()):
        name, equals, value = word.partition("=")
        if name in labels and (not equals or labels[name] == value):
            return True
    return _newer(given, thing.get("Created") or thing.get("CreatedAt") or 0)


def _containers(api: APIClient, given: Given, all: bool) -> list[str]:
    states = ["created", "exited"] + ["dead"] * (not engine.current().is_podman)
    ended = {"status": states, **_labels(given)}
    return [
        (c.get("Names") or [c["Id"]])[0].lstrip("/")
        for c in api.containers(all=True, filters=ended)
        if not _spared(given, c)
    ]


def _networks(api: APIClient, given: Given, all: bool) -> list[str]:
    found = api.networks(filters={"dangling": ["true"], **_labels(given)})
    return [n["Name"] for n in found if n["Name"] not in _DOCKERS_OWN and not _spared(given, n)]


def _volumes(api: APIClient, given: Given, all: bool) -> list[str]:
    found = api.volumes(filters={"dangling": ["true"], **_labels(given)}).get("Volumes") or ()
    return [v["Name"] for v in found if not _spared(given, v) and (all or _is_pruned(api, v))]


def _is_pruned(api: APIClient, volume: dict[str, Any]) -> bool:
    """Engines from 23.0 on (API 1.42) keep volumes that were given a name."""
    anonymous = "com.docker.volume.anonymous" in (volume.get("Labels") or {})
    return anonymous or not keeps_named_volumes(api)


def keeps_named_volumes(api: APIClient) -> bool:
    """Whether `volume prune` on this engine removes only volumes without a name of their own."""
    return tuple(int(n) for n in api.api_version.split(".")) >= (1, 42)


def _images(api: APIClient, given: Given, all: bool) -> list[str]:
    if not all:
        found = api.images(filters={"dangling": True, **_labels(given)})
        return [i["Id"] for i in found if not _spared(given, i)]
    used = {c["ImageID"] for c in api.containers(all=True)}
    found = [i for i in api.images(filters=_labels(given)) if i["Id"] not in used]
    return [t for i in found if not _spared(given, i) for t in i.get("RepoTags") or [i["Id"]]]


def _untagged(answer: dict[str, Any]) -> list[str]:
    gone = answer.get("ImagesDeleted") or ()
    # An image's name comes twice, with its tag and with its digest; a layer has only a digest.
    tags = [i["Untagged"] for i in gone if "@" not in i.get("Untagged", "@")]
    return tags or [i["Deleted"] for i in gone if "Deleted" in i]


def _no_names(api: APIClient, given: Given, all: bool) -> list[str]:
    return []


_KINDS = {
    "containers": _Kind("/containers/prune", _containers, _listed("ContainersDeleted")),
    "networks": _Kind("/networks/prune", _networks, _listed("NetworksDeleted")),
    "volumes": _Kind("/volumes/prune", _volumes, _listed("VolumesDeleted")),
    "images": _Kind("/images/prune", _images, _untagged),
    "build cache": _Kind("/build/prune", _no_names, _listed("CachesDeleted"), labelled=False),
}


def prune(
    kinds: Sequence[str],
    line: str,
    *,
    filter: Sequence[str] = (),
    force: bool = False,
    all: bool = False,
) -> Pruned:
    """Remove what nothing uses. kinds: containers, networks, volumes, images, build cache.

    filter: `label=…`, `label!=…`, `until=…`. force: without it nothing is removed. all: also images
    with a tag and volumes with a name. Raises OptionError that lists what would go, EngineError,
    Interrupted that says what has gone already.
    """
    given = _read(filter)
    if "volumes" in kinds and given.get("until"):
        raise OptionError("--filter until says nothing about volumes", hint="leave one of them out")
    if given.get("label") or given.get("label!"):
        # The build cache has no labels: the engine would ignore the filter and empty it.
        kinds = [kind for kind in kinds if _KINDS[kind].labelled]
    removed: dict[str, list[str]] = {}
    freed = 0
    with engine.talking(line) as api, engine.current().with_room():
        unused = {kind: _KINDS[kind].unused(api, given, all) for kind in kinds}
        if not force:
            raise _ask(unused, line)
        try:
            for kind in kinds:
                answer = _prune(api, kind, given, all)
                names = _KINDS[kind].names(answer)
                # The engine names containers by their ids.
                removed[kind] = unused[kind] if kind == "containers" and names else names
                freed += int(answer.get("SpaceReclaimed") or 0)
        except KeyboardInterrupt:
            gone = "; ".join(f"{k}: {_few(n)}" for k, n in removed.items() if n)
            raise Interrupted(
                f"interrupted; removed until then: {gone or 'nothing'}", command=line
            ) from None
    return Pruned(removed, freed, line)


def _read(filter: Sequence[str]) -> Given:
    """The filters, `until` as Unix seconds; `label!=a=b` is one called "label!"."""
    given = filters(filter, _FILTERS)
    if "until" in given:
        given["until"] = [moment(text, "--filter until") for text in given["until"]]
    return given


def _prune(api: APIClient, kind: str, given: Given, all: bool) -> dict[str, Any]:
    from docker.errors import APIError
    from docker.utils import convert_filters

    sent: dict[str, Any] = dict(given)
    if kind == "images":
        sent["dangling"] = ["false" if all else "true"]
    if kind == "volumes" and all and keeps_named_volumes(api):
        sent["all"] = ["true"]
    params: dict[str, Any] = {"filters": convert_filters(sent)} if sent else {}
    if kind == "build cache" and all:
        params["all"] = 1
    patience = Patience()
    while True:
        try:
            return dict(request(api, "POST", _KINDS[kind].path, params=params).json())
        except APIError as error:
            # One prune of a kind at a time: another kernel's is soon over.
            if _RUNNING not in str(error.explanation) or patience.over:
                raise
            patience.saw()
        time.sleep(0.2)


def _ask(unused: dict[str, list[str]], line: str) -> OptionError:
    """The question, with its answer: what would be removed, and what to type for it."""
    counts = ", ".join(
        f"{len(names)} {kind[:-1] if len(names) == 1 else kind}"
        for kind, names in unused.items()
        if kind != "build cache"
    )
    cache = " and the build cache" if "build cache" in unused else ""
    names = [f"{kind}: {_few(names)}" for kind, names in unused.items() if names]
    return OptionError(
        f"this would remove what nothing uses: {counts}{cache}",
        command=line,
        detail="\n".join(names) or None,
        hint="a cell cannot be asked, so nothing was removed: add -f to remove them",
    )

"""Remove what the course made: everything that carries its labels, and nothing else.

What may hold somebody's work goes only when it was listed and `-f` was typed: nobody can answer a
question in a cell.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from course_magics import engine, labels
from course_magics.containers import ours, steps
from course_magics.display import Block, Command, Facts, Line, Shown
from course_magics.engine import contexts
from course_magics.errors import OptionError
from course_magics.patience import until

if TYPE_CHECKING:
    from docker import APIClient

_LINE = f"docker ps -a --filter label={labels.USER}  # and docker rm -f, and so on"

#: Kind → names.
Names = dict[str, list[str]]


class Cleaned(Shown):
    """What was removed, by kind: names. kept: what is still in use. asks: what `-f` removes."""

    def __init__(self, removed: Names, kept: list[str], asks: Names | None = None) -> None:
        self.removed = removed
        self.kept = kept
        self.asks = {kind: names for kind, names in (asks or {}).items() if names}

    def blocks(self) -> Sequence[Block]:
        pairs: list[tuple[str, object]] = [
            (kind, ", ".join(names) or "none") for kind, names in self.removed.items()
        ]
        if self.kept:
            pairs.append(("still in use", ", ".join(self.kept)))
        pairs += [(f"{kind} kept", ", ".join(names)) for kind, names in self.asks.items()]
        more = [Line("what is kept may hold your work: add -f to remove it", "warn")]
        return [Facts(pairs), *(more if self.asks else []), Command(_LINE)]


def remove_all(*, mine: bool = False, everybody: bool = False, force: bool = False) -> Cleaned:
    """Remove what the course made for this user from the current engine.

    mine: only what this process has made; images stay, since all kernels share them.
    everybody: other users' as well. force: also volumes, and images that may be somebody's work;
    and without it nothing of everybody's. Raises OptionError that lists what would go, EngineError.
    """
    if mine and everybody:
        raise OptionError("--mine and --everybody exclude each other")
    with engine.talking(_LINE) as api, engine.current().with_room():
        found = _Found(api, _filters(mine, everybody), mine=mine, everybody=everybody)
        if everybody and not force:
            raise _ask(found)
        return _Removal(api, found, force).done


def _filters(mine: bool, everybody: bool) -> list[ours.Filter]:
    if everybody:
        return [ours.EVERYBODY]
    if not mine:
        return [labels.mine()]
    from course_magics.containers.compose.project import made

    # The labels of this process's compose projects outlive a session.
    lasting = labels.lasting()[labels.SESSION]
    of_compose = (
        labels.mine(f"{labels.SESSION}={lasting}", f"{labels.COMPOSE}={name}")
        for name in sorted(made)
    )
    return [labels.session(), *of_compose]


class _Found:
    """What there is to remove. Kind → (id, name)."""

    def __init__(
        self, api: APIClient, filters: list[ours.Filter], *, mine: bool, everybody: bool
    ) -> None:
        self.things: dict[str, list[tuple[str, str]]] = {}
        if api.info().get("Swarm", {}).get("ControlAvailable"):
            for kind, listed in (
                ("services", api.services), ("secrets", api.secrets), ("configs", api.configs)
            ):  # fmt: skip
                found = {f["ID"]: f["Spec"]["Name"] for one in filters for f in listed(filters=one)}
                self.things[kind] = list(found.items())
        listed_containers = [(c["Id"], ours.name_of(c)) for c in ours.containers(api, filters)]
        self.things["containers"] = listed_containers + steps.left(api, mine=mine)
        self.things["networks"] = [(n["Id"], n["Name"]) for n in ours.networks(api, filters)]
        self.things["volumes"] = [(v["Name"], v["Name"]) for v in ours.volumes(api, filters)]
        built, maybe = ([], []) if mine else ours.images(api, everybody=everybody)
        self.things["images"] = _named(built)
        self.maybe = _named(maybe)
        self.things["contexts"] = [(name, name) for name in _contexts(mine)]


def _named(images: list[str]) -> list[tuple[str, str]]:
    """A name at a time: an image that has another one, or that somebody's container uses, stays."""
    return [(name, name.removesuffix(":latest").removeprefix("sha256:")) for name in images]


def _contexts(mine: bool) -> list[str]:
    """The contexts that cells made; those of machines go with their machines."""
    wanted = labels.SESSION if mine else labels.USER
    value = labels.ours()[wanted]
    return [n for n in contexts.names() if contexts.load(n).labels.get(wanted) == value]


def _ask(found: _Found) -> OptionError:
    things = {**found.things, "images": found.things["images"] + found.maybe}
    lines = [
        f"{kind}: {', '.join(n for _, n in listed)}" for kind, listed in things.items() if listed
    ]
    return OptionError(
        "this would remove what the course made for everybody on this engine",
        command=_LINE,
        detail="\n".join(lines) or "there is nothing",
        hint="a cell cannot be asked, so nothing was removed: add -f to remove them",
    )


class _Removal:
    """Removes in the order in which things let go of each other."""

    def __init__(self, api: APIClient, found: _Found, force: bool) -> None:
        self.api = api
        self.kept: list[str] = []
        self.removed: Names = {}
        things = found.things
        if "services" in things:
            self._all("services", things["services"], api.remove_service)
            self._tasks_end({id for id, _ in things["services"]})
            self._all("secrets", things["secrets"], api.remove_secret)
            self._all("configs", things["configs"], api.remove_config)
        self._all("containers", things["containers"], self._container)
        self._all("networks", things["networks"], api.remove_network)
        self._all("volumes", things["volumes"] if force else [], api.remove_volume)
        images = [*things["images"], *(found.maybe if force else [])]
        self._all("images", images, api.remove_image)
        if force and things["contexts"]:
            current = contexts.current_name()
            self.kept += [n for _, n in things["contexts"] if n == current]
            free = [one for one in things["contexts"] if one[0] != current]
            self._all("contexts", free, contexts.remove)
        asks: Names = {}
        if not force:
            held = {**things, "images": found.maybe}
            asks = {
                kind: sorted(n for _, n in held[kind]) for kind in ("volumes", "images", "contexts")
            }
        self.done = Cleaned(self.removed, sorted(self.kept), asks)

    def _all(
        self, kind: str, things: list[tuple[str, str]], remove: Callable[[str], object]
    ) -> None:
        """Remove things of one kind; what something else still uses is kept, and told."""
        from docker.errors import APIError

        gone = self.removed.setdefault(kind, [])
        for id, name in things:
            try:
                remove(id)
                gone.append(name)
            except APIError as error:
                if "already in progress" in str(error.explanation).lower():
                    gone.append(name)
                elif error.status_code in (400, 403, 409, 500):
                    self.kept.append(name)
                elif error.status_code != 404:
                    raise
        gone.sort()

    def _container(self, id: str) -> None:
        # Its volumes without a name go with it, as with `docker run --rm`.
        self.api.remove_container(id, force=True, v=True)
        steps.ended(id[:12])

    def _tasks_end(self, services: set[str]) -> None:
        """A network of the swarm is free when the tasks of the services on it have ended."""

        def tasks() -> list[str]:
            return [t["ID"] for t in self.api.tasks() if t["ServiceID"] in services]

        until(lambda: not services or not tasks(), sign=lambda: len(tasks()), pause=0.2)

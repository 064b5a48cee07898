"""Remove what the course made: everything that carries its labels, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from course_magics import engine, labels
from course_magics.display import Block, Command, Facts, Shown
from course_magics.patience import until

if TYPE_CHECKING:
    from docker import APIClient

_LINE = f"docker rm -f $(docker ps -aq --filter label={labels.SESSION})  # and so on"


class Cleaned(Shown):
    """What was removed: containers, networks, volumes, images (names). kept: what could not be."""

    def __init__(self, removed: dict[str, list[str]], kept: list[str]) -> None:
        self.removed = removed
        self.kept = kept

    def blocks(self) -> Sequence[Block]:
        pairs: list[tuple[str, object]] = [
            (kind, ", ".join(names) or "none") for kind, names in self.removed.items()
        ]
        if self.kept:
            pairs.append(("still in use", ", ".join(self.kept)))
        return [Facts(pairs), Command(_LINE)]


def _swarm_things(api: APIClient, ours: dict[str, str]) -> dict[str, list[str]]:
    """Remove services, then what they read; a network of the swarm is free when their tasks end."""
    services = api.services(filters=ours)
    for found in services:
        api.remove_service(found["ID"])
    ids = [found["ID"] for found in services]

    def left() -> list[tuple[str, str]]:
        ending = (t for t in api.tasks() if t["ServiceID"] in ids)
        return sorted((t["ID"], t["Status"]["State"]) for t in ending)

    until(lambda: not left(), sign=left, pause=0.2)
    removed = {"services": [found["Spec"]["Name"] for found in services]}
    for kind, all_of, remove in (
        ("secrets", api.secrets, api.remove_secret),
        ("configs", api.configs, api.remove_config),
    ):
        things = all_of(filters=ours)
        for found in things:
            remove(found["ID"])
        removed[kind] = [found["Spec"]["Name"] for found in things]
    return removed


def _of_compose() -> list[dict[str, Any]]:
    """Filters for what this process's compose projects hold: their labels outlive a session."""
    from course_magics.containers.compose.project import made

    lasting = f"{labels.SESSION}={labels.lasting()[labels.SESSION]}"
    return [{"label": [lasting, f"{labels.COMPOSE}={name}"]} for name in sorted(made)]


def remove_all(*, mine: bool = False) -> Cleaned:
    """Remove the course's containers, networks, volumes and images from the current engine.

    mine: only what this process has made; images stay, since all kernels share them.
    """
    from docker.errors import APIError

    session = labels.ours()[labels.SESSION]
    ours = {"label": f"{labels.SESSION}={session}" if mine else labels.SESSION}
    every = [ours, *_of_compose()] if mine else [ours]
    removed: dict[str, list[str]] = {"containers": [], "networks": [], "volumes": [], "images": []}
    kept: list[str] = []
    with engine.talking(_LINE) as api, engine.current().with_room():
        if api.info().get("Swarm", {}).get("ControlAvailable"):
            removed = {**_swarm_things(api, ours), **removed}
        for c in [c for f in every for c in api.containers(all=True, filters=f)]:
            name = (c.get("Names") or [c["Id"][:12]])[0].lstrip("/")
            api.remove_container(c["Id"], force=True, v=True)
            removed["containers"].append(name)
        for n in [n for f in every for n in api.networks(filters=f)]:
            api.remove_network(n["Id"])
            removed["networks"].append(n["Name"])
        for v in [v for f in every for v in api.volumes(filters=f).get("Volumes") or ()]:
            api.remove_volume(v["Name"])
            removed["volumes"].append(v["Name"])
        for i in [] if mine else api.images(filters={"label": labels.IMAGE}):
            # A tag at a time: an image that a stranger's tag or container uses stays his.
            for name in i.get("RepoTags") or [i["Id"]]:
                shown = name.removesuffix(":latest").removeprefix("sha256:")
                try:
                    api.remove_image(i["Id"] if "<none>" in name else name)
                    removed["images"].append(shown)
                except APIError as error:
                    if error.status_code != 404:
                        kept.append(shown)
    for names in removed.values():
        names.sort()
    return Cleaned(removed, sorted(kept))

"""What a registry has: its images, tags and sizes, asked as any client asks.

The requests are those of https://github.com/opencontainers/distribution-spec and the catalog of
https://distribution.github.io/distribution/spec/api/.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from course_magics.containers.login import Secret
from course_magics.display import Block, Facts, Grid, Line, Shown
from course_magics.errors import RegistryError
from course_magics.patience import limit
from course_magics.registry.place import Facts as Known
from course_magics.registry.place import Place
from course_magics.units import show_bytes

_LISTS = (
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.index.v1+json",
)
_ACCEPT = ", ".join(
    (
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        *_LISTS,
    )
)


class Client:
    """Asks a registry on this computer. login: user and password, or None.

    They are sent to a registry that wants them for a pull, to no other: ours lets anybody pull.
    """

    def __init__(self, address: str, login: tuple[str, Secret] | None = None) -> None:
        import requests

        self.address = address
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy, no ~/.netrc
        self._login = login

    def get(self, path: str) -> Any:
        """The answer to a GET of `/v2/…`. Raises RegistryError."""
        import requests

        url = f"http://{self.address}{path}"
        try:
            answer = self._session.get(url, headers={"Accept": _ACCEPT}, timeout=limit())
            if answer.status_code == 401 and self._introduced(answer.headers):
                answer = self._session.get(url, headers={"Accept": _ACCEPT}, timeout=limit())
        except requests.exceptions.RequestException as error:
            raise RegistryError(
                f"no registry answers at {self.address}",
                detail=type(error).__name__,
                hint="course-magics registry start starts it",
            ) from None
        if answer.status_code == 401:
            raise RegistryError(
                f"the registry at {self.address} wants a user name and a password",
                hint=f"log in first: docker login {self.address} -u USER",
            )
        if not answer.ok:
            raise RegistryError(
                f"the registry at {self.address} refused {path}",
                detail=f"{answer.status_code} {answer.reason}\n{answer.text[:500]}",
            )
        self._next = answer.links.get("next", {}).get("url", "")
        return answer.json()

    def _introduced(self, headers: Mapping[str, str]) -> bool:
        """Whether there is something to show to a registry that has asked who we are."""
        kind, _, rest = headers.get("WWW-Authenticate", "").partition(" ")
        if kind.lower() != "bearer":
            if self._login is None or self._session.auth is not None:
                return False
            self._session.auth = (self._login[0], self._login[1].reveal())
            return True
        asked = dict(re.findall(r'(\w+)="([^"]*)"', rest))
        wanted = {key: asked[key] for key in ("service", "scope") if key in asked}
        self._session.headers.pop("Authorization", None)
        got = self._session.get(asked.get("realm", ""), params=wanted, timeout=limit())
        if not got.ok:
            return False
        self._session.headers["Authorization"] = f"Bearer {got.json()['token']}"
        return True

    def repositories(self) -> list[str]:
        """The names of all images, without tags."""
        found: list[str] = []
        path = "/v2/_catalog?n=200"
        while path:
            found += self.get(path).get("repositories") or ()
            path = self._next
        return found

    def tags(self, repository: str) -> list[str]:
        """The tags of an image; none where all were deleted."""
        with contextlib.suppress(RegistryError):
            return sorted(self.get(f"/v2/{repository}/tags/list").get("tags") or ())
        return []

    def size(self, repository: str, reference: str) -> int:
        """Bytes of an image as it is kept, compressed; of all platforms together."""
        manifest = self.get(f"/v2/{repository}/manifests/{reference}")
        if manifest.get("mediaType") in _LISTS:
            return sum(self.size(repository, m["digest"]) for m in manifest["manifests"])
        parts = [manifest.get("config") or {}, *(manifest.get("layers") or ())]
        return sum(int(p.get("size") or 0) for p in parts)


class Status(Shown):
    """A registry: address, whether it runs, and its images.

    images: one dict a tag, with name, tag and size in bytes (None where it could not be asked).
    """

    def __init__(
        self, place: Place, facts: Known | None, images: list[dict[str, Any]], why: str
    ) -> None:
        self.place = place
        self.running = facts is not None
        self.address = facts.address if facts else ""
        self.images = images
        self._facts = facts
        self._why = why

    def blocks(self) -> Sequence[Block]:
        if self._facts is None:
            return [Line("the registry does not run: course-magics registry start starts it")]
        known = self._facts
        pairs: list[tuple[str, object]] = [("address", known.address)]
        pairs.append(("pushes", known.user or ("nobody" if known.mirror else "anybody")))
        if known.user and self.place.password.is_file():
            pairs.append(("password", f"in {self.place.password}"))
        if not known.checks:
            pairs.append(("but", "what checks the password has ended: registry start starts it"))
        if known.mirror:
            pairs.append(("mirror of", known.mirror))
        if known.container:
            pairs.append(("container", known.container))
        else:
            pairs.append(("folder", self.place.folder))
            pairs.append(("on disk", show_bytes(_disk(self.place))))
        if self._why:
            return [Facts(pairs), Line(self._why, "warn")]
        rows = [
            (i["name"], i["tag"], "?" if i["size"] is None else show_bytes(i["size"]))
            for i in self.images
        ]
        grid = Grid(["image", "tag", "size"], rows, frozenset({"size"}), "(no images)")
        return [Facts(pairs), grid]


def _disk(place: Place) -> int:
    return sum(f.stat().st_size for f in place.data.rglob("*") if f.is_file())


def status(place: Place) -> Status:
    """How the registry is, and what it has."""
    facts = place.running()
    if facts is None:
        return Status(place, None, [], "")
    client = Client(facts.address, place.login(facts))
    images: list[dict[str, Any]] = []
    try:
        for name in client.repositories():
            for tag in client.tags(name):
                size = None
                with contextlib.suppress(RegistryError):  # a mirror whose upstream is away
                    size = client.size(name, tag)
                images.append({"name": f"{facts.address}/{name}", "tag": tag, "size": size})
    except RegistryError as error:
        why = error.message + (f"; {error.hint}" if error.hint else "")
        return Status(place, facts, [], why)
    return Status(place, facts, images, "")

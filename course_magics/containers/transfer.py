"""push and pull: an image on its way to or from a registry.

What the engine tells on the way: https://docs.docker.com/reference/api/engine/ ("Push an image").
"""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from course_magics import engine
from course_magics.containers.create import fetch, local_images, no_such_image, quiet
from course_magics.containers.login import advice, loopback, registry_of
from course_magics.display import Block, Command, Line, Shown
from course_magics.engine.routes import route
from course_magics.errors import EngineError, Interrupted, OptionError

if TYPE_CHECKING:
    from docker import APIClient

_WAITING = frozenset({"Preparing", "Waiting", "Pulling fs layer"})


@dataclass
class Layer:
    """One layer on its way. status: the engine's word; done, total: bytes (0: not known yet)."""

    status: str = ""
    done: int = 0
    total: int = 0

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.status.startswith(("Pushed", "Pull complete", "Mounted", "Layer already")) or (
            self.status == "Already exists"
        )


class Progress:
    """The layers of a push or a pull: id → `Layer`, in the order in which they came."""

    def __init__(self, what: str, watch: Callable[[Progress], None] | None = None) -> None:
        """what: "pushing NAME". watch: told when something has moved."""
        self.what = what
        self.begun = time.monotonic()
        self.layers: dict[str, Layer] = {}
        self.digests: dict[str, str] = {}
        self._watch = watch

    def see(self, event: dict[str, Any]) -> None:
        """Take one of the engine's events."""
        status, id = str(event.get("status", "")), event.get("id")
        aux = event.get("aux") or {}
        if "Tag" in aux and "Digest" in aux:
            self.digests[aux["Tag"]] = aux["Digest"]
        if status.startswith("Digest: "):
            self.digests[""] = status.removeprefix("Digest: ")
        if not id or status.startswith("Pulling from"):
            return
        layer = self.layers.setdefault(id, Layer())
        layer.status = status
        detail = event.get("progressDetail") or {}
        layer.done = int(detail.get("current") or layer.done)
        layer.total = int(detail.get("total") or layer.total)
        if self._watch is not None:
            self._watch(self)


Watch = Callable[[Progress], None]


class Moved(Shown):
    """An image that was pushed or pulled.

    image: its name; tags: the tags that went; digests: tag → "sha256:…"; pinned: a name that means
    this very content for ever; layers: how many there were.
    """

    def __init__(self, what: str, image: str, progress: Progress, command: str) -> None:
        self.what = what
        self.image = image
        self.command = command
        self.digests = {t: d for t, d in progress.digests.items() if t}
        self._digest = progress.digests.get("")
        self.layers = len(progress.layers)

    @property
    def names(self) -> list[str]:
        """The image's name, in a list."""
        return [self.image]

    @property
    def tags(self) -> list[str]:
        """The tags that went."""
        return sorted(self.digests)

    @property
    def digest(self) -> str | None:
        """The digest of the only or the last tag, as the registry counts it."""
        return next(reversed(self.digests.values()), self._digest)

    @property
    def pinned(self) -> str:
        """NAME@DIGEST."""
        return f"{_split(self.image)[0]}@{self.digest}"

    def blocks(self) -> Sequence[Block]:
        tags = f" ({', '.join(self.tags)})" if len(self.digests) > 1 else ""
        return [Line(f"{self.what} {self.image}{tags}"), Command(self.command)]


def _split(image: str) -> tuple[str, str | None]:
    from docker.utils import parse_repository_tag

    repository, tag = parse_repository_tag(image)
    return repository, tag


def push(
    image: str,
    line: str,
    *,
    all_tags: bool = False,
    watch: Watch | None = None,
    auth: dict[str, str] | None = None,
) -> Moved:
    """Send an image to the registry in its name. Raises OptionError, EngineError, Interrupted.

    all_tags: every tag of it that is here. watch: told of each step. auth: `username` and
    `password`, in place of what docker has stored at a login.
    """
    with engine.talking(line) as api:
        return send(api, image, line, all_tags=all_tags, watch=watch, auth=auth)


def send(
    api: APIClient,
    image: str,
    line: str,
    *,
    all_tags: bool = False,
    watch: Watch | None = None,
    auth: dict[str, str] | None = None,
) -> Moved:
    """As `push`, on the engine behind `api`."""
    repository, tag = _split(image)
    if tag and tag.startswith("sha256:"):
        raise OptionError("a digest cannot be pushed: it follows from what is pushed")
    if all_tags and tag:
        raise OptionError(
            f"-a pushes every tag, and {image} names one", hint=f"leave out :{tag}, or leave out -a"
        )
    _must_be_here(api, repository, None if all_tags else tag or "latest", line)
    progress = Progress(f"pushing {image}", watch)
    registry = _ready(api, image)
    params = {} if all_tags else {"tag": tag or "latest"}
    from docker.auth import encode_header, get_config_header

    # Without credentials the header must be there all the same: `{}`, as the docker CLI sends it.
    header = encode_header(auth) if auth else get_config_header(api, registry) or b"e30="
    from course_magics.engine.stream import request

    response = None
    try:
        response = request(
            api,
            "POST",
            route("/images/{}/push", repository),
            params=params,
            headers={"X-Registry-Auth": header},
            stream=True,
        )
        for event in api._stream_helper(response, decode=True):
            if "error" in event:
                raise _refused(image, str(event["error"]), line)
            progress.see(event)
            if str(event.get("status", "")).startswith("Retrying in") and _gone(registry):
                raise EngineError(
                    f"the registry at {registry} went away: {image} was not pushed",
                    command=line,
                    hint="course-magics registry start starts the class's own; what has arrived "
                    "there is kept,\nso the next push is quicker",
                )
    except KeyboardInterrupt:
        raise Interrupted(f"interrupted: {image} was not pushed", command=line) from None
    finally:
        if response is not None:
            response.close()
    if not progress.digests:
        raise EngineError(
            f"{image} was not pushed: the engine ended without a digest", command=line
        )
    return Moved("pushed", image, progress, line)


def _ready(api: APIClient, image: str) -> str:
    """Read docker's logins anew: another cell or a terminal may have logged in. The registry."""
    api.reload_config()
    return registry_of(image)


def _gone(registry: str) -> bool:
    """Whether a registry on this computer refuses connections: the engine would go on trying."""
    now = engine.in_use()
    if now is None or now.lease is not None or not now.url.startswith("unix://"):
        return False  # the engine's loopback is not ours
    host, _, port = registry.partition(":")
    if not loopback(registry) or not port.isdigit():
        return False
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, int(port))) == errno.ECONNREFUSED


def _must_be_here(api: APIClient, repository: str, tag: str | None, line: str) -> None:
    here = local_images(api)
    names = {n for n in here if n == f"{repository}:{tag}" or tag is None}
    short = repository.removeprefix("docker.io/").removeprefix("library/")
    if tag is None and not any(n.rpartition(":")[0] in (repository, short) for n in here):
        names = set()
    if not names and f"{short}:{tag}" not in here:
        raise no_such_image(api, f"{repository}:{tag}" if tag else repository, line)


def _refused(image: str, words: str, line: str) -> EngineError:
    """The registry's or the engine's refusal of a push, and what to do about it."""
    registry = registry_of(image)
    # One that lets anybody pull has another word for it.
    hint = advice("authentication required" if "denied:" in words.lower() else words, registry)
    if registry == "docker.io" and "denied" in words.lower():
        hint = (
            f"{image} would go to Docker Hub: %container login -u USER, and push USER/NAME,\n"
            f"or name a registry first: %container tag {image} 127.0.0.1:5000/{image}"
        )
    return EngineError(f"{image} was not pushed", command=line, detail=words.strip(), hint=hint)


def pull(
    image: str,
    line: str,
    *,
    platform: str | None = None,
    all_tags: bool = False,
    watch: Watch | None = None,
) -> Moved:
    """Fetch an image from its registry. Raises OptionError, EngineError, Interrupted.

    all_tags: every tag that the registry has. watch: told of each step.
    """
    _, tag = _split(image)
    if all_tags and tag:
        raise OptionError(
            f"-a fetches every tag, and {image} names one", hint=f"leave out {tag}, or leave out -a"
        )
    progress = Progress(f"pulling {image}", watch)
    tags: list[str] = []

    def see(event: dict[str, Any]) -> None:
        status = str(event.get("status", ""))
        if status.startswith("Pulling from"):
            tags.append(str(event.get("id", "")))
        if status.startswith("Digest: ") and tags:
            progress.digests[tags[-1]] = status.removeprefix("Digest: ")
        progress.see(event)

    with engine.talking(line) as api:
        try:
            status = fetch(api, image, platform, say=quiet, line=line, see=see, all_tags=all_tags)
        except KeyboardInterrupt:
            raise Interrupted(f"interrupted: {image} was not fetched", command=line) from None
    fresh = "up to date" in status
    return Moved("already up to date:" if fresh else "pulled", image, progress, line)

"""Make a container, fetching its image first where it is missing."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_magics import engine, labels
from course_magics.containers.endpoints import endpoints
from course_magics.containers.login import HUB, advice, registry_of
from course_magics.containers.mounts import host_path
from course_magics.containers.options import RunOptions, config
from course_magics.containers.ours import refuse_others
from course_magics.containers.since import since
from course_magics.engine.routes import route
from course_magics.engine.stream import request
from course_magics.errors import EngineError, OptionError, closest
from course_magics.shell import joined

if TYPE_CHECKING:
    from docker import APIClient

Say = Callable[[str], object]


def quiet(line: str) -> None:
    """Say nothing."""


def create(
    api: APIClient,
    image: str,
    command: list[str],
    options: RunOptions,
    *,
    foreground: bool = False,
    say: Say = quiet,
    line: str = "",
) -> str:
    """Create a container and return its id. say: told when an image is fetched.

    foreground: it must not outlive this process. line: the docker line, for errors.
    Raises EngineError (unknown image, name in use…) and OptionError (a bad flag).
    """
    body = config(image, command, options)
    _check(api, options)
    for path in bound_paths(body):
        engine.current().mountable(path)
    body["Labels"] = {**labels.ours(foreground=foreground), **body["Labels"]}
    if options.pull == "always":
        fetch(api, image, options.platform, say=say, line=line)
    try:
        return _made(api, body, options)
    except Exception as error:
        if options.pull == "never" or not is_missing_image(error):
            if is_missing_image(error):
                raise no_such_image(api, image, line) from None
            raise
    fetch(api, image, options.platform, say=say, line=line)
    return _made(api, body, options)


def bound_paths(body: dict[str, Any]) -> list[str]:
    """The paths of this computer that a container shall see."""
    host = body["HostConfig"]
    binds = [b.split(":", 1)[0] for b in host.get("Binds") or () if b.startswith("/")]
    return binds + [m["Source"] for m in host.get("Mounts") or () if m["Type"] == "bind"]


def start(api: APIClient, container: str, publishes: bool = True) -> None:
    """Start a container; its published ports are reached when this returns.

    Where one of them is in use on this computer it is stopped again, as Docker has it.
    publishes: False spares the question where it publishes nothing.
    """
    api.start(container)
    if not publishes:
        return
    try:
        engine.current().published(container)
    except EngineError:
        api.kill(container)
        raise


def _check(api: APIClient, options: RunOptions) -> None:
    """What can be known to fail before anything is made."""
    if options.annotation:
        since(api, "--annotation", "1.43")
    if options.health_start_interval is not None:
        since(api, "--health-start-interval", "1.44")
    if options.cidfile and Path(host_path(options.cidfile)).exists():
        raise OptionError(
            f"--cidfile: there is a file {options.cidfile} already",
            hint="if its container is not needed any more, remove the file",
        )


def _made(api: APIClient, body: dict[str, Any], options: RunOptions) -> str:
    """Create it, connect it to its further networks, and write its id where that is wanted."""
    id = _post(api, body, options)
    try:
        for further in endpoints(options)[1:]:
            place = {**further.body(), "MacAddress": further.mac}
            whom = {"Container": id, "EndpointConfig": place}
            request(api, "POST", route("/networks/{}/connect", further.name), json=whom)
        if options.cidfile:
            _write_id(Path(host_path(options.cidfile)), id)
    except BaseException:
        api.remove_container(id, force=True, v=True)
        raise
    return id


def _write_id(file: Path, id: str) -> None:
    try:
        file.write_text(id)
    except OSError as error:
        raise OptionError(f"--cidfile: cannot write {file}: {error.strerror}") from None


def _post(api: APIClient, body: dict[str, Any], options: RunOptions) -> str:
    from docker.errors import APIError

    params = {"name": options.name, "platform": options.platform}
    given = {k: v for k, v in params.items() if v}
    try:
        answer = request(api, "POST", "/containers/create", json=body, params=given).json()
    except APIError as error:
        if error.status_code == 409 and options.name:
            with contextlib.suppress(APIError):
                there = api.inspect_container(options.name)["Config"]["Labels"]
                refuse_others("container", options.name, there, "--name ")
        raise
    return str(answer["Id"])


def free_name(api: APIClient, image: str) -> str:
    """A name for a container that was given none: its image's and the lowest free number.

    Docker invents a name (brave_curie), another in each run; a notebook's text should stay.
    """
    base = re.sub(
        r"[^A-Za-z0-9_.-]", "-", image.rpartition("/")[2].partition("@")[0].partition(":")[0]
    )
    base = base.lstrip("._-") or "container"
    taken = {n.lstrip("/") for c in api.containers(all=True) for n in c.get("Names") or ()}
    number = 1
    while f"{base}-{number}" in taken:
        number += 1
    return f"{base}-{number}"


def is_missing_image(error: Exception) -> bool:
    """Whether the engine said that it has no such image."""
    from docker.errors import APIError

    if not isinstance(error, APIError) or error.status_code != 404:
        return False
    return "no such image" in str(error.explanation).lower()


def local_images(api: APIClient) -> list[str]:
    """The names of the images that are here."""
    return sorted({t for i in api.images() for t in i.get("RepoTags") or () if "<none>" not in t})


def no_such_image(api: APIClient, image: str, line: str, detail: str | None = None) -> EngineError:
    """The error for an image that is neither here nor to be had, with the closest that is here."""
    here = local_images(api)
    called = (image, f"{image}:latest", f"localhost/{image}", f"localhost/{image}:latest")
    if any(name in here for name in called):
        used = "an image of this name is here already: it is used without --pull always"
        return EngineError(
            f"{image} could not be pulled",
            command=line,
            detail=detail,
            hint="\n".join(filter(None, [detail and advice(detail, registry_of(image)), used])),
        )
    here = [n.removeprefix("localhost/") for n in here]  # as Podman calls what has no registry
    names = {n.removesuffix(":latest"): n for n in here} | {n.split("/")[-1]: n for n in here}
    near = closest(image.removesuffix(":latest"), names)
    if near:
        hint = f"did you mean {names[near].removesuffix(':latest')}?"
    else:
        hint = "%container images lists the images that are here"
    if detail and (registry := registry_of(image)) != HUB:
        hint = advice(detail, registry) or hint
    if image.startswith("course/"):
        hint += "\nthe course's base images are made by: course-magics images build"
    pulled = ", and it could not be pulled" if detail else ""
    return EngineError(f"no image {image!r} here{pulled}", command=line, detail=detail, hint=hint)


def fetch(
    api: APIClient,
    image: str,
    platform: str | None = None,
    *,
    say: Say = quiet,
    line: str = "",
    see: Callable[[dict[str, Any]], object] | None = None,
    all_tags: bool = False,
) -> str:
    """Pull `image`; returns the engine's last word ("Status: …"). Raises EngineError.

    see: told each of the engine's events. all_tags: every tag that the registry has.
    """
    from docker.auth import resolve_repository_name
    from docker.errors import APIError, DockerException
    from docker.utils import parse_repository_tag

    say(f"pulling {image}")
    try:
        repository, tag = parse_repository_tag(image)
        resolve_repository_name(repository)
        api.reload_config()  # a terminal or another cell may have logged in since
        last = ""
        for event in api.pull(
            repository,
            tag=None if all_tags else tag or "latest",
            platform=platform,
            all_tags=all_tags,
            stream=True,
            decode=True,
        ):
            if "error" in event:
                raise no_such_image(api, image, line, str(event["error"]))
            if see is not None:
                see(event)
            last = str(event.get("status", last))
        return last
    except APIError as error:
        raise no_such_image(api, image, line, str(error.explanation)) from None
    except DockerException as error:  # a name that is no image name
        raise EngineError(f"{image!r} is no image name: {error}", command=line) from None


def show(words: list[str]) -> str:
    """A docker line from its words."""
    return joined(words)

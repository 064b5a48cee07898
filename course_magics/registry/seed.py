"""Push the course's images to the class's registry, so that nobody needs Docker Hub."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from course_magics import engine
from course_magics.containers.create import local_images, no_such_image
from course_magics.containers.transfer import Moved, send
from course_magics.errors import RegistryError
from course_magics.registry.place import Place


def seed(place: Place, names: Sequence[str], say: Callable[[str], None]) -> list[Moved]:
    """Push `names` (default: the course's base images) under the registry's address.

    Returns what was pushed. Raises RegistryError (it does not run, it is a mirror), EngineError.
    """
    from docker.utils import parse_repository_tag

    from course_magics.guest import IMAGES

    facts = place.running()
    if facts is None:
        raise RegistryError(
            "the registry does not run", hint="course-magics registry start starts it"
        )
    if facts.mirror:
        raise RegistryError(
            f"this registry is a mirror of {facts.mirror}: it takes no pushes",
            hint="start one without --mirror, in another --folder",
        )
    known = place.login(facts)
    if facts.user and known is None:
        raise RegistryError(
            "the registry wants a password, and it is not known here",
            hint=f"log in first: docker login {facts.address} -u {facts.user}",
        )
    auth = {"username": known[0], "password": known[1].reveal()} if known else None
    done = []
    line = f"docker push {facts.address}/NAME"
    with engine.talking(line) as api:
        here = local_images(api)
        for name in names or IMAGES:
            repository, tag = parse_repository_tag(name)
            tag = tag or "latest"
            if f"{repository}:{tag}" not in here:
                raise no_such_image(api, name, line)
            target = f"{facts.address}/{repository}"
            say(f"pushing {target}:{tag}")
            was_there = f"{target}:{tag}" in here
            api.tag(name, target, tag)
            try:
                done.append(send(api, f"{target}:{tag}", line, auth=auth))
            finally:
                if not was_there:
                    api.remove_image(f"{target}:{tag}")
    return done

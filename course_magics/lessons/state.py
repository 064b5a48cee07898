"""What a check may look at: the engine, the machines, files, servers. Nothing here changes a thing.

A `None` says that something is not there. An engine that does not answer is an EngineError.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_magics import engine
from course_magics.errors import EngineError
from course_magics.lessons.things import Answer, Container, Image, Machine, Ran, Thing
from course_magics.patience import limit, until

if TYPE_CHECKING:
    from docker import APIClient

#: More of a file, a log or a page is not read.
_MOST = 1_000_000


class State:
    """The state of things now.

    where: another engine's name or URL; "" is the one in use. folder: the notebook's.
    """

    def __init__(self, where: str = "", folder: Path | None = None) -> None:
        self._where = where
        self._folder = folder or Path.cwd()
        self._engine: engine.Engine | None = None
        self._others: dict[str, State] = {}

    # --- the engine -----------------------------------------------------------------------------

    @property
    def engine(self) -> engine.Engine:
        """The engine that is looked at. Raises EngineError where none answers."""
        if not self._where:
            return engine.current()
        if self._engine is None:
            self._engine = engine.connect(self._where)
        return self._engine

    @property
    def api(self) -> APIClient:
        """The engine's own client (docker.APIClient), for what the rest does not give."""
        return self.engine.api

    @property
    def answers(self) -> bool:
        """Whether there is such an engine, and it answers: to be asked before one of `on`."""
        try:
            with engine.talking_to(self.engine, "docker version") as api:
                return bool(api.ping())
        except EngineError:
            return False

    @property
    def address(self) -> str:
        """The computer on which the engine's published ports are reached."""
        return self.engine.address

    def on(self, where: str) -> State:
        """The same questions to another engine: a name (`%engine ls`) or a URL."""
        return self._others.setdefault(where, State(where, self._folder))

    def container(self, name: str) -> Container | None:
        """The container called `name`."""
        raw = self._raw("docker inspect", lambda api: api.inspect_container(name))
        # The engine takes an id, too, and the beginning of one.
        return Container(raw) if raw and raw["Name"].lstrip("/") == name else None

    def containers(self, **filters: Any) -> list[Container]:
        """All containers, stopped ones too, by name. filters: docker's: `label="x"`, `name=`…"""
        found = self._raw("docker ps -a", lambda api: api.containers(all=True, filters=filters))
        seen = [
            self._raw("docker inspect", lambda api, id=one["Id"]: api.inspect_container(id))
            for one in found or ()
        ]
        return sorted((Container(raw) for raw in seen if raw), key=lambda c: c.name)

    def image(self, name: str) -> Image | None:
        """The image called `name` (or with this id or digest)."""
        raw = self._raw("docker image inspect", lambda api: api.inspect_image(name))
        if raw is None:
            return None
        return Image(raw, lambda: self._raw("docker history", lambda api: api.history(name)) or [])

    def images(self, **filters: Any) -> list[str]:
        """The names of all images. filters: docker's: `label="x"`, `reference="course/*"`…"""
        from course_magics.lessons.things import plain_image

        found = self._raw("docker images", lambda api: api.images(filters=filters)) or ()
        return sorted(
            plain_image(tag)
            for one in found
            for tag in one.get("RepoTags") or ()
            if tag != "<none>:<none>"
        )

    def network(self, name: str) -> Thing | None:
        """The network called `name`."""
        raw = self._raw("docker network inspect", lambda api: api.inspect_network(name))
        return Thing(raw) if raw and raw["Name"] == name else None

    def volume(self, name: str) -> Thing | None:
        """The volume called `name`."""
        raw = self._raw("docker volume inspect", lambda api: api.inspect_volume(name))
        return Thing(raw) if raw else None

    def exec(self, container: str, *argv: str, user: str = "") -> Ran:
        """Run a command that only looks, in a running container. stdout: its errors are not in it.

        status: None where the container does not run, or the command neither ends nor says a thing
        for the setting `patience`.
        """

        def run(api: APIClient) -> Ran:
            # Asked beforehand: Podman refuses with a status that says nothing.
            if api.inspect_container(container)["State"]["Status"] != "running":
                return Ran(None, "")
            made = api.exec_create(container, list(argv), user=user)["Id"]
            said: list[bytes] = []
            told = [0]  # also what it says on its standard error: it moves

            def read() -> None:
                with contextlib.suppress(Exception):  # cut off because it took too long
                    for out, err in api.exec_start(made, demux=True, stream=True):
                        told[0] += len(out or b"") + len(err or b"")
                        if told[0] <= _MOST:
                            said.append(out or b"")

            reader = threading.Thread(target=read, daemon=True)
            reader.start()
            if not until(lambda: not reader.is_alive(), sign=lambda: told[0], pause=0.01):
                return Ran(None, "")
            status = api.exec_inspect(made)["ExitCode"]
            return Ran(status, b"".join(said).decode("utf-8", "replace"))

        return self._raw(f"docker exec {container}", run, gone=(404, 409)) or Ran(None, "")

    def logs(self, container: str) -> str:
        """The last thousand lines of a container's output; "" where there is no such container."""
        said = self._raw("docker logs", lambda api: api.logs(container, tail=1000)) or b""
        return bytes(said[-_MOST:]).decode("utf-8", "replace")

    def get(self, container: str, path: str) -> str | None:
        """A file in a container, running or not; None where there is none."""
        import io
        import tarfile

        from course_magics.containers.files import sent

        def read(api: APIClient) -> str | None:
            data = io.BytesIO()
            with sent(api, container, path, follow=True) as (pieces, about):
                if about["size"] > _MOST:
                    return None
                for piece in pieces:  # a folder says little of its size, and may hold any amount
                    data.write(piece)
                    if data.tell() > 2 * _MOST:
                        return None
            data.seek(0)
            with tarfile.open(fileobj=data) as tar:
                member = tar.next()
                file = tar.extractfile(member) if member is not None and member.isfile() else None
                return file.read().decode("utf-8", "replace") if file is not None else None

        found: str | None = self._raw(f"docker cp {container}", read)
        return found

    # --- a swarm --------------------------------------------------------------------------------

    def service(self, name: str) -> dict[str, Any] | None:
        """A service of the swarm, in the engine's words."""
        found: dict[str, Any] | None = self._raw(
            "docker service inspect", lambda api: api.inspect_service(name), swarm=True
        )
        return found

    def services(self) -> list[dict[str, Any]]:
        """All services; none where the engine is not a swarm's manager."""
        return self._raw("docker service ls", lambda api: api.services(), swarm=True) or []

    def tasks(self, service: str) -> list[dict[str, Any]]:
        """The tasks of a service, old ones too."""
        asked = {"service": service}
        return self._raw("docker service ps", lambda api: api.tasks(asked), swarm=True) or []

    def nodes(self) -> list[dict[str, Any]]:
        """The nodes of the swarm; none where the engine is not a swarm's manager."""
        return self._raw("docker node ls", lambda api: api.nodes(), swarm=True) or []

    # --- elsewhere ------------------------------------------------------------------------------

    def http(self, url: str, *, user: str = "", password: str = "") -> Answer | None:
        """What a server answers to a GET; None where none says a thing for `patience` seconds."""
        import requests

        with requests.Session() as session:
            session.trust_env = False  # no proxy, no ~/.netrc
            login = (user, password) if user else None
            try:
                with session.get(url, auth=login, timeout=limit(), stream=True) as answer:
                    text = answer.raw.read(_MOST, decode_content=True)
                    return Answer(answer.status_code, text.decode("utf-8", "replace"))
            except (requests.exceptions.RequestException, OSError):
                return None

    def registry_tags(
        self, url: str, repository: str, user: str = "", password: str = ""
    ) -> list[str] | None:
        """The tags of an image in a registry; None where it does not answer or lets nobody in.

        url: "localhost:5000" or with http:// or https:// before it.
        """
        import json

        where = url if "://" in url else f"http://{url}"
        answer = self.http(f"{where}/v2/{repository}/tags/list", user=user, password=password)
        if answer is None or answer.status in (401, 403):
            return None
        with contextlib.suppress(ValueError, AttributeError):
            return sorted(json.loads(answer.text).get("tags") or ())
        return []

    def machine(self, folder: str | Path, name: str = "default") -> Machine | None:
        """A machine of the Vagrant project in `folder`; None where the project has none so called.

        One that was not made yet has the state "not_created". Raises MachineError with vagrant's
        words where it cannot tell, of a Vagrantfile with a fault, say.
        """
        from course_magics.machines import machine as machines

        place = self._folder / folder
        if not any((place / n).is_file() for n in ("Vagrantfile", "vagrantfile")):
            return None
        return next((Machine(m) for m in machines.status(place) if m.name == name), None)

    def file(self, path: str | Path) -> str | None:
        """A file beside the notebook; None where there is none."""
        try:
            with (self._folder / path).open("rb") as file:
                return file.read(_MOST).decode("utf-8", "replace")
        except OSError:
            return None

    @contextlib.contextmanager
    def watched(self, command: str) -> Iterator[None]:
        """While the block runs, what `api` is used for ends where the engine hangs, with words."""
        known = engine.in_use()
        if known is None:
            yield
            return
        with engine.talking_to(known, command):
            yield

    def _raw(
        self, command: str, ask: Any, gone: tuple[int, ...] = (404,), *, swarm: bool = False
    ) -> Any:
        """What the engine answers; None where there is no such thing.

        gone: the statuses that say so. swarm: so does the answer that this is no swarm.
        """
        from docker.errors import APIError, NullResource

        # 400 and 406 come from engines before 1.44 and from Podman, 503 from the others.
        absent = (*gone, 400, 406, 503) if swarm else gone
        with engine.talking_to(self.engine, command) as api:
            try:
                return ask(api)
            except NullResource:
                return None
            except APIError as error:
                if error.status_code not in absent:
                    raise
                return None

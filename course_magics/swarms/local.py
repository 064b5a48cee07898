"""A Swarm of several real engines on this one computer, for trying what happens when one fails.

Each node is an engine with an address of its own, in namespaces or in a machine (`members.py`), so
the nodes talk to each other as computers do. What there is stands in one file; all else is the
kernel's, vagrant's, docker's contexts' and the nodes' own: any process goes on where another
stopped.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_magics import runs, storage
from course_magics.engine import contexts, docker_config, tunnel
from course_magics.engine.bridge import interface
from course_magics.engine.namespaced import unbroken
from course_magics.errors import CourseError, EngineError, Interrupted, OptionError, closest
from course_magics.patience import limit
from course_magics.runtime import state_dir
from course_magics.swarms.members import NAMESPACES, Member, Place, Say, choose, place, remains

if TYPE_CHECKING:
    from docker import APIClient

NAME = "swarm"
#: More nodes than this take more memory than a laptop has (about 120 MB each).
_MOST = 9
_PORT = 2377


@dataclass(frozen=True)
class Node:
    """One node as it is now. state: what the swarm says ("ready", "down", "?": nobody says)."""

    name: str
    address: str
    runs: bool
    role: str
    state: str


class Swarm:
    """The swarm called `name` on this computer; its nodes are NAME-1, NAME-2, …"""

    def __init__(self, name: str = NAME) -> None:
        interface("ve", f"{name}-{_MOST}")  # refuses a name that the kernel would not take
        self.name = name
        self._file = state_dir() / "swarms" / f"{name}.json"

    # --- what there is ---------------------------------------------------------------------------

    @property
    def exists(self) -> bool:
        """Whether it has been made, whatever state it is in."""
        return self._file.exists()

    @property
    def _facts(self) -> dict[str, Any]:
        found = self._known()
        if found is None:
            raise EngineError(
                f"there is no swarm {self.name!r} on this computer",
                hint=f"{_line('up', self.name)} --nodes 3",
            )
        return found

    def _known(self) -> dict[str, Any] | None:
        """What its file says; None without one. Raises EngineError for a file that is not whole."""
        try:
            found = storage.read_json(self._file)
            if found is not None and not 1 <= int(found["nodes"]) <= _MOST:
                raise ValueError(f"{found['nodes']} nodes")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise EngineError(
                f"what is known of the swarm {self.name!r} cannot be read: {self._file}",
                detail=str(error),
                hint=f"{_line('down', self.name)} removes whatever is left of it",
            ) from None
        return found

    @property
    def place(self) -> Place:
        """Where its nodes are. Raises EngineError where there is no swarm."""
        facts = self._facts
        programs = Path(facts["programs"]) if facts.get("programs") else None
        return place(facts.get("on", NAMESPACES), self.name, facts["nodes"], programs)

    @property
    def nodes(self) -> Sequence[Member]:
        """Its engines, the first manager first. Raises EngineError where there is no swarm."""
        return self.place.nodes

    def node(self, name: str) -> Member:
        """The node called `name` ("swarm-2", or just "2"). Raises OptionError."""
        nodes = {node.name: node for node in self.nodes}
        found = nodes.get(name) or nodes.get(f"{self.name}-{name}")
        if found is None:
            near = closest(name, nodes)
            raise OptionError(
                f"the swarm has no node {name!r}",
                hint=f"did you mean {near}?" if near else f"allowed: {', '.join(nodes)}",
            )
        return found

    def status(self) -> list[Node]:
        """Each node: does its engine run, and what does the swarm say of it?"""
        place = self.place
        running = place.running()
        asked = (_said_by(node) for node in place.nodes if node.name in running)
        said = next(filter(None, asked), {})
        return [
            Node(
                node.name,
                node.address if place.there else "",
                node.name in running,
                *said.get(node.name, ("?", "?")),
            )
            for node in place.nodes
        ]

    # --- making it, and taking it away -----------------------------------------------------------

    def up(
        self,
        nodes: int = 3,
        *,
        managers: int = 1,
        on: str | None = None,
        images: Sequence[str] | None = None,
        programs: Path | None = None,
        say: Say = lambda line: None,
    ) -> list[Node]:
        """Make it: `nodes` engines, joined, the first `managers` of them managers.

        on: "namespaces" or "machines" (default: the former where it works, else the latter).
        images: loaded into each node from the engine in use (default: the course's base images
        that it has). programs: the folder with another dockerd. say: told each step.
        A failure or an interrupt leaves nothing. Raises OptionError, EngineError, MachineError,
        Interrupted.
        """
        on = self._check(nodes, managers, on, programs)
        storage.private_folder(self._file.parent)
        facts = {"nodes": nodes, "on": on, "programs": str(programs) if programs else ""}
        try:
            self._file.open("x").close()  # of two at once only one goes on
        except FileExistsError:
            raise self._there() from None
        try:
            storage.write_json(self._file, facts)
            runs.note(runs.SWARM, self.name)
            say(f"starting {nodes} engines in {on}")
            self.place.start(say)
            self._join(managers, say)
            self._load(images, say)
            for node in self.nodes:
                about = "a node of the swarm that course-magics made here"
                contexts.save(contexts.meta(node.name, node.url, about))
            say(f"docker contexts: {', '.join(n.name for n in self.nodes)}")
            return self.status()
        except KeyboardInterrupt:
            self.down()
            raise Interrupted("interrupted: nothing is left of the swarm") from None
        except BaseException:
            self.down()
            raise

    def _check(self, nodes: int, managers: int, on: str | None, programs: Path | None) -> str:
        """Raises what speaks against it; returns where the nodes are to be."""
        if not 1 <= nodes <= _MOST:
            raise OptionError(f"--nodes takes 1 to {_MOST}, not {nodes}")
        if not 1 <= managers <= nodes:
            raise OptionError(f"--managers takes 1 to {nodes}, not {managers}")
        if self.exists:
            raise self._there()
        if left := [name for found in remains(self.name, _MOST) for name in found.left]:
            raise EngineError(
                f"there are remains of a swarm {self.name!r}: {', '.join(left)}",
                hint=f"{_line('down', self.name)} removes them",
            )
        on = choose(on, _line("up", self.name), programs)
        place(on, self.name, nodes, programs).check()
        for number in range(1, nodes + 1):
            contexts.check_name(f"{self.name}-{number}")
        return on

    def _there(self) -> EngineError:
        return EngineError(
            f"the swarm {self.name!r} is there already",
            hint=f"{_line('status', self.name)} shows it\n{_line('down', self.name)} removes it",
        )

    def _join(self, managers: int, say: Say) -> None:
        place = self.place
        first, *others = place.nodes
        with _refusals(first), _api(first) as api:
            api.init_swarm(
                advertise_addr=first.address,
                listen_addr=f"{first.address}:{_PORT}",
                swarm_spec={"Dispatcher": {"HeartbeatPeriod": place.heartbeat * 10**9}},
            )
            tokens = api.inspect_swarm()["JoinTokens"]
        for number, node in enumerate(others, 2):
            token = tokens["Manager" if number <= managers else "Worker"]
            with _refusals(node), _api(node) as api:
                api.join_swarm(
                    [f"{first.address}:{_PORT}"],
                    token,
                    advertise_addr=node.address,
                    listen_addr=f"{node.address}:{_PORT}",
                )
        say(f"joined: {managers} of {len(others) + 1} nodes decide (managers)")

    def _load(self, images: Sequence[str] | None, say: Say) -> None:
        """Copy images from the engine in use, since there is no registry that all nodes ask."""
        from course_magics import engine
        from course_magics.containers.create import local_images
        from course_magics.engine.stream import request
        from course_magics.guest.images import IMAGES

        with contextlib.ExitStack() as after:
            try:
                source = after.enter_context(engine.talking("docker save"))
            except CourseError as error:
                if images:
                    raise
                say(f"no images: {error.message}")
                return
            here = local_images(source)
            wanted = [n if ":" in n.rpartition("/")[2] else f"{n}:latest" for n in images or IMAGES]
            if missing := [n for n in wanted if n not in here] if images else []:
                raise EngineError(
                    f"no image {missing[0]!r} here", hint="%container images lists them"
                )
            names = [n for n in wanted if n in here]
            if not names:
                say("no images: course-magics images build makes the course's own")
                return
            # To disk first, and no further than needed: the largest is larger than memory may be.
            with tempfile.TemporaryFile(dir=state_dir()) as archive:
                saved = request(source, "GET", "/images/get", params={"names": names}, stream=True)
                for chunk in saved.iter_content(1 << 20):
                    archive.write(chunk)
                for node in self.nodes:
                    archive.seek(0)
                    with _refusals(node), _api(node) as api:
                        list(api.load_image(archive, quiet=False) or ())
        say(f"images in each node: {', '.join(n.removesuffix(':latest') for n in names)}")

    def down(self) -> list[str]:
        """Take all of it away, whatever state it is in; returns the nodes that there were.

        Its file need not be there, nor whole: what the kernel and the disk have counts.
        An interrupt has to wait until that is done (about a second).
        """
        with unbroken():
            return self._down()

    def _down(self) -> list[str]:
        try:
            known = self._known()
        except EngineError:
            known = None
        places = [self.place] if known else remains(self.name, _MOST)
        if not places and not self.exists:
            return []
        names = [node.name for node in self.nodes] if known else []
        for there in places:
            names += [name for name in there.left if name not in names]
            there.remove()
            for node in there.nodes:
                if _has_context(node):
                    contexts.remove(node.name, force=True)
        self._file.unlink(missing_ok=True)
        runs.forget(runs.SWARM, self.name)
        meta = docker_config.folder() / "contexts" / "meta"
        for folder in (self._file.parent, meta, meta.parent):
            with contextlib.suppress(OSError):  # somebody else's things are in it
                folder.rmdir()
        return names or [self.name]  # nothing but its file was there

    # --- failures on purpose ---------------------------------------------------------------------

    def kill(self, name: str) -> str:
        """Cut the power of a node: its engine and its containers are gone at once."""
        node = self.node(name)
        if node.name not in self.place.running():
            raise EngineError(
                f"{node.name} does not run", hint=f"{_line('start', self.name)} {node.name}"
            )
        node.kill()
        return node.name

    def start(self, name: str) -> str:
        """Start a node that was killed; it finds its swarm by itself."""
        node = self.node(name)
        if node.name in self.place.running():
            raise EngineError(f"{node.name} runs already")
        self.place.prepare()
        try:
            node.start()
        except KeyboardInterrupt:
            raise Interrupted(f"interrupted: {node.name} was not started") from None
        return node.name


def _has_context(node: Member) -> bool:
    """Whether there is a docker context for just this node, and not a stranger's of its name."""
    with contextlib.suppress(CourseError):
        return contexts.load(node.name).host == node.url
    return False


def _line(word: str, name: str) -> str:
    """What to type for `word`."""
    return f"course-magics swarm {word}" + (f" --name {name}" if name != NAME else "")


def _said_by(node: Member) -> dict[str, tuple[str, str]]:
    """Role and state of every node, by name, as this one sees them; empty when it cannot say."""
    with contextlib.suppress(CourseError), _refusals(node), _api(node) as api:
        # One that has left stays in the list as "down": of two of a name the ready one counts.
        found = sorted(api.nodes(), key=lambda n: n["Status"]["State"] == "ready")
        return {n["Description"]["Hostname"]: (_role(n), n["Status"]["State"]) for n in found}
    return {}


def _role(node: dict[str, Any]) -> str:
    leads = (node.get("ManagerStatus") or {}).get("Leader")
    return "leader" if leads else str(node["Spec"]["Role"])


@contextlib.contextmanager
def _api(node: Member) -> Iterator[APIClient]:
    """Its client: an answer ends when nothing has come of it for the setting `patience`."""
    import docker

    far = node.url.startswith("ssh://")
    url = f"unix://{tunnel.to(node.url).socket}" if far else node.url
    with contextlib.closing(docker.APIClient(base_url=url, version="auto", timeout=limit())) as api:
        yield api


@contextlib.contextmanager
def _refusals(node: Member) -> Iterator[None]:
    """What a node refuses, or leaves unanswered, as an EngineError that names it."""
    import requests
    from docker.errors import APIError, DockerException

    try:
        yield
    except APIError as error:
        raise EngineError(f"{node.name} refused", detail=str(error.explanation)) from None
    except (requests.exceptions.RequestException, DockerException, OSError) as error:
        raise EngineError(f"{node.name} does not answer", detail=str(error)) from None

"""A Swarm of several real engines on this one computer, for trying what happens when one fails.

Each node is an engine in namespaces of its own (`namespaced.py`) with its own address on a bridge,
so the nodes talk to each other as computers do. What there is stands in one file; all else is the
kernel's, docker's contexts' and the nodes' own, so any process can go on where another stopped.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_magics.engine import contexts
from course_magics.engine.bridge import Bridge, interface
from course_magics.engine.namespaced import Namespaced, lacks, unbroken
from course_magics.errors import CourseError, EngineError, Interrupted, OptionError, closest
from course_magics.runtime import state_dir

if TYPE_CHECKING:
    from docker import APIClient

Say = Callable[[str], object]

NAME = "swarm"
#: More nodes than this take more memory than a laptop has (about 120 MB each).
_MOST = 9
_PORT = 2377
#: A node counts as down after three heartbeats without an answer. Docker's own 5 s are meant for
#: networks between computers, and a reader would wait 15 s for the first sign of a failure.
_HEARTBEAT_NS = 2_000_000_000
_ANSWER = 60


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
        self.bridge = Bridge(name)
        self._file = state_dir() / "swarms" / f"{name}.json"

    # --- what there is ---------------------------------------------------------------------------

    @property
    def exists(self) -> bool:
        """Whether it has been made, whatever state it is in."""
        return self._file.exists()

    @property
    def _facts(self) -> dict[str, Any]:
        try:
            return dict(json.loads(self._file.read_text()))
        except FileNotFoundError:
            raise EngineError(
                f"there is no swarm {self.name!r} on this computer",
                hint=f"{_line('up', self.name)} --nodes 3",
            ) from None

    @property
    def nodes(self) -> list[Namespaced]:
        """Its engines, the first manager first. Raises EngineError where there is no swarm."""
        facts = self._facts
        programs = Path(facts["programs"]) if facts["programs"] else None
        return [
            Namespaced(f"{self.name}-{number}", self.bridge, number, programs=programs)
            for number in range(1, facts["nodes"] + 1)
        ]

    def node(self, name: str) -> Namespaced:
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
        nodes = self.nodes
        said = next(filter(None, (_said_by(node) for node in nodes)), {})
        return [
            Node(
                node.name,
                node.address if self.bridge.exists else "",
                node.pid is not None,
                *said.get(node.name, ("?", "?")),
            )
            for node in nodes
        ]

    # --- making it, and taking it away -----------------------------------------------------------

    def up(
        self,
        nodes: int = 3,
        *,
        managers: int = 1,
        images: Sequence[str] | None = None,
        programs: Path | None = None,
        say: Say = lambda line: None,
    ) -> list[Node]:
        """Make it: `nodes` engines, joined, the first `managers` of them managers.

        images: loaded into each node from the engine in use (default: the course's base images
        that it has). programs: the folder with another dockerd. say: told each step.
        A failure or an interrupt leaves nothing. Raises OptionError, EngineError, Interrupted.
        """
        self._check(nodes, managers, programs)
        self._file.parent.mkdir(parents=True, exist_ok=True)
        facts = {"nodes": nodes, "programs": str(programs) if programs else ""}
        with self._file.open("x") as file:
            file.write(json.dumps(facts))
        try:
            self._start(say)
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

    def _check(self, nodes: int, managers: int, programs: Path | None) -> None:
        if not 1 <= nodes <= _MOST:
            raise OptionError(f"--nodes takes 1 to {_MOST}, not {nodes}")
        if not 1 <= managers <= nodes:
            raise OptionError(f"--managers takes 1 to {nodes}, not {managers}")
        if self.exists:
            raise EngineError(
                f"the swarm {self.name!r} is there already",
                hint=f"{_line('status', self.name)} shows it\n"
                f"{_line('down', self.name)} removes it",
            )
        if found := lacks(programs):
            raise EngineError(
                f"several engines cannot be started here: {', '.join(found)}",
                hint="as root on Linux with dockerd and iproute2 installed: "
                f"sudo {_line('up', self.name)}",
            )
        if self.bridge.exists:
            raise EngineError(
                f"the network {self.bridge.name} is in use on this computer",
                hint=f"choose another name, or remove it: ip link delete {self.bridge.name}",
            )
        for number in range(1, nodes + 1):
            contexts.check_name(f"{self.name}-{number}")

    def _start(self, say: Say) -> None:
        say(f"starting {len(self.nodes)} engines")
        self.bridge.make()
        nodes = self.nodes
        for node in nodes:
            node.start(wait=False)
        for node in nodes:
            node.wait()
            say(f"  {node.name} answers at {node.address}")

    def _join(self, managers: int, say: Say) -> None:
        first, *others = self.nodes
        with _refusals(first), _api(first) as api:
            api.init_swarm(
                advertise_addr=first.address,
                listen_addr=f"{first.address}:{_PORT}",
                swarm_spec={"Dispatcher": {"HeartbeatPeriod": _HEARTBEAT_NS}},
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
                    with _refusals(node), _api(node, 600) as api:
                        list(api.load_image(archive, quiet=True) or ())
        say(f"images in each node: {', '.join(n.removesuffix(':latest') for n in names)}")

    def down(self) -> list[str]:
        """Take all of it away, whatever state it is in; returns the nodes that there were.

        An interrupt has to wait until that is done (about a second).
        """
        with unbroken():
            return self._down()

    def _down(self) -> list[str]:
        nodes = self.nodes if self.exists else []
        for node in nodes:
            if _has_context(node):
                contexts.remove(node.name, force=True)
            node.remove()
        self.bridge.remove()
        self._file.unlink(missing_ok=True)
        meta = contexts.config_folder() / "contexts" / "meta"
        for folder in (self._file.parent, meta, meta.parent):
            with contextlib.suppress(OSError):  # somebody else's things are in it
                folder.rmdir()
        return [node.name for node in nodes]

    # --- failures on purpose ---------------------------------------------------------------------

    def kill(self, name: str) -> str:
        """Cut the power of a node: its engine and its containers are gone at once."""
        node = self.node(name)
        if node.pid is None:
            raise EngineError(
                f"{node.name} does not run", hint=f"{_line('start', self.name)} {node.name}"
            )
        node.kill()
        return node.name

    def start(self, name: str) -> str:
        """Start a node that was killed; it finds its swarm by itself."""
        node = self.node(name)
        if node.pid is not None:
            raise EngineError(f"{node.name} runs already")
        self.bridge.make()  # a restart of this computer has taken it
        try:
            node.start()
        except KeyboardInterrupt:
            raise Interrupted(f"interrupted: {node.name} was not started") from None
        return node.name


def _has_context(node: Namespaced) -> bool:
    """Whether there is a docker context for just this node, and not a stranger's of its name."""
    with contextlib.suppress(CourseError):
        return contexts.load(node.name).host == node.url
    return False


def _line(word: str, name: str) -> str:
    """What to type for `word`."""
    return f"course-magics swarm {word}" + (f" --name {name}" if name != NAME else "")


def _said_by(node: Namespaced) -> dict[str, tuple[str, str]]:
    """Role and state of every node, by name, as this one sees them; empty when it cannot say."""
    if node.pid is None:
        return {}
    with contextlib.suppress(CourseError), _refusals(node), _api(node, 5) as api:
        # One that has left stays in the list as "down": of two of a name the ready one counts.
        found = sorted(api.nodes(), key=lambda n: n["Status"]["State"] == "ready")
        return {n["Description"]["Hostname"]: (_role(n), n["Status"]["State"]) for n in found}
    return {}


def _role(node: dict[str, Any]) -> str:
    leads = (node.get("ManagerStatus") or {}).get("Leader")
    return "leader" if leads else str(node["Spec"]["Role"])


@contextlib.contextmanager
def _api(node: Namespaced, timeout: float = _ANSWER) -> Iterator[APIClient]:
    import docker

    with contextlib.closing(
        docker.APIClient(base_url=node.url, version="auto", timeout=timeout)
    ) as api:
        yield api


@contextlib.contextmanager
def _refusals(node: Namespaced) -> Iterator[None]:
    """What a node refuses, or leaves unanswered, as an EngineError that names it."""
    import requests
    from docker.errors import APIError, DockerException

    try:
        yield
    except APIError as error:
        raise EngineError(f"{node.name} refused", detail=str(error.explanation)) from None
    except (requests.exceptions.RequestException, DockerException, OSError) as error:
        raise EngineError(f"{node.name} does not answer", detail=str(error)) from None

"""What completes an argument or a flag's value: by the names that the grammar's `offers` uses."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from course_magics.engine import names
from course_magics.errors import CourseError
from course_magics.magics.complete import values
from course_magics.magics.complete.spot import Offer
from course_magics.magics.grammar import Word
from course_magics.units import show_bytes

#: Which containers a word is about; those come first. Any other word: running ones.
_STATES = {
    "start": ("exited", "created"),
    "rm": ("exited", "created", "dead"),
    "unpause": ("paused",),
    "commit": ("exited", "running"),
}
#: A folder with more entries is not read to its end.
_ENTRIES = 5000


@dataclass
class Asked:
    """What a source may look at.

    text: what is typed of the word so far, without quotes. wait: seconds that it may wait for the
    engine. flags: the values of the flags before it. body: the cell below. values: the notebook's.
    """

    text: str
    word: Word
    wait: float = 0.0
    flags: Mapping[str, list[str]] = field(default_factory=dict)
    args: list[str] = field(default_factory=list)
    body: tuple[str, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    compose: bool = False

    @property
    def folder(self) -> Path:
        """The Vagrant project that the line is about."""
        return Path(self.flags.get("--dir", ["."])[-1]).expanduser()


Source = Callable[[Asked], Iterable[Offer]]


def offers(kinds: str, asked: Asked) -> list[Offer]:
    """What completes one of `kinds` ("image", "container|image"), those that begin with the text.

    An unknown kind gives nothing.
    """
    found: dict[str, Offer] = {}
    for kind in kinds.split("|"):
        source = _SOURCES.get(kind)
        for offer in source(asked) if source else _from_engine(kind, asked):
            if offer.text.startswith(asked.text):
                found.setdefault(offer.text, offer)
    return list(found.values())


def begun(pairs: Iterable[tuple[str, str]], text: str) -> list[Offer]:
    """The pairs of text and meaning whose text begins with `text`."""
    return [Offer(name, what) for name, what in pairs if name.startswith(text)]


# --- of the engine ------------------------------------------------------------------------------


def _from_engine(kind: str, asked: Asked) -> list[Offer]:
    return [Offer(n.text, n.what) for n in names.known(kind, asked.wait)]


def _containers(asked: Asked) -> list[Offer]:
    wanted = _STATES.get(asked.word.name.split()[-1] if asked.word.name else "", ("running",))
    found = names.known("container", asked.wait)
    found = sorted(found, key=lambda n: (n.state not in wanted, n.text))
    return [Offer(n.text, n.what) for n in found if n.text not in asked.args]


def images(asked: Asked) -> list[Offer]:
    """The images; without `:latest`, unless a tag is being typed."""
    found = []
    tagged = ":" in asked.text.rpartition("/")[2]
    for name in names.known("image", asked.wait):
        text = name.text if tagged else name.text.removesuffix(":latest")
        found.append(Offer(text, name.what))
    return [offer for offer in found if offer.text not in asked.args]


def _container_paths(asked: Asked) -> list[Offer]:
    if ":" in asked.text:
        return []
    return [Offer(f"{o.text}:", f"a path in it ({o.what})") for o in _containers(asked)]


def _mounts(asked: Asked) -> list[Offer]:
    """`-v SOURCE:/PATH[:ro]`: volumes and folders, then how."""
    head, colon, _ = asked.text.rpartition(":")
    if colon and ":" in head:
        return begun(
            [(f"{head}:ro", "nothing may be written"), (f"{head}:rw", "may be written")], asked.text
        )
    if colon:
        return []
    volumes = [Offer(f"{n.text}:", n.what) for n in names.known("volume", asked.wait)]
    usual = [Offer("$PWD:", "the notebook's folder")]
    return [*volumes, *usual, *_folders(asked)]


def _specs(asked: Asked) -> list[Offer]:
    """`--mount type=bind,source=…`."""
    return spec(asked.text, values.MOUNT, values.MOUNT_TYPES, asked)


def spec(text: str, keys: Mapping[str, str], types: Mapping[str, str], asked: Asked) -> list[Offer]:
    """`key=value,key=value`: the next key, or what is known of its value."""
    before, comma, last = text.rpartition(",")
    head = before + comma
    name, equals, value = last.partition("=")
    if not equals:
        taken = {part.partition("=")[0] for part in before.split(",")}
        left = [(k, what) for k, what in keys.items() if k.rstrip("=") not in taken]
        return [Offer(head + key, what) for key, what in left]
    found: Iterable[tuple[str, str]] = ()
    if name == "type":
        found = types.items()
    elif name == "sharing":
        found = [("shared", "for all"), ("private", "one each"), ("locked", "one at a time")]
    elif name in ("source", "src"):
        kinds = "volume" if "type=volume" in before else "folder"
        found = offers(kinds, Asked(value, asked.word, asked.wait))
    elif name == "from":
        found = offers("stage|image", Asked(value, asked.word, asked.wait, body=asked.body))
    return [Offer(f"{head}{name}={v}", what) for v, what in found]


def _networks(asked: Asked) -> list[Offer]:
    found = {n.text: Offer(n.text, n.what) for n in names.known("network", asked.wait)}
    if asked.word.name.split()[-1:] in (["run"], ["create"]) and not asked.args:
        found.update({text: Offer(text, what) for text, what in values.NETWORK_MODES})
    return list(found.values())


def _filters(asked: Asked) -> list[Offer]:
    from course_magics.containers import listing

    name, equals, _ = asked.text.partition("=")
    if equals:
        if name in ("ancestor", "before", "since", "reference") and asked.word.name == "images":
            return [Offer(f"{name}={n.text}", n.what) for n in names.known("image", asked.wait)]
        kind = {"ancestor": "image", "network": "network", "volume": "volume", "name": "container"}
        if name in kind:
            found = names.known(kind[name], asked.wait)
            return [Offer(f"{name}={n.text}", n.what) for n in found]
        return [Offer(f"{name}={v}", f"only {v}") for v in values.FILTER_VALUES.get(name, ())]
    allowed = {"ps": listing._CONTAINER_FILTERS, "images": listing._IMAGE_FILTERS}
    return [Offer(f"{n}=", f"by {n}") for n in allowed.get(asked.word.name, ())]


# --- of this computer ---------------------------------------------------------------------------


def files(asked: Asked, *, only_folders: bool = False) -> list[Offer]:
    """Files and folders that begin with the text; hidden ones only where the dot is typed."""
    head, _, last = asked.text.rpartition("/")
    head = f"{head}/" if "/" in asked.text else ""
    found = []
    try:
        with os.scandir(Path(head).expanduser() if head else ".") as entries:
            for entry in itertools.islice(entries, _ENTRIES):
                if not entry.name.startswith(last) or (entry.name[0] == "." and not last):
                    continue
                # As one types it oneself: else it would be read as a flag.
                name = head + entry.name
                name = f"./{name}" if name.startswith("-") else name
                if entry.is_dir():
                    found.append(Offer(f"{name}/", "folder"))
                elif not only_folders:
                    found.append(Offer(name, f"file, {show_bytes(_size(entry))}"))
    except (OSError, RuntimeError, ValueError):
        return []  # no such folder, no such user, a name with a null
    return sorted(found)


def _size(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat().st_size
    except OSError:
        return 0


def _folders(asked: Asked) -> list[Offer]:
    return files(asked, only_folders=True)


def variables(asked: Asked) -> list[Offer]:
    """The notebook's own names."""
    found = []
    for name, value in list(asked.values.items()):
        if name.startswith("_") or name in ("In", "Out", "exit", "quit", "get_ipython", "open"):
            continue
        if isinstance(value, int | float):
            found.append(Offer(name, f"{type(value).__name__} {str(value)[:30]!r}"))
        elif not isinstance(value, type(os)):
            found.append(Offer(name, type(value).__name__))
    return sorted(found)


def _contexts(asked: Asked) -> list[Offer]:
    """Docker contexts, from the files that docker keeps them in."""
    import json

    folder = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "contexts/meta"
    found = [Offer("default", "the docker engine of this computer")]
    for path in sorted(folder.glob("*/meta.json")):
        try:
            about = json.loads(path.read_text("utf-8"))
            host = about.get("Endpoints", {}).get("docker", {}).get("Host", "")
            found.append(Offer(str(about["Name"]), f"context, {host}"))
        except (OSError, ValueError, KeyError, AttributeError):
            continue
    return found


def _engines(asked: Asked) -> list[Offer]:
    from course_magics.engine.find import _sockets

    found = [Offer("embedded", "started by the course itself"), *_contexts(asked)]
    for place in _sockets():
        path = place.url.partition("://")[2]
        if place.url.startswith("unix://") and Path(path).exists():
            found.append(Offer(place.url, f"{place.name}'s usual socket"))
    return found


# --- of Vagrant -----------------------------------------------------------------------------------

_DEFINED = re.compile(r"^[^#\n]*\.define[\s(]+[\"':]?([\w.-]+)", re.MULTILINE)


def machines(asked: Asked) -> list[Offer]:
    """The project's machines, from its Vagrantfile and what vagrant has made; nothing is run."""
    from course_magics.machines import live, project

    known = project.names(asked.folder)
    if known is None:
        known = list(dict.fromkeys(_DEFINED.findall(_text(asked.folder / "Vagrantfile"))))
        made = (p.name for p in (asked.folder / ".vagrant/machines").glob("*"))
        known = sorted({*known, *made})
    found = []
    for name in known:
        data = project.data_folder(asked.folder, name)
        state = None if data is None else live.state(data)
        what = "not created" if data is None else (state or "made").replace("_", " ")
        found.append(Offer(name, f"machine, {what}"))
    return found


def _snapshots(asked: Asked) -> list[Offer]:
    """The snapshots that the bundled provider has noted; other providers' are not known here."""
    import json

    found = []
    for path in sorted((asked.folder / ".vagrant/machines").glob("*/*/machine.json")):
        try:
            known = json.loads(path.read_text("utf-8")).get("snapshots", {})
        except (OSError, ValueError, AttributeError):
            continue
        machine = path.parent.parent.name
        found += [Offer(name, f"snapshot of {machine}") for name in known]
    return found


def boxes(asked: Asked) -> list[Offer]:
    """The boxes in Vagrant's folder."""
    from course_magics.guest.box import vagrant_home

    found = []
    for folder in sorted((vagrant_home() / "boxes").glob("*")):
        name = folder.name.replace("-VAGRANTSLASH-", "/").replace("-VAGRANTCOLON-", ":")
        found.append(Offer(name, "box"))
    if not any(offer.text == "course/debian12" for offer in found):
        found.append(Offer("course/debian12", "the course's box, made when it is first used"))
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""


# --- of the cell ----------------------------------------------------------------------------------


def stages(asked: Asked) -> list[Offer]:
    """The stages of the Dockerfile in the cell."""
    from course_magics.containers.build import instructions

    found = instructions.read("\n".join(asked.body))
    return [Offer(name, "stage") for name in instructions.stages(found)]


def _build_args(asked: Asked) -> list[Offer]:
    """`--build-arg NAME=` for the ARGs of the cell."""
    from course_magics.containers.build import instructions

    found = []
    for one in instructions.read("\n".join(asked.body)):
        if one.keyword == "ARG":
            for part in one.text.split()[1:]:
                name, equals, value = part.partition("=")
                what = f"ARG of line {one.line}" + (f", otherwise {value}" if equals else "")
                found.append(Offer(f"{name}=", what))
    return found


def _services(asked: Asked) -> list[Offer]:
    if not asked.compose:
        return _from_engine("service", asked)
    from course_magics.magics.complete.compose import services

    if asked.body:
        return [Offer(name, "service of this cell") for name in services(asked.body)]
    return [Offer(name, "service of the project") for name in services(_compose_file(asked))]


def _compose_file(asked: Asked) -> list[str]:
    """The lines of the compose file that a `%compose` line is about."""
    from course_magics.containers.compose.project import find

    try:
        found = find(
            name=asked.flags.get("--project-name", [None])[-1],
            folder=asked.flags.get("--project-directory", [None])[-1],
            files=asked.flags.get("--file", []),
        )
    except (CourseError, OSError):
        return []  # there is none yet
    return (found.text or "").splitlines()


def _exercises(asked: Asked) -> list[Offer]:
    from course_magics.lessons import overview

    return [Offer(str(row["exercise"]), str(row["task"])) for row in overview.listed()]


def _quizzes(asked: Asked) -> list[Offer]:
    from course_magics.lessons import find

    return [Offer(name, "quiz") for name in find.quizzes()]


def _experiments(asked: Asked) -> list[Offer]:
    from course_magics.experiments import NAMES

    return [Offer(name, "experiment") for name in NAMES]


_SOURCES: dict[str, Source] = {
    "container": _containers,
    "container:": _container_paths,
    "image": images,
    "network": _networks,
    "mount": _mounts,
    "mountspec": _specs,
    "filter": _filters,
    "service": _services,
    "context": _contexts,
    "engine": _engines,
    "machine": machines,
    "snapshot": _snapshots,
    "box": boxes,
    "file": files,
    "folder": _folders,
    "name": variables,
    "stage": stages,
    "build-arg": _build_args,
    "exercise": _exercises,
    "experiment": _experiments,
    "quiz": _quizzes,
}
#: Every name that `offers` in the grammar may use.
KINDS = frozenset(_SOURCES) | names.KINDS

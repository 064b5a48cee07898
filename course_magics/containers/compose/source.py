"""Compose files as YAML: what is in them, and on which line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from course_magics import labels as our_labels


class Place(NamedTuple):
    """A place in a text: line and column from 1, and how many characters it takes."""

    line: int
    column: int
    length: int = 1


def data(text: str) -> dict[str, Any]:
    """The file as data; {} where it is no mapping or no YAML at all."""
    try:
        found = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def value(text: str, key: str) -> str | None:
    """A text that stands at the top of the file; None where it is not there."""
    found = data(text).get(key)
    return found if isinstance(found, str) and "$" not in found else None


def names(text: str, kind: str) -> list[str]:
    """The names in a section ("services", "volumes"), in order."""
    found = data(text).get(kind)
    return [str(n) for n in found] if isinstance(found, dict) else []


def with_labels(text: str, given: Mapping[str, str]) -> dict[str, Any]:
    """A compose file to lay over `text`: labels for all services, networks and volumes in it."""
    found = data(text)
    ours: dict[str, Any] = {}
    services = found.get("services")
    for name, service in (services if isinstance(services, dict) else {}).items():
        if not isinstance(service, dict | None):
            continue
        entry: dict[str, Any] = {"labels": dict(given)}
        ours.setdefault("services", {})[str(name)] = entry
        if (service or {}).get("build"):
            entry["build"] = {"labels": our_labels.image()}
    for kind in ("networks", "volumes"):
        section = found.get(kind)
        for name, details in (section if isinstance(section, dict) else {}).items():
            if not (isinstance(details, dict) and details.get("external")):
                ours.setdefault(kind, {})[str(name)] = {"labels": dict(given)}
    if ours.get("services"):
        ours.setdefault("networks", {}).setdefault("default", {"labels": dict(given)})
        default = (found.get("networks") or {}) if isinstance(found.get("networks"), dict) else {}
        if isinstance(default.get("default"), dict) and default["default"].get("external"):
            del ours["networks"]["default"]
    return ours


def syntax_fault(text: str) -> tuple[Place, str] | None:
    """Where the text is no YAML, and why; None where it is."""
    try:
        yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark, problem = error.problem_mark, error.problem or str(error.context)
        if "end of stream" in problem and error.context_mark is not None:
            mark, problem = error.context_mark, "this is never closed"
        return (Place(mark.line + 1, mark.column + 1), problem) if mark is not None else None
    except yaml.YAMLError:
        return None
    return None


class Tree:
    """The text's nodes, each with its place."""

    def __init__(self, text: str) -> None:
        try:
            self.root: Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
        except (yaml.YAMLError, ValueError):
            self.root = None

    def at(self, path: str) -> Place | None:
        """The key that `services.web.ports.0` or `services[web].ports[0]` names, or as near as
        there is one."""
        return self.find(re.sub(r"\[([^\]]*)\]", r".\1", path).split("."))[0]

    def find(self, parts: Sequence[str]) -> tuple[Place | None, Node | None]:
        """The place and the value of the node at `parts`; a name may itself hold dots."""
        place, node = None, self.root
        rest = list(parts)
        while rest and node is not None:
            for length in range(len(rest), 0, -1):
                step = _step(node, ".".join(rest[:length]))
                if step is not None:
                    break
            if step is None:
                break
            key, node = step
            place, rest = _place(key), rest[length:]
        return place, node

    def scalar(self, content: str, below: Sequence[str] = ()) -> Place | None:
        """The first value or key below `below` that is `content`; else the first that holds it."""
        _, node = self.find(below)
        found = list(_scalars(node)) if node is not None else []
        for fits in (lambda v: v == content, lambda v: content in v):
            for scalar in found:
                if fits(str(scalar.value)):
                    return _place(scalar)
        return None

    def keys(self, path: Sequence[str]) -> list[str]:
        """The keys of the mapping at `path`."""
        _, node = self.find(path)
        return [k.value for k, _ in node.value] if isinstance(node, MappingNode) else []


def _step(node: Node, name: str) -> tuple[Node, Node] | None:
    if isinstance(node, MappingNode):
        return next(((k, v) for k, v in node.value if k.value == name), None)
    if isinstance(node, SequenceNode):
        if name.isdigit() and int(name) < len(node.value):
            return node.value[int(name)], node.value[int(name)]
        return next(((v, v) for v in node.value if v.value == name), None)
    return None


def _scalars(node: Node) -> Iterator[ScalarNode]:
    if isinstance(node, ScalarNode):
        yield node
    elif isinstance(node, SequenceNode):
        for item in node.value:
            yield from _scalars(item)
    elif isinstance(node, MappingNode):
        for key, item in node.value:
            yield from _scalars(key)
            yield from _scalars(item)


def _place(node: Node) -> Place:
    start, end = node.start_mark, node.end_mark
    length = end.column - start.column if end.line == start.line else 1
    return Place(start.line + 1, start.column + 1, max(length, 1))

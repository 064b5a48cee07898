"""What compose says of a faulty file, put on the line of the cell where the fault is.

Compose names a key path, a value or nothing at all, and its YAML reader often a wrong line. Its
words come from https://github.com/compose-spec/compose-go.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from course_magics.containers.compose import keys
from course_magics.containers.compose.source import Place, Tree, syntax_fault
from course_magics.errors import OptionError, closest

_PATH = r"(?P<path>[\w$.\[\]/@-]+)"


class Fault(NamedTuple):
    """A fault of the file: what is wrong, where (None: nowhere in particular), what to type."""

    message: str
    place: Place | None
    hint: str | None = None


def fault(words: str, text: str, where: str, command: str) -> OptionError | None:
    """The error for what compose says (`words`) of `text`; None where it is about no file.

    where: what the text is called ("the cell").
    """
    found = look(words, text)
    if found is None:
        return None
    if found.place is None:
        return OptionError(found.message, command=command, hint=found.hint)
    return OptionError(
        f"line {found.place.line} of {where}: {found.message}",
        command=command,
        detail=excerpt(text, found.place),
        hint=found.hint,
    )


def excerpt(text: str, place: Place) -> str:
    """The line, and a caret below what is meant."""
    lines = text.splitlines()
    line = lines[place.line - 1] if place.line <= len(lines) else ""
    line = line.replace("\t", "→")
    number = f"{place.line} "
    caret = "^" * max(min(place.length, len(line) - place.column + 1), 1)
    return f"{number}│ {line}\n{' ' * len(number)}│ {' ' * (place.column - 1)}{caret}"


def look(words: str, text: str) -> Fault | None:
    """The fault that compose's words tell of."""
    plain = "\n".join(
        line for line in words.splitlines() if not re.match(r"time=|\x1b| [A-Z]\w+ +\S", line)
    ).strip()
    tree = Tree(text)
    for pattern, explain in _KNOWN:
        if match := re.search(pattern, plain):
            return explain(match, tree, text)
    return None


def _syntax(match: re.Match[str], tree: Tree, text: str) -> Fault:
    if (found := syntax_fault(text)) is not None:
        place, problem = found
        hint = None
        line = text.splitlines()[place.line - 1] if place.line <= len(text.splitlines()) else ""
        if "\t" in line[: place.column]:
            problem, hint = "a tab", "YAML is indented with spaces only"
        elif "closed" in problem:
            hint = "close it with the same quote or bracket"
        elif "expected" in problem:
            hint = "look at the indentation, and for a missing colon or quote, here and just above"
        return Fault(f"no YAML: {problem}", place, hint)
    number = int(match["line"]) if match["line"] else 0
    return Fault(f"no YAML: {match['why'].strip()}", _line(text, number) if number else None)


def _twice(match: re.Match[str], tree: Tree, text: str) -> Fault:
    return Fault(
        f"{match['key']} stands here a second time; the first is on line {match['first']}",
        _line(text, int(match["line"])),
        "leave one of them out",
    )


def _line(text: str, number: int) -> Place:
    lines = text.splitlines()
    line = lines[number - 1] if 0 < number <= len(lines) else ""
    indent = len(line) - len(line.lstrip())
    return Place(number, indent + 1, max(len(line.strip()), 1))


def _unknown_key(match: re.Match[str], tree: Tree, text: str) -> Fault:
    path = "" if match["path"] in ("(root)", "") else match["path"].strip(".")
    key = match["key"]
    place, _ = tree.find([*path.split("."), key] if path else [key])
    allowed = keys.allowed(path)
    inside = f" in {path}" if path else ""
    if path in ("services", "networks", "volumes", "configs", "secrets"):
        return Fault(
            f"{key!r} is no possible name{inside}",
            place,
            "a name has letters, digits, dots, - and _, and nothing else",
        )
    near = closest(key, allowed)
    if near is None and path == "" and key in keys.allowed("services.*"):
        return Fault(f"{key!r} belongs to a service", place, "indent it below services: NAME:")
    hint = f"did you mean {near}?" if near else None
    if allowed and hint is None:
        hint = f"allowed: {', '.join(allowed)}"
    return Fault(f"unknown key {key!r}{inside}", place, hint)


def _wrong_type(match: re.Match[str], tree: Tree, text: str) -> Fault:
    path, why = match["path"], match["why"].strip()
    why = why.removeprefix(path).strip()
    place, node = tree.find(path.split("."))
    value = getattr(node, "value", None)
    if isinstance(value, str):
        why += f", not {value}" if value else ", and is empty"
    hint = _HINTS.get(path.rpartition(".")[2]) if path.count(".") > 2 else None
    if hint is None and why.startswith("must be a string") and isinstance(value, str):
        hint = f'put it in quotes: "{value}"'
    elif why.startswith("must be a list"):
        hint = "write it as a list: one line each, beginning with -"
    elif why.startswith("must be a mapping"):
        hint = "write it as NAME: VALUE, one line each"
    one_of = re.search(r"one of the following: (.*?)(?:, not|$)", why)
    if one_of and isinstance(value, str):
        near = closest(value, re.findall(r'"([^"]+)"', one_of[1]))
        hint = f"did you mean {near}?" if near else None
    return Fault(f"{path} {why}", place, hint)


def _decoding(match: re.Match[str], tree: Tree, text: str) -> Fault:
    path = re.sub(r"\[([^\]]*)\]", r".\1", match["path"])
    return Fault(f"{path}: {match['why'].strip()}", tree.at(path), _HINTS.get(path.split(".")[-1]))


def _variable(match: re.Match[str], tree: Tree, text: str) -> Fault:
    path, why = match["path"].rstrip("."), " ".join(match["why"].split())
    _, node = tree.find(path.split("."))
    place = tree.scalar(str(getattr(node, "value", "")), path.split("."))
    hint: str | None = "%env NAME=VALUE sets a variable, and so does a line in the file .env"
    if "must be" not in why and "required" not in why:
        hint = "a $ that is no variable is written $$"
    if "failed to cast" in why:
        hint = None
    return Fault(f"{path}: {why}", place or tree.at(path), hint)


def _undefined(match: re.Match[str], tree: Tree, text: str) -> Fault:
    service, kind, name = match["service"], match["kind"], match["name"]
    section = {"service": "services"}.get(kind, f"{kind}s")
    key = "depends_on" if kind == "service" else section
    place = tree.scalar(name, ["services", service, key]) or tree.scalar(
        name, ["services", service]
    )
    defined = [n for n in tree.keys([section]) if n != service]
    near = closest(name, defined)
    if near:
        hint = f"did you mean {near}?"
    elif kind == "service":
        hint = f"defined: {', '.join(defined)}" if defined else f"define it under services: {name}:"
    else:
        hint = f"define it at the end of the file:\n{section}:\n  {name}:"
    return Fault(f"the service {service} uses the {kind} {name}, which is not defined", place, hint)


def _no_image(match: re.Match[str], tree: Tree, text: str) -> Fault:
    place, _ = tree.find(["services", match["service"]])
    return Fault(
        f"the service {match['service']} has neither image: nor build:",
        place,
        "image: NAME takes one that exists, build: FOLDER makes one",
    )


def _cycle(match: re.Match[str], tree: Tree, text: str) -> Fault:
    first = match["chain"].split(" -> ")[0].strip()
    place, _ = tree.find(["services", first, "depends_on"])
    return Fault(f"services wait for each other in a circle: {match['chain'].strip()}", place)


def _value(match: re.Match[str], tree: Tree, text: str) -> Fault:
    """A message with a value and no path: the first place that has it."""
    kind, value = match["kind"], match["value"].strip()
    keys_of = {"invalid spec": "volumes"}.get(kind, "ports")
    for service in tree.keys(["services"]):
        below = ["services", service, keys_of]
        if keys_of in tree.keys(below[:-1]) and (place := tree.scalar(value, below)):
            return Fault(
                f"services.{service}.{keys_of}: {match[0].strip()}", place, _HINTS[keys_of]
            )
    return Fault(match[0].strip(), tree.scalar(value), _HINTS[keys_of])


def _service_key(key: str) -> Callable[[re.Match[str], Tree, str], Fault]:
    def explain(match: re.Match[str], tree: Tree, text: str) -> Fault:
        place, _ = tree.find(["services", match["service"], key])
        return Fault(match[0].strip().removesuffix(": invalid compose project"), place)

    return explain


def _env_file(match: re.Match[str], tree: Tree, text: str) -> Fault:
    name = match["file"].replace("\\", "/").rpartition("/")[2]
    place = tree.scalar(name)
    return Fault(f"the env_file {name} is not there", place, "it is looked for from the folder on")


def _whole(match: re.Match[str], tree: Tree, text: str) -> Fault:
    first = next((i for i, line in enumerate(text.splitlines(), 1) if line.strip()), None)
    return Fault(
        "this is no compose file: " + match[0].strip().lower(),
        _line(text, first) if first else None,
        "it begins with a line `services:`, the services are indented below it",
    )


_DURATION = "a duration has a number and a unit: 500ms, 10s, 1m30s"
_HINTS = {
    "ports": 'a port is "HOST:CONTAINER", such as "8080:80", with numbers up to 65535',
    "volumes": 'a volume is "NAME_OR_FOLDER:PLACE_IN_CONTAINER", and :ro where it is read only',
    "interval": _DURATION,
    "timeout": _DURATION,
    "start_period": _DURATION,
    "stop_grace_period": _DURATION,
    "mem_limit": "a size has a number and a unit: 64m, 1g",
    "shm_size": "a size has a number and a unit: 64m, 1g",
}

_Explain = Callable[[re.Match[str], Tree, str], Fault]
_KNOWN: tuple[tuple[str, _Explain], ...] = (
    (r"line (?P<line>\d+): mapping key \"(?P<key>.+?)\" already defined at line (?P<first>\d+)",
     _twice),
    (r"(?<![\w.])yaml: (?:.*?line (?P<line>\d+)(?:, column \d+)?: )?(?P<why>[^\n]+)", _syntax),
    (r"(?:validating \S+: )?(?P<path>\(root\)|[\w.-]+) Additional property (?P<key>.+?) is not "
     "allowed", _unknown_key),
    (r"validating \S+: (?P<path>[\w.-]*) ?additional properties '(?P<key>.+?)'.* not allowed",
     _unknown_key),
    (rf"error decoding '{_PATH}': (?P<why>[^\n]+)", _decoding),
    (rf"while interpolating {_PATH}: (?P<why>[^\n]+)", _variable),
    (rf"(?P<why>invalid interpolation format) for {_PATH}", _variable),
    (r"(?:validating \S+: )(?P<path>[\w.-]+) (?P<why>(?:\S+ )?must [^\n]+)", _wrong_type),
    (r"^(?P<path>[\w.-]+) (?P<why>must be [^\n]+)", _wrong_type),
    (r"service \"(?P<service>[^\"]+)\" depends on undefined (?P<kind>service) \"?(?P<name>[^\":]+)",
     _undefined),
    (r"service \"(?P<service>[^\"]+)\" refers to undefined (?P<kind>\w+) (?P<name>[^\s:]+)",
     _undefined),
    (r"service \"(?P<service>[^\"]+)\" has neither an image nor a build", _no_image),
    (r"dependency cycle detected: (?P<chain>[^\n]+)", _cycle),
    (r"(?P<kind>Invalid hostPort|Invalid containerPort): (?P<value>\S+)", _value),
    (r"(?P<kind>[Ii]nvalid proto): (?P<value>\S+)", _value),
    (r"(?P<kind>Invalid ip address) (?P<value>\S+?):(?: |$)", _value),
    (r"(?P<kind>[Nn]o port specified): (?P<value>[^\s<]+)", _value),
    (r"(?P<kind>Invalid ranges) specified for container and host Ports: (?P<value>[\d-]+)", _value),
    (r"(?P<kind>invalid spec): (?P<value>\S+?):? ?(?:too many colons|empty section[^\n]*)", _value),
    (r"env file (?P<file>[^\n]+?) not found", _env_file),
    (r"cannot extend service \"(?P<service>[^\"]+)\"[^\n]*", _service_key("extends")),
    (r"service \"?(?P<service>[\w.-]+)\"? declares mutually exclusive[^\n]*",
     _service_key("network_mode")),
    (r"Top-level object must be a mapping|empty compose file|services must be a mapping", _whole),
)  # fmt: skip

"""Completion in the body of `%%compose`: keys by where the cursor is, and their values.

The indentation of the lines above says where: no YAML parser reads a file that is half typed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from course_magics.containers.compose.keys import KEYS
from course_magics.magics.complete import values
from course_magics.magics.complete.compose_values import VALUES
from course_magics.magics.complete.sources import Asked, begun, offers
from course_magics.magics.complete.spot import Found, Offer, Spot, plain
from course_magics.magics.grammar import Word

_KEY = re.compile(r"([\w.+-]+|\"[^\"]*\"|'[^']*')\s*:(?:\s|$)")
_LIST = "[]"
#: What is named at these places: by the cell's own top-level section.
_SECTIONS = {
    "/services/*/depends_on": "services",
    "/services/*/extends/service": "services",
    "/services/*/links": "services",
    "/services/*/volumes_from": "services",
    "/services/*/networks": "networks",
    "/services/*/volumes": "volumes",
    "/services/*/volumes[]/source": "volumes",
    "/services/*/secrets": "secrets",
    "/services/*/secrets[]/source": "secrets",
    "/services/*/configs": "configs",
    "/services/*/configs[]/source": "configs",
    "/services/*/build/secrets": "secrets",
}
#: What of the engine or of this computer is named at these places.
_KINDS = {
    "/services/*/image": "image",
    "/services/*/build": "folder",
    "/services/*/build/context": "folder",
    "/services/*/build/dockerfile": "file",
    "/services/*/env_file": "file",
    "/services/*/env_file[]/path": "file",
    "/services/*/extends/file": "file",
    "/services/*/label_file": "file",
    "/services/*/volumes": "folder",
    "/services/*/volumes[]/source": "folder",
    "/services/*/develop/watch[]/path": "folder",
    "/include": "file",
    "/configs/*/file": "file",
    "/secrets/*/file": "file",
}
_FLAGS = {
    "/services/*/platform": values.PLATFORMS,
    "/services/*/build/platforms": values.PLATFORMS,
    "/services/*/stop_signal": values.SIGNALS,
    "/services/*/cap_add": values.BY_FLAG["--cap-add"],
    "/services/*/cap_drop": values.BY_FLAG["--cap-drop"],
    "/services/*/security_opt": values.BY_FLAG["--security-opt"],
    "/services/*/pid": values.BY_FLAG["--pid"],
    "/services/*/ipc": values.BY_FLAG["--ipc"],
}


class Outline:
    """What stands where in the lines of a compose file: `at` tells the keys above a column."""

    def __init__(self, lines: Iterable[str]) -> None:
        self.stack: list[tuple[int, str]] = []
        self.seen: dict[tuple[str, ...], list[str]] = {}
        for line in lines:
            self._read(line)

    def _read(self, line: str) -> None:
        text = line.lstrip()
        if not text or text.startswith("#"):
            return
        indent = len(line) - len(text)
        while text.startswith("- ") or text == "-":
            self._leave(indent, item=True)
            self.stack.append((indent, _LIST))
            rest = text[1:].lstrip()
            indent += len(text) - len(rest)
            text = rest
        if match := _KEY.match(text):
            self._leave(indent)
            key = match[1].strip("\"'")
            self.seen.setdefault(self.path, []).append(key)
            self.stack.append((indent, key))

    def _leave(self, indent: int, *, item: bool = False) -> None:
        """Go back to what holds a key at `indent`; a list may stand as far left as its own key."""
        while self.stack:
            at, key = self.stack[-1]
            if at < indent or (item and at == indent and key != _LIST):
                return
            self.stack.pop()

    @property
    def path(self) -> tuple[str, ...]:
        return tuple(key for _, key in self.stack)

    def at(self, indent: int, *, item: bool = False) -> tuple[str, ...]:
        """The keys that hold what stands at `indent`."""
        self._leave(indent, item=item)
        return self.path


def place(path: Sequence[str]) -> str | None:
    """`path` as `KEYS` writes it: names of one's own become `*`. None where all is free."""
    found = ""
    for key in path:
        if key == _LIST:
            found += _LIST
        elif key in KEYS.get(found or "/", {}):
            found += f"/{key}"
        elif any(known.startswith(f"{found}/*") for known in KEYS):
            found += "/*"
        else:
            return None
    return found or "/"


def named(body: Iterable[str], section: str) -> list[str]:
    """The names in a top-level section of the file: the services, the volumes…"""
    return Outline(body).seen.get((section,), [])


def services(body: Iterable[str]) -> list[str]:
    """The services of the file."""
    return named(body, "services")


def complete(spot: Spot, wait: float) -> Found | None:
    """What may stand at the cursor in the compose file below `%%compose`."""
    line = spot.typed
    text = line.lstrip()
    if text.startswith("#") or " #" in text:
        return None
    indent = len(line) - len(text)
    outline = Outline(spot.above)
    item = False
    while text.startswith("- ") or text == "-":
        outline.at(indent, item=True)
        outline.stack.append((indent, _LIST))
        rest = text[1:].lstrip()
        indent += len(text) - len(rest)
        text, item = rest, True
    asked = Asked("", Word("", ""), wait, body=spot.body)
    if match := _KEY.match(text):
        path = (*outline.at(indent), match[1].strip("\"'"))
        return _values(place(path), text[match.end() :].lstrip(), asked)
    path = outline.at(indent)
    where = place(path)
    if where is None:
        return Found(text, [])
    # A key or an item of a list: what is typed so far tells them apart only in the end.
    found = _values(where.removesuffix(_LIST), text, asked) if item else Found(text, [])
    taken = outline.seen.get(path, [])
    keys = [Offer(f"{k}:", w) for k, w in KEYS.get(where, {}).items() if k not in taken]
    if not item and where in ("/services/*/depends_on", "/services/*/networks"):
        keys = [Offer(f"{n}:", w) for n, w in _named(where, asked) if n not in taken]
    return Found(found.fragment, [*found.offers, *begun(keys, found.fragment)])


def _values(where: str | None, text: str, asked: Asked) -> Found:
    """The values of the key at `where`."""
    if text.startswith("["):
        text = text[1:].rpartition(",")[2].lstrip()
    if text[:1] in ("'", '"'):
        text = text[1:]
    if where is None or any(quote in text for quote in "'\""):
        return Found(text, [])
    found = [Offer(*pair) for pair in VALUES.get(where, ()) or _FLAGS.get(where, ())]
    found += [Offer(*pair) for pair in _named(where, asked)]
    if where == "/services/*/network_mode" and text.startswith("service:"):
        found = [Offer(f"service:{n}", "its network") for n in services(asked.body)]
    if where in _KINDS and not (where.endswith("volumes") and ":" in text):
        asked.text = text
        kind = _KINDS[where]
        there = offers(kind, asked)
        found += plain(there) if kind in ("file", "folder") else there
    return Found(text, begun(found, text))


def _named(where: str, asked: Asked) -> list[tuple[str, str]]:
    section = _SECTIONS.get(where)
    if section is None:
        return []
    colon = ":" if where == "/services/*/volumes" else ""
    what = f"{section.removesuffix('s')} of this file"
    return [(f"{name}{colon}", what) for name in named(asked.body, section)]

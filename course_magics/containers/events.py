"""`docker events`: what happens on the engine, as it happens."""

from __future__ import annotations

import json
import math
import re
import time
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from course_magics import engine
from course_magics.containers.listing import filters
from course_magics.containers.logs import moment
from course_magics.containers.templates import check, render
from course_magics.display import Block, Command, Shown
from course_magics.engine.stream import request
from course_magics.errors import Interrupted
from course_magics.streams import Stream

if TYPE_CHECKING:
    from docker import APIClient

_FILTERS = (
    *("config", "container", "daemon", "event", "image", "label", "network", "node", "plugin"),
    *("scope", "secret", "service", "type", "volume"),
)
#: So many events are kept as data; the text that is shown has a bound of its own.
_KEPT = 10_000
_ID = re.compile(r"(sha256:)?[0-9a-f]{64}")
#: Other values in each run.
_CHANGING = frozenset({"execID", "execDuration", "container", "name"})


class Events(Shown):
    """The events that were seen. rows: docker's own JSON of the last 10,000."""

    def __init__(self, command: str) -> None:
        self.command = command
        self._rows: deque[dict[str, Any]] = deque(maxlen=_KEPT)
        self.seen = 0

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The events, oldest first."""
        return list(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self._rows[index]

    def add(self, event: dict[str, Any]) -> None:
        """One more."""
        self.seen += 1
        self._rows.append(event)

    def blocks(self) -> Sequence[Block]:
        return [Command(self.command)]


def events(
    *,
    out: Stream | None = None,
    filter: Sequence[str] = (),
    since: str | None = None,
    until: str | None = None,
    template: str | None = None,
    line: str = "docker events",
) -> Events:
    """Write each event to `out` as it comes, until `until` or ■.

    A line names things and leaves out times and ids, so that it is the same in each run; template
    (as `--format`) has them all. Raises OptionError, EngineError, Interrupted (with `.result`).
    """
    out = out or Stream()
    params = {
        "filters": json.dumps(filters(filter, _FILTERS)),
        **({"since": moment(since, "--since")} if since else {}),
    }
    end = float(moment(until, "--until")) if until else math.inf
    if template:
        check(template)  # maybe nothing happens that it would be used for
    found = Events(line)
    with engine.talking(line) as api:
        names = _names(api)
        response = None
        try:
            if until:
                # Podman tells nothing at all when that is not still to come.
                podman = engine.current().is_podman
                params["until"] = f"{max(end, time.time() + 0.5) if podman else end:.9f}"
            response = request(api, "GET", "/events", params=params, stream=True)
            for event in read(response.raw):
                if event.get("timeNano", 0) > end * 1e9:
                    continue
                found.add(event)
                _remember(names, event)
                text = _template(template, event) if template else told(event, names)
                out.write(f"{text}\n".encode())
        except KeyboardInterrupt:
            many = "1 event" if found.seen == 1 else f"{found.seen} events"
            error = Interrupted(f"stopped watching after {many}", command=line)
            error.result = found
            raise error from None
        finally:
            if response is not None:
                response.close()
            out.close()
    return found


def read(raw: Any) -> Any:
    """The JSON objects of the answer: one a line, some in pieces, some two to a piece."""
    decoder, text = json.JSONDecoder(), ""
    for piece in raw.stream(decode_content=False):
        text += piece.decode("utf-8", "replace")
        while text := text.lstrip():
            try:
                event, end = decoder.raw_decode(text)
            except ValueError:
                break  # the rest is still to come
            yield event
            text = text[end:]


def _template(template: str, event: dict[str, Any]) -> str:
    if template in ("json", "{{json .}}"):
        return render("{{json .}}", event)
    # Fields have Go's names in a template, and the API's in JSON.
    go = {"Status": "status", "ID": "id", "From": "from", "Time": "time", "TimeNano": "timeNano"}
    fields = {name: event.get(key, "") for name, key in {**go, "Scope": "scope"}.items()}
    return render(template, {**event, **fields})


def _names(api: APIClient) -> dict[str, str]:
    """id → name, of the containers: events of networks and volumes know only their ids."""
    return {c["Id"]: c["Names"][0].lstrip("/") for c in api.containers(all=True) if c.get("Names")}


def _remember(names: dict[str, str], event: dict[str, Any]) -> None:
    actor = event.get("Actor") or {}
    if event.get("Type") == "container" and "name" in (actor.get("Attributes") or {}):
        names[actor["ID"]] = actor["Attributes"]["name"]


def told(event: dict[str, Any], names: dict[str, str]) -> str:
    """An event in a line: its kind, what happened, to what, and what else stays in each run."""
    actor = event.get("Actor") or {}
    facts = actor.get("Attributes") or {}
    id = str(actor.get("ID", ""))
    name = facts.get("name") or names.get(id) or ("(no name)" if _ID.fullmatch(id) else id)
    rest = {
        k: v
        for k, v in sorted(facts.items())
        if k not in _CHANGING and not k.startswith("course-magics.") and not _ID.fullmatch(v)
    }
    if other := names.get(facts.get("container", "")):
        rest = {"container": other, **rest}
    # An exec's action carries its command: "exec_create: ls /".
    words = f"{event.get('Type', '')} {event.get('Action', '')} {name}"
    return words + (f" ({', '.join(f'{k}={v}' for k, v in rest.items())})" if rest else "")

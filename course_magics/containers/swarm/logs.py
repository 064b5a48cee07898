"""`docker service logs`: what all tasks of a service have printed, each line with its task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from course_magics.containers.logs import moment
from course_magics.containers.swarm.talk import find, managing, name_of, names
from course_magics.containers.swarm.tasks import label, tasks
from course_magics.display.finished import Finished
from course_magics.engine.routes import route
from course_magics.engine.stream import pump, request
from course_magics.errors import Interrupted, OptionError
from course_magics.streams import Sink, Stream


class _Named:
    """Puts a task's name before each line; the engine sends its ids among the line's details."""

    def __init__(self, out: Sink, prefixes: dict[str, str], *, stamped: bool, shown: bool) -> None:
        self._out, self._prefixes, self._stamped, self._shown = out, prefixes, stamped, shown
        self._held = b""

    def write(self, data: bytes) -> None:
        *lines, self._held = (self._held + data).split(b"\n")
        for line in lines:
            self._out.write(self._line(line) + b"\n")

    def _line(self, line: bytes) -> bytes:
        stamp, _, rest = line.partition(b" ") if self._stamped else (b"", b"", line)
        details, _, text = rest.partition(b" ")
        facts = dict(d.partition("=")[::2] for d in details.decode("utf-8", "replace").split(","))
        name = self._prefixes.get(facts.get("com.docker.swarm.task.id", ""), "?")
        words = (stamp + b" " if stamp else b"") + text
        return words if not self._shown else name.encode() + b" | " + words


def logs(name: str, flags: Mapping[str, Any], out: Stream, err: Stream, line: str) -> Finished:
    """Write a service's log to `out` and `err`. Raises EngineError, OptionError, Interrupted."""
    if flags["tail"] != "all" and not flags["tail"].isdigit():
        raise OptionError(f"--tail takes a number of lines or all, not {flags['tail']!r}")
    params = {
        **{"stdout": 1, "stderr": 1, "details": 1, "tail": flags["tail"]},
        "follow": int(flags["follow"]),
        "timestamps": int(flags["timestamps"]),
        **({"since": moment(flags["since"], "--since")} if flags["since"] else {}),
    }
    with managing(line) as api:
        service = find(api, "service", name)
        nodes = names(api, "node")
        own = name_of("service", service)
        prefixes = {
            str(t["ID"]): f"{label(t, own, nodes)}@{nodes.get(t.get('NodeID', ''), '?')}"
            for t in tasks(api, {"service": [service["ID"]]})
        }
        how = {"stamped": flags["timestamps"], "shown": not flags["raw"]}
        path = route("/services/{}/logs", service["ID"])
        response = request(api, "GET", path, params=params, stream=True)
        tty = bool(service["Spec"]["TaskTemplate"]["ContainerSpec"].get("TTY"))
        try:
            pump(
                response.raw.stream(decode_content=False),
                _Named(out, prefixes, **how),
                _Named(err, prefixes, **how),
                tty=tty,
            )
        except KeyboardInterrupt:
            raise Interrupted(
                f"stopped following the log; the service {name} goes on", command=line
            ) from None
        finally:
            response.close()
            out.close()
            err.close()
    result = Finished(name, line, out, err)
    result.exit_code = 0
    return result

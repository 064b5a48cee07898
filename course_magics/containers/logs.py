"""`docker logs`: what a container has printed, and what it prints from now on."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime

from course_magics import engine
from course_magics.containers.lifecycle import known
from course_magics.display.finished import Finished
from course_magics.engine.routes import route
from course_magics.engine.stream import pump, request
from course_magics.errors import Interrupted, OptionError
from course_magics.streams import Stream
from course_magics.units import read_seconds


def moment(text: str, flag: str) -> str:
    """`--since`/`--until` as the engine takes it: "10m" ago, a date, or Unix seconds.

    "-10m" is a moment still to come, as in Go.
    """
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return text
    try:
        back = -read_seconds(text[1:]) if text.startswith("-") else read_seconds(text)
        return f"{time.time() - back:.9f}"
    except ValueError:
        pass
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise OptionError(
            f"{flag} takes a time such as 10m, or a date such as 2030-01-31T12:00:00, not {text!r}"
        ) from None
    return f"{(found if found.tzinfo else found.astimezone(UTC)).timestamp():.9f}"


def logs(
    container: str,
    *,
    out: Stream | None = None,
    err: Stream | None = None,
    follow: bool = False,
    tail: str = "all",
    since: str | None = None,
    until: str | None = None,
    timestamps: bool = False,
    details: bool = False,
    line: str = "",
) -> Finished:
    """Write a container's log to `out` and `err`. follow: until it ends or ■ is pressed.

    Raises EngineError, OptionError for a bad time, Interrupted when following was interrupted.
    """
    if tail != "all" and not tail.isdigit():
        raise OptionError(f"--tail takes a number of lines or all, not {tail!r}")
    out, err = out or Stream(), err or Stream()
    line = line or f"docker logs {container}"
    params = {
        "stdout": 1,
        "stderr": 1,
        "follow": int(follow),
        "tail": tail,
        "timestamps": int(timestamps),
        "details": int(details),
        **({"since": moment(since, "--since")} if since else {}),
        **({"until": moment(until, "--until")} if until else {}),
    }
    with engine.talking(line) as api:
        tty = bool(known(api, container)["Config"]["Tty"])
        where = route("/containers/{}/logs", container)
        response = request(api, "GET", where, params=params, stream=True)
        try:
            pump(response.raw.stream(decode_content=False), out, err, tty=tty)
        except KeyboardInterrupt:
            raise Interrupted(
                f"stopped following the log; {container} goes on", command=line
            ) from None
        finally:
            response.close()
            out.close()
            err.close()
    result = Finished(container, line, out, err)
    result.exit_code = 0
    return result

"""Docker's own config.json: the docker CLI's settings and logins, which we share.

The file is the user's. It is edited, never started over: one that cannot be read is refused, and no
change is lost when two processes write at once.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from course_magics import storage
from course_magics.alone import alone
from course_magics.errors import EngineError


def folder() -> Path:
    """Docker's own folder: $DOCKER_CONFIG, else ~/.docker."""
    return Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")


def path() -> Path:
    """The file."""
    return folder() / "config.json"


def read(line: str | None = None) -> dict[str, Any]:
    """What it says; nothing where there is none, or an empty one. Raises EngineError.

    line: the command, for the error.
    """
    try:
        # Docker takes an empty file for an empty object, too.
        found = json.loads(path().read_bytes() or b"{}")
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise _unreadable(str(error), line) from None
    if not isinstance(found, dict):
        raise _unreadable("it holds no JSON object", line)
    return found


def _unreadable(why: str, line: str | None) -> EngineError:
    return EngineError(
        f"docker's {path()} cannot be read, so it is not changed",
        command=line,
        detail=why,
        hint="correct it, or move it away; DOCKER_CONFIG names another folder",
    )


@contextlib.contextmanager
def changing(line: str | None = None) -> Iterator[dict[str, Any]]:
    """Its content, to be changed in the block, and written then where it is another one.

    Raises EngineError where it cannot be read or written; then it is as it was.
    """
    file = path()
    with alone(file):
        found = read(line)
        before = json.dumps(found)
        yield found
        if json.dumps(found) == before:
            return
        try:
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            storage.write_atomic(file, json.dumps(found, indent="\t"), mode=0o600)
        except OSError as error:
            raise EngineError(
                f"docker's {file} cannot be written to",
                command=line,
                detail=error.strerror,
                hint="DOCKER_CONFIG names another folder",
            ) from None

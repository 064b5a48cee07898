"""Which run of a notebook made what: so that whoever runs notebooks can take it away afterwards.

A kernel with `COURSE_RUN` in its environment belongs to a run (`make run`, CI). What it makes on
an engine carries the value as a label, its processes inherit the variable, and what lives in
the state folder (a host, a swarm, a registry) is noted in a file here.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

from course_magics import storage
from course_magics.runtime import state_dir

VARIABLE = "COURSE_RUN"
#: The kinds of things that are noted in files.
HOST, SWARM, REGISTRY = "host", "swarm", "registry"


def current() -> str:
    """The run that this process belongs to; "" outside of one."""
    return os.environ.get(VARIABLE, "")


def note(kind: str, name: str) -> None:
    """Note that the current run has made a thing of the state folder; outside of a run, nothing."""
    if current():
        storage.write_atomic(storage.private_folder(_folder(current())) / f"{kind}-{name}", "")


def forget(kind: str, name: str) -> None:
    """It has been removed: no run is asked to remove it any more."""
    for place in _folder("*").parent.glob(f"*/{kind}-{name}"):
        place.unlink(missing_ok=True)


def made(run: str) -> list[tuple[str, str]]:
    """What the run `run` has made in the state folder and nobody has removed: kind, name."""
    with contextlib.suppress(OSError):
        names = sorted(place.name for place in _folder(run).iterdir())
        return [(kind, name) for kind, _, name in (n.partition("-") for n in names)]
    return []


def of_others(kind: str, run: str) -> set[str]:
    """The names of the things of one kind that runs have made whose name does not begin so."""
    places = _folder("*").parent.glob(f"*/{kind}-*")
    return {p.name.partition("-")[2] for p in places if not p.parent.name.startswith(run)}


def close(run: str) -> None:
    """Forget the notes of a run; what they name stays as it is."""
    shutil.rmtree(_folder(run), ignore_errors=True)
    with contextlib.suppress(OSError):
        _folder(run).parent.rmdir()


def _folder(run: str) -> Path:
    return state_dir() / "runs" / run

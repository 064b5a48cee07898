"""The settings: traits of `%config CourseMagics`, and the same names in a pyproject file."""

from __future__ import annotations

import contextlib
import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from traitlets import Bool, Enum, Int, TraitError, Unicode
from traitlets.config import SingletonConfigurable

from course_magics import storage
from course_magics.terminal import say

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


#: Bytes of a pyproject file that somebody else has made, which are looked through.
_MOST = 1_000_000
#: Old names of settings, and what they are called now.
RENAMED = {"engine_timeout": "patience", "service_wait": "patience"}


class CourseMagics(SingletonConfigurable):
    """Settings of course_magics."""

    engine = Unicode(
        "",
        help="Engine to use: a docker context, a URL (unix:///run/docker.sock) or `embedded`; "
        "empty: find one.",
    ).tag(config=True)
    engine_memory = Int(
        0, min=0, help="Memory of the embedded engine's machine in MiB; 0: the snapshot's own."
    ).tag(config=True)
    engine_cpus = Int(
        0, min=0, max=64, help="CPUs of the embedded engine's machine; 0: the snapshot's own."
    ).tag(config=True)
    engine_idle = Int(
        600, min=0, help="Seconds after which the embedded engine stops when no kernel needs it."
    ).tag(config=True)
    engine_reach = Unicode(
        "",
        help="Ports of this computer's 127.0.0.1 that containers of the embedded engine may reach, "
        "as 10.0.2.2:PORT: `5000 8080`, or `all`; empty: none.",
    ).tag(config=True)
    engine_folders = Bool(
        True,
        help="Whether containers of the embedded engine can mount this computer's folders (`-v`).",
    ).tag(config=True)
    patience = Int(
        60,
        min=1,
        help="Seconds that a wait goes on while nothing moves. As long as something does (a boot, "
        "a service that converges, a download, an engine that answers), no wait is ended.",
    ).tag(config=True)
    builder = Enum(
        ("", "classic", "buildkit"),
        "",
        help="What builds a `%%dockerfile`: `classic` (the engine's own) or `buildkit`; empty: as "
        "COURSE_BUILDER says, else BuildKit where docker has buildx.",
    ).tag(config=True)
    provider = Unicode(
        "",
        help="Vagrant's provider for new machines (`virtualbox`, `qemu`…); empty: as "
        "VAGRANT_DEFAULT_PROVIDER says, else as vagrant chooses.",
    ).tag(config=True)
    live = Bool(True, help="Show live views (progress of a build) where the front end can.").tag(
        config=True
    )
    lessons = Unicode(
        "",
        help="Folder that holds `exercises/` and `quizzes/`; empty: as COURSE_LESSONS says, else "
        "the nearest, from the notebook's folder upwards.",
    ).tag(config=True)
    output_limit = Int(
        1_000_000, min=1000, help="Bytes of a stream shown in a cell before its middle is left out."
    ).tag(config=True)
    completion_wait = Int(
        100,
        min=0,
        max=10_000,
        help="Milliseconds that Tab may wait for the engine; then it shows the names it has.",
    ).tag(config=True)

    def _find_my_config(self, cfg: Any) -> Any:
        """The values for us in `cfg`, without the old names: one line each says the new one."""
        found = super()._find_my_config(cfg)
        for place in (found, cfg.get("CourseMagics", {})):
            for old in [name for name in RENAMED if name in place]:
                del place[old]
                if place is found:
                    say(f"CourseMagics.{old} is now CourseMagics.{RENAMED[old]}")
        return found


def load(shell: InteractiveShell) -> None:
    """Make `%config CourseMagics` work in `shell` and read the nearest pyproject file."""
    try:
        found = CourseMagics.instance(parent=shell)
    except TraitError as error:  # a value that `%config` refused is tried again at each load
        say(f"CourseMagics: {error}; the defaults are used")
        shell.config.pop("CourseMagics", None)
        CourseMagics.clear_instance()
        found = CourseMagics.instance(parent=shell)
    configurables: list[Any] = shell.configurables
    if found not in configurables:
        configurables.append(found)
    for name, value in _from_pyproject(Path.cwd()).items():
        if name in found.trait_names(config=True):
            try:
                setattr(found, name, value)
            except TraitError as error:
                say(f"[tool.course_magics] in pyproject.toml: {error}")
        elif name in RENAMED:
            say(f"[tool.course_magics] in pyproject.toml: {name} is now {RENAMED[name]}")
        else:
            allowed = ", ".join(found.trait_names(config=True))
            say(f"[tool.course_magics] in pyproject.toml: unknown {name!r}; allowed: {allowed}")


def unload(shell: InteractiveShell) -> None:
    """Take `%config CourseMagics` away again."""
    shell.configurables[:] = [c for c in shell.configurables if not isinstance(c, CourseMagics)]
    CourseMagics.clear_instance()


def current() -> CourseMagics:
    """The settings in force; the defaults outside IPython."""
    return CourseMagics.instance()


def _from_pyproject(folder: Path) -> dict[str, Any]:
    """The nearest pyproject file's table; of a folder or file that others may write to, nothing.

    Whoever can write it could choose the engine that the reader's containers run on.
    """
    for place in (folder, *folder.parents):
        file = place / "pyproject.toml"
        if fault := storage.distrust(place):
            if _is_for_us(file):
                _not_used(file, place, fault)
            return {}
        with contextlib.suppress(OSError, ValueError, RecursionError):
            if file.is_file():
                return _read(file)
    return {}


def _read(file: Path) -> dict[str, Any]:
    """[tool.course_magics] of a pyproject file; empty where another kind of thing is in its place.

    Raises OSError, ValueError, RecursionError.
    """
    if fault := storage.distrust(file):
        if _is_for_us(file):
            _not_used(file, file, fault)
        return {}
    found: Any = tomllib.loads(file.read_text("utf-8"))
    for name in ("tool", "course_magics"):
        found = found.get(name) if isinstance(found, dict) else None
    return dict(found) if isinstance(found, dict) else {}


def _is_for_us(file: Path) -> bool:
    """Whether settings of ours may be in it. A stranger's pipe there is not waited for."""
    try:
        handle = os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(handle, "rb") as opened:
            return b"tool.course_magics" in (opened.read(_MOST) or b"")
    except OSError:
        return False


def _not_used(file: Path, place: Path, fault: str) -> None:
    which = "it" if place == file else str(place)
    say(f"[tool.course_magics] in {file} is not used: {which} {fault}")
    say("  → if you trust it: %config CourseMagics.NAME = VALUE, or a pyproject.toml of your own")

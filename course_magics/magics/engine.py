"""`%engine`: which engine, how it was found; switch; remove what the course made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from course_magics import engine
from course_magics.display import Block, Facts, Line, Shown, Table
from course_magics.magics.grammar import Call, Flag, Magic, Word
from course_magics.units import show_bytes

if TYPE_CHECKING:
    from course_magics.engine.embedded import Lease


class EngineReport(Shown):
    """The engine in use. engine: the `Engine` itself."""

    def __init__(self, found: engine.Engine) -> None:
        self.engine = found

    @property
    def info(self) -> dict[str, Any]:
        """What `docker version` says of the engine."""
        return self.engine.info

    @property
    def data(self) -> dict[str, object]:
        """The facts by name."""
        return dict(self._facts())

    def blocks(self) -> Sequence[Block]:
        return [Facts(self._facts())]

    def _facts(self) -> list[tuple[str, object]]:
        info = self.engine.info
        facts: list[tuple[str, object]] = [
            ("engine", self.engine.name),
            ("version", f"{self.engine.product} (API {info.get('ApiVersion')})"),
            (
                "runs on",
                f"{info.get('Os')}/{info.get('Arch')}, kernel {info.get('KernelVersion')}",
            ),
            ("reached at", self.engine.url),
            ("found by", self.engine.how),
        ]
        return facts + (_embedded(self.engine.lease) if self.engine.lease else [])


def _embedded(lease: Lease) -> list[tuple[str, object]]:
    """What is to be known of the embedded engine's machine."""
    facts = lease.ask("facts")
    used, size = facts["disk"]
    how = "KVM" if facts["kvm"] else "software emulation: real, but several times slower"
    found: list[tuple[str, object]] = [
        ("machine", f"QEMU, {facts['cpus']} CPUs, {facts['memory_mb']} MiB; {how}"),
        ("takes now", f"{show_bytes(facts['resident'])} of memory"),
        ("its disk", f"{show_bytes(used)} of {show_bytes(size)} used"),
        ("started by", f"{facts['start']}, {facts['seconds']:.1f} s"),
        ("shares", ", ".join(facts["shared"]) + " (for -v)"),
    ]
    if facts["stale"]:
        found.append(("note", "a newer snapshot is here: %engine reset takes it, and empties this"))
    return found


class Stopped(Shown):
    """What became of the embedded engine."""

    def __init__(self, words: str) -> None:
        self.words = words

    def blocks(self) -> Sequence[Block]:
        return [Line(self.words)]


def _show(call: Call) -> EngineReport:
    return EngineReport(engine.current())


def _use(call: Call) -> EngineReport:
    return EngineReport(engine.use(call.args[0] if call.args else ""))


def _ls(call: Call) -> Table:
    from course_magics.engine import probe

    rows = [{**row, "shown": "*" if row["current"] else ""} for row in probe.look()]
    columns = {"NAME": "name", "": "shown", "REACHED AT": "url", "STATE": "state"}
    return Table(columns, rows, command="docker context ls")


def _start(call: Call) -> EngineReport:
    return EngineReport(engine.use("embedded"))


def _stop(call: Call) -> Stopped:
    from course_magics.engine import embedded

    engine.forget()
    if embedded.stop():
        return Stopped("the embedded engine is stopped; the next cell goes on with it")
    return Stopped("the embedded engine does not run; other engines are not for us to stop")


def _reset(call: Call) -> Stopped:
    from course_magics.engine import embedded

    engine.forget()
    embedded.reset()
    return Stopped("the embedded engine is as it was at first: its images, nothing else")


def _clean(call: Call) -> object:
    from course_magics.containers.clean import remove_all

    return remove_all(mine=call.mine, everybody=call.everybody, force=call.force)


MAGIC = Magic(
    "engine",
    "docker",
    (
        Word("", "which Docker engine this notebook uses, and how it was found", handler=_show),
        Word(
            "use",
            "switch to another engine; without a name, look for one again",
            "[embedded|CONTEXT|URL]",
            offers=("engine",),
            examples=(
                "%engine use embedded",
                "%engine use colima",
                "%engine use unix:///var/run/docker.sock",
            ),
            handler=_use,
        ),
        Word("ls", "the engines that could be used, and which of them answer", "", handler=_ls),
        Word("start", "start the embedded engine and use it", "", handler=_start),
        Word(
            "stop",
            "stop the embedded engine, for all kernels; containers go on at the next start",
            "",
            handler=_stop,
        ),
        Word(
            "reset",
            "empty the embedded engine: back to its first images, no containers, no volumes",
            "",
            handler=_reset,
        ),
        Word(
            "clean",
            "remove what this course made for you; volumes and commits only with -f",
            "",
            (
                Flag("--mine", "only what this kernel has made; images stay"),
                Flag("--everybody", "other users' as well; without -f it lists them"),
                Flag("-f --force", "also what may hold your work: volumes, contexts, images"),
            ),
            handler=_clean,
        ),
    ),
)

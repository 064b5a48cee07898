"""`%engine`: which engine, how it was found; switch; remove what the course made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from course_magics import engine
from course_magics.display import Block, Facts, Shown
from course_magics.magics.grammar import Call, Flag, Magic, Word


class EngineReport(Shown):
    """The engine in use. engine: the `Engine` itself."""

    def __init__(self, found: engine.Engine) -> None:
        self.engine = found

    @property
    def info(self) -> dict[str, Any]:
        """What `docker version` says of the engine."""
        return self.engine.info

    def blocks(self) -> Sequence[Block]:
        info = self.engine.info
        return [
            Facts(
                [
                    ("engine", self.engine.name),
                    ("version", f"{info.get('Version')} (API {info.get('ApiVersion')})"),
                    (
                        "runs on",
                        f"{info.get('Os')}/{info.get('Arch')}, kernel {info.get('KernelVersion')}",
                    ),
                    ("reached at", self.engine.url),
                    ("found by", self.engine.how),
                ]
            )
        ]


def _show(call: Call) -> EngineReport:
    return EngineReport(engine.current())


def _use(call: Call) -> EngineReport:
    return EngineReport(engine.use(call.args[0] if call.args else ""))


def _clean(call: Call) -> object:
    from course_magics.containers.clean import remove_all

    return remove_all(mine=call.mine)


MAGIC = Magic(
    "engine",
    "docker",
    (
        Word("", "which Docker engine this notebook uses, and how it was found", handler=_show),
        Word(
            "use",
            "switch to another engine; without a name, look for one again",
            "[CONTEXT|URL]",
            examples=("%engine use colima", "%engine use unix:///var/run/docker.sock"),
            handler=_use,
        ),
        Word(
            "clean",
            "remove every container, network, volume and image that this course made",
            "",
            (Flag("--mine", "only what this kernel has made; images stay"),),
            handler=_clean,
        ),
    ),
)

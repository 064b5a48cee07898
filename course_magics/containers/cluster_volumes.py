"""Cluster volumes: what a Swarm with a CSI plugin keeps for all of its nodes.

The engine takes them as a `ClusterVolumeSpec`, made of the flags of `docker volume create`
(https://docs.docker.com/reference/api/engine/version/v1.45/#tag/Volume/operation/VolumeCreate).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from course_magics.containers.naming import commas, pairs
from course_magics.engine.routes import route
from course_magics.engine.stream import request
from course_magics.errors import EngineError

if TYPE_CHECKING:
    from docker import APIClient

#: The API from which an engine knows them; an older one would make a common volume instead.
SINCE = "1.42"


@dataclass(frozen=True)
class ClusterSpec:
    """What makes a volume a cluster volume. limit_bytes, required_bytes: its size, in bytes.

    topology_required, topology_preferred: one item a topology, "region=R1,zone=Z2".
    """

    availability: str = "active"
    group: str = ""
    limit_bytes: int = 0
    required_bytes: int = 0
    scope: str = "single"
    secret: Sequence[str] = field(default_factory=list)
    sharing: str = "none"
    topology_preferred: Sequence[str] = field(default_factory=list)
    topology_required: Sequence[str] = field(default_factory=list)
    type: str = "block"

    def body(self) -> dict[str, Any]:
        """As the engine takes it. Raises OptionError."""
        kind = "MountVolume" if self.type == "mount" else "BlockVolume"
        secrets = pairs(self.secret, "--secret")
        return {
            "Group": self.group,
            "AccessMode": {"Scope": self.scope, "Sharing": self.sharing, kind: {}},
            "Availability": self.availability,
            "CapacityRange": {
                "RequiredBytes": self.required_bytes,
                "LimitBytes": self.limit_bytes,
            },
            "Secrets": [{"Key": key, "Secret": name} for key, name in sorted(secrets.items())],
            "AccessibilityRequirements": {
                "Requisite": _topologies(self.topology_required, "--topology-required"),
                "Preferred": _topologies(self.topology_preferred, "--topology-preferred"),
            },
        }


def _topologies(given: Sequence[str], flag: str) -> list[dict[str, dict[str, str]]]:
    return [{"Segments": pairs(commas([item]), flag)} for item in given]


def set_availability(api: APIClient, found: dict[str, Any], availability: str, line: str) -> None:
    """Change whether tasks may use the volume `found` (as inspected). Raises EngineError."""
    cluster = found.get("ClusterVolume")
    if not cluster:
        raise EngineError(
            f"{found['Name']} is a volume of the driver {found['Driver']!r}: "
            "it has nothing that can be updated",
            command=line,
            hint="only cluster volumes (CSI plugins in a Swarm) have an availability",
        )
    request(
        api,
        "PUT",
        route("/volumes/{}", cluster["ID"]),
        params={"version": cluster["Version"]["Index"]},
        json={"Spec": {**cluster["Spec"], "Availability": availability}},
    )

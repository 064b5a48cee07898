"""`docker swarm`: make one, join one, leave it, its tokens, its keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from course_magics import engine
from course_magics.containers.listing import Lines
from course_magics.containers.swarm.talk import explaining, managing
from course_magics.display import Block, Command, Line, Shown
from course_magics.engine.stream import request
from course_magics.errors import EngineError, Interrupted, OptionError

if TYPE_CHECKING:
    from docker import APIClient

_NS = 1_000_000_000


class Said(Shown):
    """What was done, in a sentence or two. facts: what a program needs of it."""

    def __init__(self, lines: Sequence[str], command: str, **facts: Any) -> None:
        self.lines = list(lines)
        self.command = command
        self.facts = facts

    def blocks(self) -> Sequence[Block]:
        return [*(Line(line) for line in self.lines), Command(self.command)]


def init(flags: Mapping[str, Any], line: str) -> Said:
    """Make this engine the first manager of a new swarm. flags: as `docker swarm init` has them."""
    body = {
        "ListenAddr": flags["listen_addr"] or "0.0.0.0:2377",
        "AdvertiseAddr": flags["advertise_addr"] or "",
        "DataPathAddr": flags["data_path_addr"] or "",
        "DataPathPort": flags["data_path_port"] or 0,
        "DefaultAddrPool": flags["default_addr_pool"],
        "SubnetSize": flags["default_addr_pool_mask_length"] or 0,
        "ForceNewCluster": flags["force_new_cluster"],
        "AutoLockManagers": flags["autolock"],
        "Availability": flags["availability"] or "active",
        "Spec": changed({}, flags),
    }
    with engine.talking(line) as api, explaining(line):
        node = request(api, "POST", "/swarm/init", json=body).json()
    return Said(
        [
            "this engine is now the manager of a swarm",
            "%container swarm join-token worker shows how others join it",
        ],
        line,
        node_id=str(node),
    )


def changed(spec: dict[str, Any], flags: Mapping[str, Any]) -> dict[str, Any]:
    """The swarm's own settings with the given flags of `swarm init` and `swarm update` in it."""
    places = {
        "autolock": ("EncryptionConfig", "AutoLockManagers", 1),
        "cert_expiry": ("CAConfig", "NodeCertExpiry", _NS),
        "dispatcher_heartbeat": ("Dispatcher", "HeartbeatPeriod", _NS),
        "max_snapshots": ("Raft", "KeepOldSnapshots", 1),
        "snapshot_interval": ("Raft", "SnapshotInterval", 1),
        "task_history_limit": ("Orchestration", "TaskHistoryRetentionLimit", 1),
    }
    for key, (group, name, unit) in places.items():
        value = flags.get(key)
        if value is not None and (value is not False or spec):
            inner = spec.setdefault(group, {})
            inner[name] = value if isinstance(value, bool) else round(value * unit)
    return spec


def join(address: str, flags: Mapping[str, Any], line: str) -> Said:
    """Join this engine to a swarm. Raises EngineError for a wrong token, and for no answer."""
    if not flags["token"]:
        raise OptionError(
            "swarm join: --token is missing",
            hint="on a manager: %container swarm join-token worker",
        )
    address = address if ":" in address else f"{address}:2377"
    body = {
        "ListenAddr": flags["listen_addr"] or "0.0.0.0:2377",
        "AdvertiseAddr": flags["advertise_addr"] or "",
        "DataPathAddr": flags["data_path_addr"] or "",
        "RemoteAddrs": [address],
        "JoinToken": flags["token"],
        "Availability": flags["availability"] or "active",
    }
    shown = line.replace(flags["token"], "TOKEN")
    from docker.errors import APIError

    with engine.talking(shown) as api, explaining(shown):
        try:
            request(api, "POST", "/swarm/join", json=body)
        except KeyboardInterrupt:
            _leave(api)
            raise Interrupted("interrupted: this engine has not joined", command=shown) from None
        except APIError as error:
            words = str(error.explanation)
            if "already part of a swarm" in words:
                raise EngineError(
                    "this engine is in a swarm already",
                    command=shown,
                    hint="%container swarm leave takes it out of it",
                ) from None
            # The engine would go on trying, for ever, and refuse every other join meanwhile.
            _leave(api)
            if "token" in words or "fingerprint" in words:
                raise EngineError(
                    f"{address} does not accept this token",
                    command=shown,
                    detail=words,
                    hint="on a manager: %container swarm join-token worker",
                ) from None
            raise EngineError(
                f"no manager of a swarm answers at {address}",
                command=shown,
                detail=words,
                hint="its address and port, and a firewall between (2377/tcp)?",
            ) from None
    return Said([f"this engine has joined the swarm at {address}"], shown)


def _leave(api: APIClient) -> None:
    import contextlib

    from docker.errors import APIError

    with contextlib.suppress(APIError):
        request(api, "POST", "/swarm/leave", params={"force": 1})


def leave(line: str, *, force: bool) -> Said:
    """Take this engine out of its swarm. force: also a manager, even the last one."""
    with engine.talking(line) as api, explaining(line):
        request(api, "POST", "/swarm/leave", params={"force": int(force)})
    return Said(["this engine is in no swarm any more"], line)


def update(flags: Mapping[str, Any], given: frozenset[str], line: str, **rotate: bool) -> Said:
    """Change the swarm's own settings. rotate: as the API's query has it."""
    with managing(line) as api:
        found = request(api, "GET", "/swarm").json()
        spec = changed(found["Spec"], {k: v for k, v in flags.items() if k in given})
        params = {"version": found["Version"]["Index"], **{k: "true" for k in rotate if rotate[k]}}
        request(api, "POST", "/swarm/update", params=params, json=spec)
    return Said(["the swarm is updated"], line)


def token(role: str, line: str, *, rotate: bool, quiet: bool) -> Shown:
    """How others join. The token is a secret: shown with -q only; `.facts["token"]` has it."""
    if role not in ("worker", "manager"):
        raise OptionError(f"swarm join-token takes worker or manager, not {role!r}")
    if rotate:
        which = f"rotate{role.capitalize()}Token"
        update({}, frozenset(), line, **{which: True})
    with managing(line) as api:
        found = str(request(api, "GET", "/swarm").json()["JoinTokens"][role.capitalize()])
        managers = api.info()["Swarm"]["RemoteManagers"] or ()
    address = str(managers[0]["Addr"]) if managers else "MANAGER:2377"
    if quiet:
        return Lines([found], line)
    return Said(
        [
            f"another engine joins as a {role} with:",
            f"docker swarm join --token TOKEN {address}",
            f"TOKEN is what this says: %container swarm join-token -q {role}",
        ],
        line,
        token=found,
        address=address,
    )


def unlock_key(line: str, *, rotate: bool, quiet: bool) -> Shown:
    """The key that a restarted manager asks for; shown with -q only."""
    if rotate:
        update({}, frozenset(), line, rotateManagerUnlockKey=True)
    with managing(line) as api:
        key = str(request(api, "GET", "/swarm/unlockkey").json().get("UnlockKey") or "")
    if not key:
        raise EngineError(
            "this swarm has no key: it does not lock itself",
            hint="%container swarm update --autolock",
        )
    if quiet:
        return Lines([key], line)
    return Said(["the key is what this says: %container swarm unlock-key -q"], line, key=key)


def unlock(key: str, line: str) -> Said:
    """Give a restarted manager its key."""
    with engine.talking(line) as api, explaining(line):
        request(api, "POST", "/swarm/unlock", json={"UnlockKey": key.strip()})
    return Said(["the swarm is unlocked"], line)


def ca(line: str, *, rotate: bool) -> Shown:
    """The certificate that all nodes' certificates hang on (PEM). rotate: a new one first."""
    with managing(line) as api:
        if rotate:
            found = request(api, "GET", "/swarm").json()
            spec = found["Spec"]
            config = spec.setdefault("CAConfig", {})
            config["ForceRotate"] = config.get("ForceRotate", 0) + 1
            params = {"version": found["Version"]["Index"]}
            request(api, "POST", "/swarm/update", params=params, json=spec)
        root = request(api, "GET", "/swarm").json()["TLSInfo"]["TrustRoot"]
    return Lines(root.strip().splitlines(), line)

"""Logins at registries, kept where the docker CLI keeps them, so that both share them.

`config.json` in `$DOCKER_CONFIG` or `~/.docker` holds them, or names a program that does
(https://docs.docker.com/reference/cli/docker/login/#credential-stores). A password is carried as a
`Secret`, which shows nothing of itself.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from course_magics import engine
from course_magics.containers.lifecycle import Done
from course_magics.display import Block, Command, Line, Shown
from course_magics.engine import docker_config
from course_magics.engine.stream import request
from course_magics.errors import EngineError, OptionError

#: The key of Docker Hub in config.json, for historical reasons.
_HUB_KEY = "https://index.docker.io/v1/"
HUB = "docker.io"


class Secret:
    """A password. It has no text of its own: not in a repr, an error, a list or a log."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def __repr__(self) -> str:
        return "••••"

    __str__ = __repr__

    def __bool__(self) -> bool:
        return bool(self._value)

    def __reduce__(self) -> str:
        raise TypeError("a password is not pickled")

    def reveal(self) -> str:
        """The password itself."""
        return self._value


def registry_of(image: str) -> str:
    """The registry in an image's name: "127.0.0.1:5000", or "docker.io" where none is named."""
    from docker.auth import resolve_repository_name
    from docker.errors import InvalidRepository
    from docker.utils import parse_repository_tag

    try:
        return str(resolve_repository_name(parse_repository_tag(image)[0])[0])
    except (InvalidRepository, IndexError) as error:
        raise OptionError(f"{image!r} is no image name: {error}") from None


def loopback(registry: str) -> bool:
    """Whether a registry is on the loopback address of the engine's computer."""
    return registry.startswith("127.") or registry.partition(":")[0] == "localhost"


def advice(words: str, registry: str) -> str | None:
    """What to do about the refusal `words` of a registry; None where that is not known."""
    now = engine.in_use()
    # A registry in a container of the embedded engine is reached: then its own words count.
    unreached = "dial tcp" in words or "connect" in words
    if now is not None and now.lease is not None and loopback(registry) and unreached:
        return (
            f"the embedded engine has a 127.0.0.1 of its own: it cannot reach {registry}\n"
            "on this computer; a Docker engine on this computer can"
        )
    if words.strip().lower() == "unsupported":
        words = "the operation is unsupported"  # a mirror's whole answer to a push
    found = engine.what_next(words)
    return found and found.replace("REGISTRY", registry)


def _key(server: str) -> str:
    """The name under which docker stores a login at `server` (any spelling of it)."""
    from docker.auth import convert_to_hostname, resolve_index_name

    host = str(resolve_index_name(convert_to_hostname(server))) if server else HUB
    return _HUB_KEY if host in (HUB, "registry-1.docker.io") else host


def _shown(key: str) -> str:
    return "Docker Hub" if key == _HUB_KEY else key


class LoggedIn(Shown):
    """A login that a registry has accepted. registry, user; store: where docker keeps it."""

    def __init__(self, registry: str, user: str, store: str, command: str) -> None:
        self.registry = registry
        self.user = user
        self.store = store
        self.command = command

    def blocks(self) -> Sequence[Block]:
        return [
            Line(f"logged in to {self.registry} as {self.user}"),
            Line(f"kept in {self.store}", "dim"),
            Command(self.command),
        ]


def login(server: str, user: str, password: Secret, line: str) -> LoggedIn:
    """Prove user and password to a registry, and store them as the docker CLI does.

    server: "" for Docker Hub. Raises EngineError; then nothing has been stored.
    """
    key = _key(server)
    body = {"username": user, "password": password.reveal(), "serveraddress": key}
    with engine.talking(line) as api:
        from docker.errors import APIError

        try:
            answer = request(api, "POST", "/auth", json=body).json()
        except APIError as error:
            raise _refused(key, user, str(error.explanation), line) from None
        finally:
            body["password"] = ""
        store = _store(key, user, password, str(answer.get("IdentityToken") or ""), line)
        api.reload_config()
    return LoggedIn(_shown(key), user, store, line)


def _refused(key: str, user: str, words: str, line: str) -> EngineError:
    low = words.lower()
    if "unauthorized" in low or "incorrect username" in low or "401" in low:
        return EngineError(
            f"{_shown(key)} does not know this user name and password (user {user!r})",
            command=line,
            detail=words.strip(),
            hint="type the cell again; nothing was stored",
        )
    hint = advice(words, key) or "is the registry's name right, and is it reached from the engine?"
    return EngineError(f"no login at {_shown(key)}", command=line, detail=words.strip(), hint=hint)


def stored(server: str) -> tuple[str, Secret] | None:
    """User and password that docker has stored for a registry, or None."""
    from docker.auth import load_config
    from docker.errors import DockerException

    key = _key(server)
    try:
        found = load_config().resolve_authconfig(None if key == _HUB_KEY else key)
    # The others come for a file in which somebody has put a list, a number or broken base64.
    except (DockerException, ValueError, TypeError, AttributeError, RecursionError):
        return None
    found = found or {}
    user = found.get("username") or found.get("Username")
    password = found.get("password") or found.get("Password")
    return (str(user), Secret(str(password))) if user and password else None


def logout(server: str, line: str) -> Done:
    """Forget the login at a registry. Raises EngineError where docker's file cannot be changed."""
    from docker import credentials

    key = _key(server)
    known = False
    if helper := _helper(docker_config.read(line), key):
        try:
            credentials.Store(helper).get(key)
            credentials.Store(helper).erase(key)
            known = True
        except credentials.StoreError as error:
            if not isinstance(error, credentials.CredentialsNotFound):
                raise _helper_failed(helper, error, line) from None
    with docker_config.changing(line) as config:
        if config.get("auths") and _auths(config, line).pop(key, None) is not None:
            known = True
    if (now := engine.in_use()) is not None:
        now.api.reload_config()
    return Done("logged out of" if known else "was not logged in to", [_shown(key)], line)


def _helper(config: dict[str, Any], key: str) -> str:
    """The credential helper for a registry: `docker-credential-NAME`; "" where there is none."""
    named = config.get("credHelpers") or {}
    if not isinstance(named, dict):
        raise EngineError(
            f'"credHelpers" in docker\'s {docker_config.path()} is no JSON object',
            hint="correct it, or move the file away",
        )
    return str(named.get(key) or config.get("credsStore") or "")


def _helper_failed(helper: str, error: Exception, line: str) -> EngineError:
    return EngineError(
        f"docker-credential-{helper}, which docker's config.json names, did not work",
        command=line,
        detail=str(error),
        hint="install it, or take credsStore and credHelpers out of config.json",
    )


def _auths(config: dict[str, Any], line: str) -> dict[str, Any]:
    """The logins in it; where there are none, a place for them. Raises EngineError."""
    found = config.get("auths")
    if found is None:
        found = {}
    if not isinstance(found, dict):
        raise EngineError(
            f'"auths" in docker\'s {docker_config.path()} is no JSON object, so it is not changed',
            command=line,
            hint="correct it, or move the file away",
        )
    config["auths"] = found
    return found


def _store(key: str, user: str, password: Secret, token: str, line: str) -> str:
    """Store a login; says where. A registry's token takes the password's place."""
    from docker import credentials

    if helper := _helper(docker_config.read(line), key):
        name, secret = ("<token>", token) if token else (user, password.reveal())
        try:
            credentials.Store(helper).store(key, name, secret)
        except credentials.StoreError as error:
            raise _helper_failed(helper, error, line) from None
        with docker_config.changing(line) as config:
            _auths(config, line)[key] = {}
        return f"the credential store docker-credential-{helper}"
    coded = base64.b64encode(f"{user}:{'' if token else password.reveal()}".encode()).decode()
    with docker_config.changing(line) as config:
        _auths(config, line)[key] = {
            "auth": coded,
            **({"identitytoken": token} if token else {}),
        }
    return "docker's config.json: not encrypted, readable by you alone"

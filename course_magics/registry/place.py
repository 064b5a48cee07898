"""Where a registry keeps its files, and what is known of it."""

from __future__ import annotations

import contextlib
import re
import secrets
import shutil
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from course_magics import labels, storage
from course_magics.containers.login import Secret
from course_magics.errors import CourseError, RegistryError
from course_magics.registry import token
from course_magics.runtime import expanded, state_dir


@dataclass
class Facts:
    """What the start of a registry has written down.

    user: who may push, "" for anybody. mirror: the registry whose images it passes on, or "".
    pid, began: its process, told apart from a later one with the same pid. container: its name,
    where it runs in one. token_pid, token_began: the process that checks passwords.
    """

    port: int
    user: str = ""
    mirror: str = ""
    pid: int = 0
    began: str = ""
    container: str = ""
    token_pid: int = 0
    token_began: str = ""

    @property
    def address(self) -> str:
        """What image names begin with: "127.0.0.1:5000"."""
        return f"127.0.0.1:{self.port}"

    @property
    def runs(self) -> bool:
        """Whether its process is alive (of a container: whether it was started)."""
        return bool(self.container) or (bool(self.pid) and labels.started(self.pid) == self.began)

    @property
    def checks(self) -> bool:
        """Whether what checks the password is alive, where there is one."""
        return not self.user or labels.started(self.token_pid) == self.token_began != ""


#: What a version that had no folder of its own wrote into `registry.json`.
_EARLIER = {"port", "user", "mirror", "pid", "began", "container"}


class Place:
    """The files of one registry: configuration, images, log, password; for the user alone.

    They lie in a folder `course-registry`, which carries our marker. Where a version before it
    has put them into the named folder itself, they are found and stay there.
    """

    def __init__(self, folder: Path | None = None) -> None:
        """folder: where `course-registry` lies or is made (default: in the state folder)."""
        #: The folder that was named. Its other content is not touched.
        self.base = (expanded(folder) if folder else state_dir() / "registry").absolute()
        #: Whether it is the user's own in the state folder.
        self.usual = folder is None
        self._earlier = _is_earlier(self.base)
        self.folder = self.base if self._earlier else self.base / "course-registry"
        self.config = self.folder / "config.yml"
        self.data = self.folder / "data"
        self.log = self.folder / "registry.log"
        #: Who may push, and the hash of the password.
        self.users = self.folder / token.USERS
        #: The password, where it was generated and not chosen.
        self.password = self.folder / "password"
        #: The key that signs who may do what, and its certificate.
        self.key, self.certificate = (self.folder / name for name in (token.KEY, token.CERTIFICATE))
        self._facts = self.folder / "registry.json"

    @property
    def ours(self) -> bool:
        """Whether there are files of ours. Raises RegistryError for another user's folder."""
        try:
            return self._earlier or (self.folder / storage.MARK).is_file()
        except OSError as error:
            raise self._refused("looked at", error) from None

    def make(self) -> None:
        """Make the folder, for the user alone. Raises RegistryError where it is somebody else's."""
        try:
            if not self._earlier:
                if not self.folder.exists():
                    storage.private_folder(self.folder)
                storage.claim(self.folder, hint="--folder DIR names another place for it")
                storage.private_folder(self.folder)
        except CourseError as error:
            raise RegistryError(error.message, hint=error.hint) from None
        except OSError as error:
            raise self._refused("written to", error) from None

    def _refused(self, what: str, error: OSError) -> RegistryError:
        return RegistryError(
            f"the registry's folder {self.folder} cannot be {what}",
            detail=error.strerror,
            hint="--folder DIR names another one",
        )

    def remove(self) -> None:
        """Remove all that a registry of ours has written, and nothing else."""
        if not self.ours:
            return
        for file in (
            *(self.config, self.log, self.users, self.password, self.key, self.certificate),
            *(self._facts, self.folder / "htpasswd", self.folder / "token.log"),
        ):
            file.unlink(missing_ok=True)
        shutil.rmtree(self.data / "docker" / "registry", ignore_errors=True)
        folders = [self.data / "docker", self.data]
        if not self._earlier:
            with contextlib.suppress(OSError):
                (self.data / "docker").rmdir()
                self.data.rmdir()
            if [file.name for file in self.folder.iterdir()] == [storage.MARK]:
                (self.folder / storage.MARK).unlink()
            folders.append(self.folder)
        if self.usual:
            folders.append(self.base)
        for folder in folders:
            with contextlib.suppress(OSError):  # somebody else's things are in it
                folder.rmdir()

    def facts(self) -> Facts | None:
        """What the last start has written down; None where there was none.

        Raises RegistryError where it cannot be read: a registry may run that nobody knows of.
        """
        if not self.ours:
            return None
        try:
            found = storage.read_json(self._facts)
            return None if found is None else Facts(**found)
        except (OSError, ValueError, TypeError) as error:
            raise RegistryError(
                f"{self._facts} cannot be read",
                detail=str(error),
                hint=f"end the program that serves {self.config}, where it runs;\n"
                "then remove that file, and the registry can be started again",
            ) from None

    def running(self) -> Facts | None:
        """The same, only while the registry runs."""
        found = self.facts()
        return found if found is not None and found.runs else None

    def remember(self, facts: Facts) -> None:
        """Write it down."""
        storage.write_json(self._facts, asdict(facts), mode=0o600)

    def forget(self) -> None:
        """It does not run any more."""
        if self.ours:
            self._facts.unlink(missing_ok=True)

    def protect(self, user: str, password: Secret | None, *, new: bool = False) -> Secret | None:
        """Let only `user` push; returns the password where one was made now.

        password: None keeps the last one. Where there is none, and with `new`, one is made and
        written to a file of mode 0600. Raises RegistryError.
        """
        token.make_key(self.key, self.certificate)
        made = None
        if password is None:
            if not new and self._known(user):
                return None
            made = password = self._of_earlier(new) or Secret(secrets.token_urlsafe(15))
            storage.write_atomic(self.password, f"{made.reveal()}\n", mode=0o600)
        else:
            self.password.unlink(missing_ok=True)
        storage.write_json(self.users, token.entry(user, password.reveal()), mode=0o600)
        return made

    def _known(self, user: str) -> bool:
        """Whether a password of `user` is known from the last time."""
        try:
            found = storage.read_json(self.users)
        except (OSError, ValueError) as error:
            raise RegistryError(
                f"{self.users} cannot be read",
                detail=str(error),
                hint="--new-password makes a new password",
            ) from None
        return found is not None and found.get("user") == user

    def _of_earlier(self, new: bool) -> Secret | None:
        """The password that a version before this one has made: it stays."""
        if new or self.users.exists() or not self.password.is_file():
            return None
        return Secret(self.password.read_text("utf-8").strip())

    def login(self, facts: Facts) -> tuple[str, Secret] | None:
        """User and password, as far as known: generated, or stored by docker at a login."""
        from course_magics.containers.login import stored

        if not facts.user:
            return None
        if self.password.is_file():
            return facts.user, Secret(self.password.read_text("utf-8").strip())
        return stored(facts.address)


def _is_earlier(folder: Path) -> bool:
    """Whether a version before `course-registry` has put a registry's files there."""
    with contextlib.suppress(OSError, ValueError):
        found: dict[str, Any] | None = storage.read_json(folder / "registry.json")
        if found is not None and set(found) in (_EARLIER, {f.name for f in fields(Facts)}):
            return True
    with contextlib.suppress(OSError, ValueError):
        return _is_config(storage.read_json(folder / "config.yml"), folder)  # of others: YAML
    return False


def _is_config(found: Any, folder: Path) -> bool:
    """Whether it is a configuration as 0.1.0 wrote it, or as this version does in its place.

    A registry that somebody has set up by hand may have its images in `data`, too.
    """
    if not isinstance(found, dict):
        return False
    http, proxy, auth = (found.pop(name, None) for name in ("http", "proxy", "auth"))
    fixed = [
        {
            "version": "0.1",
            "log": {"level": "warn", "accesslog": {"disabled": True}},
            "storage": {
                "filesystem": {"rootdirectory": str(folder / "data")},
                "delete": {"enabled": deletes},
                "cache": {"blobdescriptor": "inmemory"},
            },
        }
        for deletes in (True, False)
    ]
    return (
        found in fixed
        and _is_like(http, {"addr": r"127\.0\.0\.1:[0-9]+", "secret": r"[0-9a-f]{32}"})
        and (proxy is None or _is_like(proxy, {"remoteurl": r"https?://.+"}))
        and (auth is None or _is_auth(auth, folder))
    )


def _is_auth(found: Any, folder: Path) -> bool:
    """Whether it is how 0.1.0 checked passwords, or how this version does."""
    if found == {"htpasswd": {"realm": "course", "path": str(folder / "htpasswd")}}:
        return True
    ours = {
        "realm": r"http://127\.0\.0\.1:[0-9]+/.*",
        "service": re.escape(token.SERVICE),
        "issuer": re.escape(token.ISSUER),
        "rootcertbundle": re.escape(str(folder / token.CERTIFICATE)),
    }
    return isinstance(found, dict) and set(found) == {"token"} and _is_like(found["token"], ours)


def _is_like(found: Any, patterns: dict[str, str]) -> bool:
    """Whether it has these keys, and each value is text that fits."""
    return (
        isinstance(found, dict)
        and set(found) == set(patterns)
        and all(
            isinstance(found[name], str) and re.fullmatch(pattern, found[name])
            for name, pattern in patterns.items()
        )
    )

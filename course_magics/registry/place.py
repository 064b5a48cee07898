"""Where a registry keeps its files, and what is known of it."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from course_magics import labels
from course_magics.containers.login import Secret
from course_magics.errors import RegistryError
from course_magics.runtime import state_dir


@dataclass
class Facts:
    """What the start of a registry has written down.

    user: who may log in, "" for anybody. mirror: the registry whose images it passes on, or "".
    pid, began: its process, told apart from a later one with the same pid. container: its name,
    where it runs in one.
    """

    port: int
    user: str = ""
    mirror: str = ""
    pid: int = 0
    began: str = ""
    container: str = ""

    @property
    def address(self) -> str:
        """What image names begin with: "127.0.0.1:5000"."""
        return f"127.0.0.1:{self.port}"

    @property
    def runs(self) -> bool:
        """Whether its process is alive (of a container: whether it was started)."""
        return bool(self.container) or (bool(self.pid) and labels.started(self.pid) == self.began)


class Place:
    """The folder of one registry: configuration, images, log, password; for the user alone."""

    def __init__(self, folder: Path | None = None) -> None:
        """folder: made where it is missing (default: in the state folder). Raises RegistryError."""
        self.folder = (folder or state_dir() / "registry").absolute()
        self.config = self.folder / "config.yml"
        self.data = self.folder / "data"
        self.log = self.folder / "registry.log"
        self.htpasswd = self.folder / "htpasswd"
        #: The password, where it was generated and not chosen.
        self.password = self.folder / "password"
        self._facts = self.folder / "registry.json"

    def make(self) -> None:
        """Make the folder, for the user alone."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.folder.chmod(0o700)
        except OSError as error:
            raise RegistryError(
                f"the registry's folder {self.folder} cannot be written to",
                detail=error.strerror,
                hint="--folder DIR names another one",
            ) from None

    def facts(self) -> Facts | None:
        """What the last start has written down; None where there was none."""
        try:
            return Facts(**json.loads(self._facts.read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def running(self) -> Facts | None:
        """The same, only while the registry runs."""
        found = self.facts()
        return found if found is not None and found.runs else None

    def remember(self, facts: Facts) -> None:
        """Write it down."""
        self._facts.write_text(json.dumps(asdict(facts)), "utf-8")

    def forget(self) -> None:
        """It does not run any more."""
        self._facts.unlink(missing_ok=True)

    def protect(self, user: str, password: Secret | None) -> Secret:
        """Let only `user` in. password: None makes one, and writes it to a file of mode 0600.

        Returns the password. Raises RegistryError without the bcrypt library.
        """
        try:
            import bcrypt
        except ImportError:
            raise RegistryError(
                "a password needs the Python package bcrypt",
                hint="pip install 'course-magics[registry]'",
            ) from None
        chosen = password or Secret(secrets.token_urlsafe(15))
        # Each request is checked, and a push makes dozens: a file that only you read needs no more.
        coded = bcrypt.hashpw(chosen.reveal().encode()[:72], bcrypt.gensalt(rounds=6))
        _write(self.htpasswd, f"{user}:{coded.decode()}\n")
        if password is None:
            _write(self.password, f"{chosen.reveal()}\n")
        else:
            self.password.unlink(missing_ok=True)
        return chosen

    def unprotect(self) -> None:
        """Let everybody in."""
        self.htpasswd.unlink(missing_ok=True)
        self.password.unlink(missing_ok=True)

    def login(self, facts: Facts) -> tuple[str, Secret] | None:
        """User and password, as far as known: generated, or stored by docker at a login."""
        from course_magics.containers.login import stored

        if not facts.user:
            return None
        if self.password.is_file():
            return facts.user, Secret(self.password.read_text("utf-8").strip())
        return stored(facts.address)


def _write(path: Path, text: str) -> None:
    """A file that nobody else can read, not even for a moment."""
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)

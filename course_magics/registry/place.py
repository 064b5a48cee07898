"""Where a registry keeps its files, and what is known of it."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from course_magics import labels, storage
from course_magics.containers.login import Secret
from course_magics.errors import CourseError, RegistryError
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
        """folder: holds the registry's own one, `course-registry` (default: in the state folder).

        What else is in it is never touched. One that version 0.1.0 made is the folder itself.
        """
        given = folder.expanduser().absolute() if folder is not None else None
        self.above = given
        if given is None:
            self.folder = state_dir() / "registry"
        elif _is_old(given):
            self.folder = given
        else:
            self.folder = given / "course-registry"
        self.config = self.folder / "config.yml"
        self.data = self.folder / "data"
        self.log = self.folder / "registry.log"
        self.htpasswd = self.folder / "htpasswd"
        #: The password, where it was generated and not chosen.
        self.password = self.folder / "password"
        self._facts = self.folder / "registry.json"

    def make(self) -> None:
        """Make the folder, for the user alone. Raises RegistryError where it holds other things."""
        try:
            if self.above is None and self.facts() is not None:
                (self.folder / storage.MARK).touch()  # version 0.1.0 left no mark there
            if not _is_old(self.folder):
                storage.claim(self.folder, hint="--folder DIR names another place for it")
            storage.private_folder(self.folder)
        except CourseError as error:
            raise RegistryError(error.message, hint=error.hint) from None
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
        storage.write_json(self._facts, asdict(facts), mode=0o600)

    def forget(self) -> None:
        """It does not run any more."""
        self._facts.unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove what a registry has made in its folder, and the folder when it is empty then."""
        if not (self.folder / storage.MARK).exists() and not _is_old(self.folder):
            return
        for file in (self.log, self.htpasswd, self.password, self.config):
            file.unlink(missing_ok=True)
        shutil.rmtree(self.data, ignore_errors=True)
        (self.folder / storage.MARK).unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # somebody has put something into it
            self.folder.rmdir()

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


def _is_old(folder: Path) -> bool:
    """Whether version 0.1.0 kept a registry right in `folder`: its configuration says so."""
    try:
        found = json.loads((folder / "config.yml").read_text("utf-8"))
        root = found["storage"]["filesystem"]["rootdirectory"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return bool(root == str(folder / "data"))


def _write(path: Path, text: str) -> None:
    """A file that nobody else can read, not even for a moment."""
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)

"""Start and stop a registry on 127.0.0.1.

The program is that of https://distribution.github.io/distribution/ (Debian: docker-registry); what
its configuration means is in "Configuring a registry" there.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from course_magics import labels, runs, storage
from course_magics.containers.login import Secret
from course_magics.errors import OptionError, RegistryError
from course_magics.patience import LONGER, Patience, until
from course_magics.registry import in_container
from course_magics.registry.place import Facts, Place

Say = Callable[[str], None]
PROGRAM = "docker-registry"
#: One answer of one that starts may take so long before it is asked anew (seconds).
_ANSWER = 10


def start(
    place: Place,
    *,
    port: int = 5000,
    user: str = "",
    password: Secret | None = None,
    mirror: str = "",
    image: str = "",
    say: Say = print,
) -> Facts:
    """Start a registry. user: who may log in; "" lets everybody on this computer in.

    password: of that user; None makes one and writes it to a file of mode 0600. mirror: URL of the
    registry whose images this one passes on and keeps. image: run it in place of the program.
    Raises RegistryError (runs already, port in use, no program, it ended at once), OptionError.
    """
    if not 0 < port < 65536:
        raise OptionError(f"--port takes a number from 1 to 65535, not {port}")
    _check_mirror(mirror)
    if (now := place.running()) is not None:
        raise RegistryError(
            f"the registry runs already, at {now.address}",
            hint="course-magics registry stop ends it; --folder DIR is for a second one",
        )
    program = shutil.which(PROGRAM)
    if program is None and not image:
        say(f"{PROGRAM} is not installed: the image {in_container.IMAGE} takes its place")
        image = in_container.IMAGE
    _must_be_free(port)
    place.make()
    if user:
        place.protect(user, password)
    else:
        place.unprotect()
    facts = Facts(port=port, user=user, mirror=mirror)
    if image:
        facts.container = in_container.start(place, facts, image, say)
        try:
            _await(facts, lambda: in_container.ended(facts.container))
        except BaseException:
            in_container.stop(facts.container)
            raise
    else:
        _start_program(place, facts, str(program))
    place.remember(facts)
    if place.folder == Place().folder:
        runs.note(runs.REGISTRY, "registry")
    return facts


def _check_mirror(mirror: str) -> None:
    parts = urlsplit(mirror)
    if mirror and (parts.scheme not in ("http", "https") or not parts.netloc):
        raise OptionError(
            f"--mirror takes a registry's URL, not {mirror!r}",
            hint="Docker Hub's is https://registry-1.docker.io",
        )


def _must_be_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise RegistryError(
                f"port {port} of this computer cannot be used: {error.strerror}",
                hint="choose another one: --port OTHER",
            ) from None


def settings(facts: Facts, root: str, address: str, htpasswd: str = "") -> dict[str, Any]:
    """The registry's configuration. root: its images' folder; address: where it listens."""
    found: dict[str, Any] = {
        "version": "0.1",
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {
            "filesystem": {"rootdirectory": root},
            "delete": {"enabled": False},  # what the class pulls is nobody's to delete
            "cache": {"blobdescriptor": "inmemory"},
        },
        "http": {"addr": address, "secret": secrets.token_hex(16)},
    }
    if facts.mirror:
        found["proxy"] = {"remoteurl": facts.mirror}
    if htpasswd:
        found["auth"] = {"htpasswd": {"realm": "course", "path": htpasswd}}
    return found


def _start_program(place: Place, facts: Facts, program: str) -> None:
    htpasswd = str(place.htpasswd) if facts.user else ""
    config = settings(facts, str(place.data), facts.address, htpasswd)
    storage.write_json(place.config, config, mode=0o600)  # JSON is YAML too
    with place.log.open("wb") as log:
        process = subprocess.Popen(
            [program, "serve", str(place.config)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    facts.pid, facts.began = process.pid, labels.started(process.pid)

    def ended() -> str | None:
        if process.poll() is None:
            return None
        return place.log.read_text("utf-8", "replace")[-2000:] or "(it said nothing)"

    try:
        _await(facts, ended, place.log)
    except BaseException:
        process.kill()
        process.wait()
        raise


def _await(facts: Facts, ended: Callable[[], str | None], log: Path | None = None) -> None:
    """Until it answers. ended: the last words of one that has ended, else None.

    What it answers meanwhile (503, say) and what it writes to its log count as progress.
    """
    import requests

    patience = Patience()
    with requests.Session() as session:
        session.trust_env = False  # a proxy has nothing to do with 127.0.0.1
        while True:
            if (words := ended()) is not None:
                last = "\n".join(words.strip().splitlines()[-3:])
                raise RegistryError("the registry ended at once", detail=last)
            said: object = None
            try:
                answer = session.get(f"http://{facts.address}/v2/", timeout=_ANSWER)
                if answer.status_code in (200, 401):
                    return
                said = answer.status_code
            except requests.exceptions.RequestException as error:
                said = type(error).__name__
            patience.saw((said, log.stat().st_size if log is not None else 0))
            if patience.over:
                raise RegistryError(
                    f"the registry does not answer: nothing has moved for {patience.seconds:.0f} s",
                    detail=str(said),
                    hint=LONGER,
                )
            time.sleep(0.05)


def stop(place: Place, *, remove: bool = False) -> Facts:
    """Stop the registry; its images stay. remove: these go too, with its password.

    Raises RegistryError where it does not run.
    """
    facts = place.running()
    if facts is None and not remove:
        raise RegistryError(
            "the registry does not run", hint="course-magics registry start starts it"
        )
    if facts is not None:
        if facts.container:
            in_container.stop(facts.container)
        else:
            _end(facts)
    place.forget()
    runs.forget(runs.REGISTRY, "registry")
    if remove:
        if facts is None or facts.container:
            in_container.remove_data(place)
        place.remove()
    return facts or Facts(port=0)


def _end(facts: Facts) -> None:
    """End the process: ask, and after a while do not ask any more."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(facts.pid, sign)
        if until(lambda: _ended(facts), pause=0.02):
            return


def _ended(facts: Facts) -> bool:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(facts.pid, os.WNOHANG)  # a child of this process would stay a zombie
    return not facts.runs

"""Start and stop a registry on 127.0.0.1.

The program is that of https://distribution.github.io/distribution/ (Debian: docker-registry); what
its configuration means is in "Configuring a registry" there.
"""

from __future__ import annotations

import contextlib
import functools
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
from course_magics.alone import alone
from course_magics.containers.login import Secret
from course_magics.errors import OptionError, RegistryError
from course_magics.patience import LONGER, Patience, until
from course_magics.registry import in_container, token
from course_magics.registry.place import Facts, Place

Say = Callable[[str], None]
PROGRAM = "docker-registry"
#: One answer of one that starts may take so long before it is asked anew (seconds).
_ANSWER = 10


def start(
    place: Place,
    *,
    port: int = 5000,
    user: str = "student",
    password: Secret | None = None,
    new_password: bool = False,
    open: bool = False,
    mirror: str = "",
    image: str = "",
    say: Say = print,
) -> tuple[Facts, Secret | None]:
    """Start a registry: anybody on this computer pulls, `user` pushes, nobody deletes.

    password: of that user; None keeps that of the last start, or makes one and writes it to a file
    of mode 0600. new_password: make one in any case. open: anybody pushes. mirror: URL of the
    registry whose images this one passes on and keeps; it takes no pushes. image: run it in place
    of the program. Returns what is known of it, and the password where one was made.
    Raises RegistryError (runs already, port in use, no program, it ended at once), OptionError.
    """
    if not 0 < port < 65536:
        raise OptionError(f"--port takes a number from 1 to 65535, not {port}")
    _check_mirror(mirror)
    if not user or ":" in user:
        raise OptionError(f"--user takes a name without a colon, not {user!r}")
    if open and (password or new_password):
        raise OptionError("--open is for a registry without a password")
    if mirror and (password or new_password):
        raise OptionError("a mirror takes no pushes, and needs no password")
    guarded = not (open or mirror)
    program = shutil.which(PROGRAM)
    _must_not_run(place)
    if program is None and not image:
        say(f"{PROGRAM} is not installed: the image {in_container.IMAGE} takes its place")
        image = in_container.IMAGE
    if image and guarded:
        in_container.must_be_here()
    if place.facts() is None:
        _must_be_free(port)  # before anything is made
    place.make()
    with alone(place.folder):  # two at once would end each other's
        _must_not_run(place)
        if (old := place.facts()) is not None:
            _end_all(old)  # what a registry that was killed, in part or all of it, has left
        _must_be_free(port)
        made = place.protect(user, password, new=new_password) if guarded else None
        facts = Facts(port=port, user=user if guarded else "", mirror=mirror)
        if place.usual:
            runs.note(runs.REGISTRY, "registry")
        try:
            realm = _start_token(place, facts) if guarded else ""
            if image:
                facts.container = in_container.start(place, facts, realm, image, say)
                place.remember(facts)
                _await(facts, lambda: in_container.ended(facts.container))
            else:
                _start_program(place, facts, realm, str(program))
        except BaseException:
            _end_all(facts)
            place.forget()
            _unnoted(place)
            raise
    return facts, made


def _must_not_run(place: Place) -> None:
    now = place.running()
    if now is not None and now.checks:
        raise RegistryError(
            f"the registry runs already, at {now.address}",
            hint="course-magics registry stop ends it; --folder DIR is for a second one",
        )


def _unnoted(place: Place) -> None:
    if place.usual:
        runs.forget(runs.REGISTRY, "registry")


def _start_token(place: Place, facts: Facts) -> str:
    """Start what checks the password; returns where the registry sends its clients."""
    process, port = token.start(place.folder)
    facts.token_pid, facts.token_began = process.pid, labels.started(process.pid)
    place.remember(facts)
    if process.stdin is not None:
        process.stdin.close()
    return f"http://127.0.0.1:{port}/token"


def _check_mirror(mirror: str) -> None:
    try:
        parts = urlsplit(mirror)
        fits = parts.scheme in ("http", "https") and bool(parts.netloc)
    except ValueError:  # http://[
        fits = False
    if mirror and not fits:
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


def settings(root: str, address: str, *, mirror: str, realm: str, trusts: str) -> dict[str, Any]:
    """The registry's configuration. root: its images' folder; address: where it listens.

    realm: who says what its clients may do; "" lets them do all. trusts: the file with that one's
    certificate.
    """
    found: dict[str, Any] = {
        "version": "0.1",
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {
            "filesystem": {"rootdirectory": root},
            "delete": {"enabled": False},
            "cache": {"blobdescriptor": "inmemory"},
        },
        "http": {"addr": address, "secret": secrets.token_hex(16)},
    }
    if mirror:
        found["proxy"] = {"remoteurl": mirror}
    if realm:
        about = {"realm": realm, "service": token.SERVICE, "issuer": token.ISSUER}
        found["auth"] = {"token": {**about, "rootcertbundle": trusts}}
    return found


def _start_program(place: Place, facts: Facts, realm: str, program: str) -> None:
    config = settings(
        str(place.data), facts.address,
        mirror=facts.mirror, realm=realm, trusts=str(place.certificate),
    )  # fmt: skip
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
    # Before it answers: killed now, this process would leave one that nobody knows of.
    place.remember(facts)

    def ended() -> str | None:
        if process.poll() is None:
            return None
        return place.log.read_text("utf-8", "replace")[-2000:] or "(it said nothing)"

    _await(facts, ended, place.log)


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
    with alone(place.folder):
        facts = place.running()
        if facts is None and not remove:
            raise RegistryError(
                "the registry does not run", hint="course-magics registry start starts it"
            )
        if (known := place.facts()) is not None:
            _end_all(known)
        place.forget()
        _unnoted(place)
        if remove:
            if facts is None or facts.container:
                in_container.remove_data(place)
            place.remove()
    return facts or Facts(port=0)


def _end_all(facts: Facts) -> None:
    if facts.container:
        in_container.stop(facts.container)
    _end(facts)


def _end(facts: Facts) -> None:
    """End its processes: ask, and after a while do not ask any more."""
    for pid, began in ((facts.pid, facts.began), (facts.token_pid, facts.token_began)):
        for sign in (signal.SIGTERM, signal.SIGKILL):
            if not pid or labels.started(pid) != began:
                break
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, sign)
            until(functools.partial(_ended, pid, began), pause=0.02)


def _ended(pid: int, began: str) -> bool:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)  # a child of this process would stay a zombie
    return labels.started(pid) != began

"""A registry in a container of the engine in use.

One that runs on this computer is not reached from an engine in a machine, the embedded one; one in
a container of the engine itself is, on every engine. Its program is Debian's `docker-registry`.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path

from course_magics import engine
from course_magics.containers.build import BuildOptions, build
from course_magics.containers.container import Container
from course_magics.containers.create import Say, quiet
from course_magics.containers.files import copy
from course_magics.containers.options import RunOptions
from course_magics.containers.run import run_detached, run_foreground
from course_magics.errors import ContainerError, RegistryError
from course_magics.guest.model import cache_dir
from course_magics.patience import LONGER, Patience
from course_magics.registry.in_container import stop as remove_container
from course_magics.registry.server import PROGRAM

#: What `start` builds. The folder that it is built in holds the program and nothing else.
DOCKERFILE = f"""\
FROM course/debian
COPY {PROGRAM} /usr/bin/
RUN printf '%s\\n' 'version: 0.1' 'log: {{level: warn, accesslog: {{disabled: true}}}}' \\
    'http: {{addr: ":5000"}}' 'storage: {{filesystem: {{rootdirectory: /images}}}}' \\
    > /etc/registry.yml
EXPOSE 5000
CMD ["{PROGRAM}", "serve", "/etc/registry.yml"]
"""
#: One answer of one that starts may take so long before it is asked anew (seconds).
_ANSWER = 10
_FETCH = f"""\
set -e
cd /tmp
apt-get -qq update
apt-get -qq download {PROGRAM}
dpkg-deb -x {PROGRAM}_*.deb unpacked
"""


def context(target: Path | str | None = None, say: Say = quiet) -> Path:
    """A folder that holds the program `docker-registry`, for a Dockerfile's COPY.

    From this computer where it is installed. Else apt fetches it once, in a container of
    course/debian, and it is kept. target: a folder, made where it is missing, that gets a copy;
    without it, the one where it is kept. Raises RegistryError where neither works.
    """
    kept = _kept(say)
    if target is None:
        return kept
    folder = Path(target)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(kept / PROGRAM, folder / PROGRAM)
    return folder


def _kept(say: Say) -> Path:
    folder = cache_dir() / "registry"
    program = folder / PROGRAM
    if program.is_file():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetching-", dir=folder.parent) as work:
        new = Path(work) / PROGRAM
        if installed := shutil.which(PROGRAM):
            shutil.copyfile(installed, new)
        else:
            _fetch(new, say)
        new.chmod(0o755)
        new.replace(program)
    return folder


def _fetch(target: Path, say: Say) -> None:
    name = f"course-registry-fetch-{os.getpid()}"
    say(f"{PROGRAM} is not installed here: apt fetches it in a container")
    try:
        run_foreground("course/debian", ["sh", "-c", _FETCH], RunOptions(name=name))
        copy(f"{name}:/tmp/unpacked/usr/bin/{PROGRAM}", str(target), f"docker cp {name}:… …")
    except ContainerError as error:
        raise RegistryError(
            f"the program {PROGRAM} is not here, and it could not be fetched from Debian's mirror",
            detail=error.detail,
            hint=f"sudo apt-get install {PROGRAM}; %container save keeps an image without it",
        ) from None
    finally:
        remove_container(name)


def start(name: str, port: int, say: Say = quiet) -> Container:
    """Start a registry as the container `name`, at 127.0.0.1:port for the engine and the notebook.

    What an earlier call has left under that name goes first. Its image is `course-demo/NAME`.
    Raises RegistryError, EngineError.
    """
    image = f"course-demo/{name}"
    folder = context(say=say)
    remove_container(name)
    build(
        DOCKERFILE,
        BuildOptions(tag=[image], context=str(folder)),
        line=f"docker build -t {image} .",
    )
    address = f"127.0.0.1:{port}"
    line = f"docker run -d --name {name} -p {address}:5000 {image}"
    started = run_detached(
        image, options=RunOptions(name=name, publish=[f"{address}:5000"]), line=line
    )
    wait(port)
    return started


def wait(port: int) -> None:
    """Until the registry at 127.0.0.1:port answers, with or without a password. RegistryError."""
    import requests

    patience = Patience()
    with requests.Session() as session:
        session.trust_env = False  # a proxy has nothing to do with 127.0.0.1
        while True:
            try:
                answer = session.get(f"http://127.0.0.1:{port}/v2/", timeout=_ANSWER)
                if answer.status_code in (200, 401):
                    return
                said = str(answer.status_code)
            except requests.exceptions.RequestException as error:
                said = type(error).__name__
            patience.saw(said)
            if patience.over:
                raise RegistryError(
                    f"no registry answers at 127.0.0.1:{port}: nothing has moved for "
                    f"{patience.seconds:.0f} s",
                    detail=said,
                    hint=LONGER,
                )
            time.sleep(0.1)


def stop(name: str) -> None:
    """Remove the container with the images it held, and its own image; no fault without them."""
    from docker.errors import ImageNotFound

    remove_container(name)
    with engine.talking(f"docker rmi course-demo/{name}") as api:
        try:
            # Asked before: Podman has another word for an image that is not there to be removed.
            api.inspect_image(f"course-demo/{name}")
        except ImageNotFound:
            return
        api.remove_image(f"course-demo/{name}")

"""A Binder pod's conditions, for real: the image is built, and the notebooks pass in it.

As user 1000, without any capability or new privilege, without a network and without /dev/kvm, with
2 GB and two CPUs, from a cold start. The base image is made from Debian packages, with this
computer's own certificate authorities, since builds may go through a proxy.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from course_magics import engine
from course_magics.guest import build_images, cache_dir
from course_magics.patience import until

pytestmark = [pytest.mark.binder, pytest.mark.timeout(2400)]

ROOT = Path(__file__).parents[2]
BASE = "course-test/binder-base"
IMAGE = "course-test/binder"
#: Of the course's notebooks those that between them need every part of the image: engine, machine,
#: builds, volumes and networks, compose. `.ci/run` runs others on the embedded engine.
BOOKS = ("00-start-here", "02-docker", "03-vagrant", "06-containers", "09-compose")
POD = [
    "--user",
    "1000",
    "--cap-drop",
    "ALL",
    "--security-opt",
    "no-new-privileges",
    "--memory",
    "2g",
    "--cpus",
    "2",
    "--network",
    "none",
]


def environment() -> dict[str, str]:
    """With docker's buildx plugin, also where the system's packages have none."""
    plugins = cache_dir() / "newer-docker"
    more = {"DOCKER_CONFIG": str(plugins)} if plugins.is_dir() else {}
    return {**os.environ, **more}


def docker(*words: str, **options: object) -> subprocess.CompletedProcess[str]:
    """Run docker; its output is shown when it fails."""
    done = subprocess.run(
        ["docker", *words], capture_output=True, text=True, env=environment(), **options
    )  # type: ignore[call-overload]
    assert done.returncode == 0, f"docker {words}: {done.stdout[-6000:]}{done.stderr[-6000:]}"
    return done  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Debian from Debian packages that trusts whom this computer trusts."""
    build_images(engine.current().api, print, ["course/debian"])
    context = tmp_path_factory.mktemp("base")
    (context / "trusted").mkdir()
    for certificate in Path("/usr/local/share/ca-certificates").glob("*.crt"):
        shutil.copy(certificate, context / "trusted")
    (context / "Dockerfile").write_text(
        "FROM course/debian\n"
        "COPY trusted /usr/local/share/ca-certificates\n"
        "ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt\n"
    )
    docker("buildx", "build", "--load", "-t", BASE, str(context))
    yield BASE
    docker("rmi", BASE)


@pytest.fixture(scope="module")
def image(base: str) -> Iterator[str]:
    """The image, by plain docker build, of what is committed and of what is not.

    BuildKit keeps its layers: the next build takes them.
    """
    words = ["--build-arg", f"BASE={base}", "-f", "binder/Dockerfile", "-t", IMAGE, "."]
    docker("buildx", "build", "--load", *words, cwd=ROOT)
    yield IMAGE
    docker("rmi", IMAGE)


@pytest.fixture
def pod(image: str) -> Iterator[str]:
    """A container under a pod's conditions; removed afterwards."""
    name = f"pod-{uuid.uuid4().hex[:8]}"
    yield name
    subprocess.run(["docker", "rm", "-f", name], capture_output=True)


def test_the_notebooks_pass_in_a_pod(image: str, pod: str) -> None:
    check = (
        "set -e; id -u; test ! -e /dev/kvm; ! command -v dockerd; grep -q 'CapEff:\\s*0*$' /proc/self/status; "
        "python -m pytest -q -p no:cacheprovider --nbval --nbval-sanitize-with "
        "course_magics/nbval.cfg --nbval-kernel-name python3 "
        + " ".join(f"notebooks/{book}.ipynb" for book in BOOKS)
    )
    done = subprocess.run(
        ["docker", "run", "--name", pod, *POD, image, "sh", "-c", check],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout
    print(done.stdout[-300:], file=sys.stderr)


def test_a_first_container_and_what_it_takes(image: str, pod: str) -> None:
    """The engine and the kernel together stay below 900 MB."""
    code = (
        "from course_magics import engine\n"
        "from course_magics.containers.run import run_foreground\n"
        "print(run_foreground('course/busybox', ['echo', 'hello']).stdout, flush=True)\n"
        "input()\n"
    )
    docker("run", "-d", "-i", "--name", pod, *POD, image, "python", "-c", code)
    # The computer of a pod is emulated: as long as the guest inside computes, it boots.
    until(
        lambda: "hello" in docker("logs", pod).stdout,
        sign=lambda: docker("top", pod, "-eo", "pid,time").stdout,
        pause=0.5,
        what="the engine in the pod",
    )
    processes = docker("top", pod, "-eo", "pid,rss,args").stdout.splitlines()[1:]
    taken = sum(int(line.split()[1]) for line in processes) / 1024
    assert taken < 900, "\n".join(processes)


def test_repo2docker_builds_it_too(base: str, image: str) -> None:
    """What Binder itself does; the layers made before serve, so it is quick."""
    name = "course-test/repo2docker"
    words = ["--no-run", "--user-id", "1000", "--user-name", "jovyan", "--image-name", name]
    done = subprocess.run(
        ["jupyter-repo2docker", *words, "--build-arg", f"BASE={base}", "."],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=environment(),
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    words = ["--rm", *POD, name, "course-magics", "doctor", "--quick"]
    report = subprocess.run(["docker", "run", *words], capture_output=True, text=True)
    assert "embedded" in report.stdout, report.stdout + report.stderr
    docker("rmi", name)

"""Runs the engine tests against further engines: python -m tests.engine.further newer podman

Each is started in a network namespace of its own (two in one would fight over bridges and rules),
gets the course's base images from the engine in use, and is ended again. The tests run in that
namespace, so that published ports are reached on its loopback.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import docker

from course_magics import engine
from course_magics.engine.namespaced import engine_beside
from course_magics.engine.stream import request
from course_magics.guest.model import cache_dir
from course_magics.patience import until

#: Tests that are not run again: what they show is the same whichever engine is in use.
ELSEWHERE = {
    "test_compose.py": "drives Docker's own compose program",
    "test_compose_faults.py": "starts engines of its own",
    "test_docker_cli.py": "compares with the help of the docker command",
    "test_examples.py::test_an_example[compose": "drives Docker's own compose program",
    "test_failing_cells.py": "is about notebooks' runners",
    "test_faraway.py": "starts engines of its own",
    "test_faults.py": "starts engines of its own",
    "test_guest_images.py": "builds the images that are brought along from the first engine",
    "test_kernel_interrupt.py": "its kernels use the first engine",
    "test_namespaced.py": "starts engines of its own",
    "test_networks.py::test_a_cluster_volume_of_a_swarm": "starts engines of its own",
    "test_registries.py": "starts registries and engines of its own",
    "test_sharing.py": "starts an engine of its own",
    "test_stack.py": "starts engines of its own",
    "test_swarm.py": "starts engines of its own",
    "test_swarm_half_made.py": "starts engines of its own",
}
IMAGES = ("course/busybox", "course/debian", "course/python")
#: Debian 12's Podman on a computer without SYS_RESOURCE and with cgroups of the first version.
_CONTAINERS = """
[containers]
default_ulimits = []
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
[network]
network_backend = "netavark"
"""


@contextlib.contextmanager
def newer() -> Iterator[tuple[str, int]]:
    """Debian 13's dockerd: its url and the process whose network namespace it has."""
    name = f"newer{os.getpid() % 100000}"
    with engine_beside(name, programs=cache_dir() / "newer-docker/bin") as found:
        assert found.pid is not None
        yield found.url, found.pid


@contextlib.contextmanager
def podman() -> Iterator[tuple[str, int]]:
    """Podman's service, as `newer`."""
    with tempfile.TemporaryDirectory(prefix="podman-") as place:
        folder = Path(place)
        (folder / "containers.conf").write_text(_CONTAINERS)
        base = ["podman", "--root", f"{place}/root", "--runroot", f"{place}/run"]
        base += ["--tmpdir", f"{place}/tmp", "--storage-driver", "overlay"]
        base += ["--network-config-dir", f"{place}/networks"]
        url = f"unix://{place}/podman.sock"
        serve = [*base, "system", "service", "-t", "0", url]
        inside = ["unshare", "--net", "sh", "-c", 'ip link set lo up; exec "$@"', "sh"]
        environment = {**os.environ, "CONTAINERS_CONF": f"{place}/containers.conf"}
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(inside + serve, stdout=log, stderr=log, env=environment)
        try:
            here = (folder / "podman.sock").exists
            until(lambda: here() or process.poll() is not None)
            assert here(), (folder / "log").read_text()
            yield url, process.pid
        finally:
            enter = ["nsenter", f"--net=/proc/{process.pid}/ns/net", *base]
            for words in (["rm", "-af", "-t", "0"], ["volume", "prune", "-f"]):
                subprocess.run(enter + words, env=environment, capture_output=True)
            process.terminate()
            process.wait(20)
            for mounted in (f"{place}/root/overlay", f"{place}/root"):
                # Each podman that finds it not mounted mounts it; two at once do so twice.
                while not subprocess.run(["umount", "-l", mounted], capture_output=True).returncode:
                    pass


def load_images(url: str, names: Sequence[str] = IMAGES) -> None:
    """The course's base images, from the engine in use."""
    target = docker.APIClient(base_url=url, timeout=120)
    with tempfile.TemporaryFile() as file:
        # One archive for all: layers that they share are in it once.
        params = {"names": list(names)}
        found = request(engine.current().api, "GET", "/images/get", params=params, stream=True)
        for piece in found.iter_content(1 << 20):
            file.write(piece)
        file.seek(0)
        for _ in target.load_image(file):
            pass
    target.close()


def run(name: str, words: list[str]) -> int:
    """The engine tests against one engine; pytest's exit status."""
    with {"newer": newer, "podman": podman}[name]() as (url, pid):
        load_images(url)
        found = engine.connect(url)
        print(f"--- {name}: {found.product}", flush=True)
        path = f"{cache_dir() / 'newer-docker/bin'}:{os.environ['PATH']}"
        environment = {**os.environ, "COURSE_ENGINE": url, "DOCKER_HOST": url, "PATH": path}
        environment["COURSE_REQUIRE"] = "all"  # an engine that does not answer skips nothing
        tests = words or ["tests/engine", "-n", "2", "--dist", "loadfile"]
        tests = [*tests, *(f"--deselect=tests/engine/{test}" for test in ELSEWHERE)]
        pytest = [sys.executable, "-m", "pytest", *tests, "-m", "engine and not alone", "-q"]
        enter = ["nsenter", f"--net=/proc/{pid}/ns/net"]
        return subprocess.run(enter + pytest, env=environment).returncode


def main(words: list[str]) -> int:
    """words: names of engines, then (after --) words for pytest."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the engines end then, too
    at = words.index("--") if "--" in words else len(words)
    return max([run(name, words[at + 1 :]) for name in words[:at] or ["newer", "podman"]])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

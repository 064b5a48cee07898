"""BuildKit through `docker buildx build --progress=rawjson`: its events, one JSON object a line.

The events are BuildKit's SolveStatus
(https://github.com/moby/buildkit/blob/master/client/graph.go).
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from course_magics import engine, labels
from course_magics.containers import plugins, unseen
from course_magics.containers.build import context as contexts
from course_magics.containers.build.failure import Failure
from course_magics.containers.build.result import Build, Step
from course_magics.containers.mounts import host_path
from course_magics.engine.routes import route
from course_magics.errors import EngineError
from course_magics.units import show_bytes

if TYPE_CHECKING:
    from docker import APIClient

    from course_magics.containers.build.build import BuildOptions

_NAME = re.compile(r"\[(?:(?P<stage>\S+) +)?(?P<number>\d+)/(?P<of>\d+)\] ")
_STATUS = re.compile(r"exit code: (\d+)$")
_METADATA = re.compile(r"load metadata for (\S+)")


def plugin() -> Path | None:
    """Docker's buildx plugin, where the docker client looks for it; None when it is missing."""
    if shutil.which("docker") is None:
        return None
    return plugins.plugin("docker-buildx")


def build(
    api: APIClient,
    dockerfile: str,
    options: BuildOptions,
    result: Build,
    moved: Callable[[], object],
) -> None:
    """Build and fill in `result`. moved: called after each change. Raises Failure."""
    if plugin() is None:
        raise EngineError(
            "BuildKit needs docker's buildx plugin, which is not installed",
            hint="install docker-buildx, or set COURSE_BUILDER=classic",
        )
    folder = contexts.folder(options.context) if options.context else None
    if folder is not None and (size := contexts.size_of(folder)) > contexts.LARGE:
        result.notes.append(
            f"the context {folder} is {show_bytes(size)} large; "
            "name what is not needed in its .dockerignore"
        )
    with tempfile.TemporaryDirectory(prefix="course-magics-") as place:
        ids = Path(place) / "image-id"
        reader = _Reader(result, moved)
        hidden = _unseen(options)
        words = _words(options, folder, ids, hidden)
        status, rest = _run(words, hidden, dockerfile, reader)
        if status or not (ids.is_file() or options.output):
            api.ping()  # an engine that has gone is no fault of the Dockerfile
            reader.fail(rest)
        # With --output there is maybe no image on the engine, but files elsewhere.
        result.image = ids.read_text().strip() if ids.is_file() else ""
    if options.output:
        result.notes.append(f"written: {' '.join(options.output)}")
    if result.image:
        _layer_sizes(api, result, options.target)


def _unseen(options: BuildOptions) -> dict[str, str]:
    """The build arguments whose values need not stand on buildx's command line."""
    # A secret may be a variable, and caches in a cloud have their keys from variables.
    named = {w for given in (*options.secret, *options.ssh) for w in re.split(r"[=,]", given)}
    clouds = (
        ("AWS_", "AZURE_", "ACTIONS_", "GITHUB_") if options.cache_to or options.cache_from else ()
    )
    return unseen.environment(
        options.build_arg, seen=lambda name: name in named or name.startswith(clouds)
    )


def _words(
    options: BuildOptions, folder: Path | None, ids: Path, hidden: dict[str, str]
) -> list[str]:
    words = ["docker", "buildx", "build", "--progress=rawjson"]
    words += [] if options.output else [f"--iidfile={ids}"]
    words += [] if options.output or options.push else ["--load"]
    image = [f"{k}={v}" for k, v in labels.image().items()]
    for flag, values in (
        ("-t", options.tag),
        ("--build-arg", [unseen.without(value, hidden) for value in options.build_arg]),
        ("--label", [*image, *options.label]),
        ("--add-host", options.add_host),
        ("--allow", options.allow),
        ("--annotation", options.annotation),
        ("--attest", options.attest),
        ("--build-context", options.build_context),
        ("--cache-from", options.cache_from),
        ("--cache-to", options.cache_to),
        ("--no-cache-filter", options.no_cache_filter),
        ("--output", options.output),
        ("--secret", options.secret),
        ("--ssh", options.ssh),
        ("--ulimit", options.ulimit),
    ):
        for value in values:
            words += [flag, value]
    for flag, one in (
        ("--target", options.target),
        ("--platform", options.platform),
        ("--network", options.network),
        ("--builder", options.builder),
        ("--cgroup-parent", options.cgroup_parent),
        ("--metadata-file", options.metadata_file),
        ("--provenance", options.provenance),
        ("--sbom", options.sbom),
        ("--shm-size", options.shm_size and str(options.shm_size)),
    ):
        words += [flag, one] if one else []
    words += ["--no-cache"] * options.no_cache + ["--pull"] * options.pull
    words += ["--push"] * options.push
    if folder is None:
        return [*words, "-"]
    return [*words, "-f", host_path(options.file) if options.file else "-", str(folder)]


def _run(
    words: list[str], hidden: dict[str, str], dockerfile: str, reader: _Reader
) -> tuple[int, str]:
    """Run buildx and feed its events to `reader`; its status, and what it said beside them."""
    environment = {**os.environ, **hidden, **engine.current().environment, "DOCKER_CONTEXT": ""}
    del environment["DOCKER_CONTEXT"]
    environment["BUILDX_NO_DEFAULT_ATTESTATIONS"] = "1"
    process = subprocess.Popen(
        words,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=environment,
        start_new_session=True,  # ■ is ours to pass on
    )
    assert process.stdin is not None and process.stderr is not None
    feeder = threading.Thread(target=_feed, args=(process.stdin, dockerfile), daemon=True)
    feeder.start()
    rest: list[str] = []
    pending = b""  # buildx 0.13 prints an object over several lines, later ones on one line
    try:
        for line in process.stderr:
            if not pending and not line.startswith(b"{"):
                rest.append(line.decode("utf-8", "replace"))
                continue
            pending += line
            if line.startswith(b"}") or (pending == line and line.rstrip().endswith(b"}")):
                reader.event(json.loads(pending))
                pending = b""
        process.wait()
    finally:
        _end(process)
    return process.returncode, "".join(rest)


def _feed(pipe: IO[bytes], text: str) -> None:
    with contextlib.suppress(OSError), pipe:
        pipe.write(text.encode())


def _end(process: subprocess.Popen[bytes]) -> None:
    """See that buildx has ended: asked first, so that it cancels the build on the engine."""
    for sign, seconds in ((signal.SIGINT, 0.6), (signal.SIGTERM, 0.2), (signal.SIGKILL, 5)):
        if process.poll() is not None:
            return
        process.send_signal(sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)


class _Reader:
    """Finds the step of the cell behind each vertex of BuildKit's graph."""

    def __init__(self, result: Build, moved: Callable[[], object]) -> None:
        self.result, self.moved = result, moved
        self.steps: dict[str, Step] = {}
        self.errors: list[str] = []
        self.failed: Step | None = None

    def event(self, event: dict[str, Any]) -> None:
        for vertex in event.get("vertexes") or ():
            self._vertex(vertex)
        for log in event.get("logs") or ():
            if step := self.steps.get(log["vertex"]):
                step.output += base64.b64decode(log["data"])
        for warning in event.get("warnings") or ():
            note = base64.b64decode(warning.get("short", "")).decode("utf-8", "replace")
            if note and note not in self.result.notes:
                self.result.notes.append(note)
        self.moved()

    def _vertex(self, vertex: dict[str, Any]) -> None:
        digest = vertex["digest"]
        if digest not in self.steps and (step := self._step(vertex["name"])):
            self.steps[digest] = step
        found = self.steps.get(digest)
        error = vertex.get("error")
        if error and "canceled" not in error:
            self.errors.append(error)
            self.failed = self.failed or found or self._base(vertex["name"])
        if found is None:
            return
        if vertex.get("started"):
            found.begin()
        if error:
            found.end("failed")
        elif vertex.get("completed"):
            seconds = _seconds(vertex.get("started"), vertex["completed"])
            state = "cached" if vertex.get("cached") else "built"
            found.end("base" if found.instruction.keyword == "FROM" else state, seconds)  # type: ignore[arg-type]

    def _step(self, name: str) -> Step | None:
        """ "[stage-1 2/3] RUN x" → the second instruction of that stage that makes files."""
        match = _NAME.match(name)
        if not match:
            return None
        stage = match["stage"]
        steps = self.result.steps
        last = max((s.instruction.stage for s in steps), default=0)
        if stage is None:
            number = last if last == 0 else 0
        elif numbered := re.fullmatch(r"stage-(\d+)", stage):
            number = int(numbered[1])
        else:
            named = (s.instruction.stage for s in steps if s.instruction.stage_name == stage)
            number = next(named, last)
        own = [
            s
            for s in steps
            if s.instruction.stage == number
            and (s.instruction.makes_files or s.instruction.keyword == "FROM")
        ]
        at = int(match["number"]) - 1
        return own[at] if at < len(own) else None

    def _base(self, name: str) -> Step | None:
        """The FROM whose image BuildKit did not find: "load metadata for docker.io/x:latest"."""
        match = _METADATA.search(name)
        froms = [s for s in self.result.steps if s.instruction.keyword == "FROM"]
        if not match or not froms:
            return None
        image = match[1].removesuffix(":latest").removeprefix("docker.io/").removeprefix("library/")
        return next((s for s in froms if image in s.instruction.text), froms[0])

    def fail(self, rest: str) -> None:
        """Raise the Failure that BuildKit's words tell of."""
        words = self.errors[-1] if self.errors else _plain(rest)
        match = _STATUS.search(words)
        raise Failure(words, self.failed, int(match[1]) if match else None)


def _plain(rest: str) -> str:
    """buildx's last words without its excerpt of the Dockerfile: "ERROR: failed to solve: …"."""
    lines = [line for line in rest.splitlines() if line.startswith("ERROR: ")]
    words = lines[-1] if lines else rest.strip() or "buildx ended without an image"
    for prefix in ("ERROR: ", "failed to build: ", "failed to solve: "):
        words = words.removeprefix(prefix)
    return words


def _seconds(started: str | None, completed: str) -> float:
    if not started:
        return 0.0
    first, last = (
        datetime.fromisoformat(re.sub(r"(\.\d{6})\d*", r"\1", t)) for t in (started, completed)
    )
    return max((last - first).total_seconds(), 0.0)


def _layer_sizes(api: APIClient, result: Build, target: str | None) -> None:
    """Sizes from the image's history, and a state for the steps that only change configuration.

    BuildKit has no vertex for CMD, ENV and the like: such a step is as fresh as the one before it.
    Steps behind the target stay as they are: nobody has begun them.
    """
    from course_magics.engine.stream import request

    history = request(api, "GET", route("/images/{}/history", result.image)).json()
    built_from = {s.instruction.stage for s in result.steps if s.state != "waiting"}
    final = max(built_from, default=0)
    own = [
        s for s in result.steps if s.instruction.stage == final and s.instruction.keyword != "FROM"
    ]
    own = [s for s in own if s.instruction.keyword not in ("ONBUILD",)]
    if result.steps and final == 0:
        first = next((i for i, s in enumerate(result.steps) if s.instruction.keyword == "FROM"), 0)
        own = [s for s in own if result.steps.index(s) > first]
    entries = [h for h in history if "course-magics" not in h.get("CreatedBy", "")]
    for step, entry in zip(reversed(own), entries, strict=False):
        step.size = int(entry["Size"])
    for step in result.steps:
        if step.instruction.keyword == "FROM" and step.instruction.stage == final:
            step.size = sum(int(h["Size"]) for h in entries[len(own) :])
    previous: dict[int, str] = {}
    based = False
    last = _stage(result, target)
    for step in result.steps:
        stage = step.instruction.stage
        if stage > last:
            break
        based = based or step.instruction.keyword == "FROM"
        if step.state == "waiting" and (step.instruction.keyword == "FROM" or not based):
            step.state = "base"  # also an ARG before the first FROM
        elif step.state == "waiting" and stage in built_from:
            before = previous.get(stage, "cached")
            step.state = "built" if before == "built" else "cached"
        elif step.state in ("built", "cached"):
            previous[stage] = step.state


def _stage(result: Build, target: str | None) -> int:
    """The number of the stage called `target` (or its number, as text); the last without one."""
    last = max((s.instruction.stage for s in result.steps), default=0)
    if not target:
        return last
    named = {s.instruction.stage_name.lower(): s.instruction.stage for s in result.steps}
    return named.get(target.lower(), int(target) if target.isdigit() else last)

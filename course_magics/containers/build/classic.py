"""The engine's own builder, over the SDK's connection: one answer per step, as text lines."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import TYPE_CHECKING, Any

from course_magics import engine, labels
from course_magics.containers import steps
from course_magics.containers.build import context as contexts
from course_magics.containers.build.failure import Failure
from course_magics.containers.build.result import Build, Step
from course_magics.containers.devices import ulimit
from course_magics.engine.stream import request

if TYPE_CHECKING:
    from docker import APIClient

    from course_magics.containers.build.build import BuildOptions

_STEP = re.compile(r"Step (\d+)/(\d+) : ")
#: Podman counts within each stage: "[2/2] STEP 1/3: FROM x", then "--> Using cache ID" or "--> ID".
_PODMAN_STEP = re.compile(r"(?:\[(\d+)/\d+\] )?STEP (\d+)/\d+: (.*)")
_PODMAN_IMAGE = re.compile(r"--> (Using cache )?([0-9a-f]{11,64})\n")
_CONTAINER = re.compile(r" ---> Running in ([0-9a-f]{12})\n")
_IMAGE = re.compile(r" ---> ([0-9a-f]{12})\n")
#: The builder's own words between the output of the steps.
_NOISE = (
    *(" ---> Running in ", "Removing intermediate ", " ---> Removed intermediate "),
    *("Successfully built ", "Successfully tag"),
)
_STATUS = re.compile(r"(?:returned a non-zero code:|runtime: exit status) (\d+)")


def build(
    api: APIClient,
    dockerfile: str,
    options: BuildOptions,
    result: Build,
    moved: Callable[[], object],
) -> None:
    """Build and fill in `result`. moved: called after each change. Raises Failure."""
    from docker.errors import APIError

    folder = contexts.folder(options.context) if options.context else None
    archive, warning = contexts.pack(dockerfile, folder)
    if warning:
        result.notes.append(warning)
    headers = {"Content-Type": "application/x-tar"}
    api._set_auth_headers(headers)  # a base image may need the reader's login
    try:
        with archive:
            response = request(
                api,
                "POST",
                "/build",
                params=_params(options),
                data=archive,
                headers=headers,
                stream=True,
            )
    except APIError as error:
        raise Failure(str(error.explanation)) from None
    reader = _Reader(api, result, moved, len(_labels(options)))
    try:
        reader.read(events(response.raw.stream(decode_content=False)))
        _label_what_is_left(api, reader.made, set())
    except Failure:
        reader.step_removed()
        _label_what_is_left(api, reader.made, set(reader.last.values()))
        raise
    except BaseException:  # ■, or the engine has gone: its step's container may stay
        steps.abandon(reader.container)
        raise
    finally:
        response.close()  # an interrupted build ends when nobody listens any more


def _label_what_is_left(api: APIClient, made: set[str], ends: set[str]) -> None:
    """Whose the images without a name are that a failed build has got to.

    The engine keeps them as its cache and puts the build's labels on its last step only. So each
    gets a labelled one on top, without a layer: with that one it is found and removed. made: all
    images of the build. ends: those at which it stopped; labels on others are removed.
    """
    from docker.errors import APIError

    if not made or engine.current().is_podman:
        return
    words = " ".join(f"{key}={json.dumps(value)}" for key, value in labels.unfinished().items())
    # An error here must not hide the error of the build itself.
    with contextlib.suppress(APIError, OSError):
        for image in api.images(filters={"dangling": True}):
            if labels.UNFINISHED in (image.get("Labels") or {}):
                if image.get("ParentId") in made - ends:
                    api.remove_image(image["Id"], noprune=True)
            elif image["Id"] in ends:
                text = f"FROM {image['Id']}\nLABEL {words}\n"
                for _ in api.build(fileobj=BytesIO(text.encode()), rm=True, forcerm=True):
                    pass


def _params(options: BuildOptions) -> dict[str, Any]:
    return {
        "dockerfile": contexts.DOCKERFILE,
        "t": options.tag,
        "nocache": int(options.no_cache),
        "pull": int(options.pull),
        "rm": 1,
        "forcerm": 1,
        "buildargs": json.dumps(arguments(options.build_arg)),
        "labels": json.dumps(_labels(options)),
        **({"target": options.target} if options.target else {}),
        **({"platform": options.platform} if options.platform else {}),
        **({"networkmode": options.network} if options.network else {}),
        **({"extrahosts": json.dumps(options.add_host)} if options.add_host else {}),
        **({"cachefrom": json.dumps(options.cache_from)} if options.cache_from else {}),
        **({"cgroupparent": options.cgroup_parent} if options.cgroup_parent else {}),
        **({"shmsize": options.shm_size} if options.shm_size else {}),
        **({"ulimits": json.dumps([ulimit(u) for u in options.ulimit])} if options.ulimit else {}),
    }


def _labels(options: BuildOptions) -> dict[str, str]:
    """Each is a step of its own, after those of the cell."""
    return {**labels.image(), **dict(item.partition("=")[::2] for item in options.label)}


def arguments(given: list[str]) -> dict[str, str | None]:
    """`--build-arg NAME=VALUE`; a bare NAME is read from our environment, as docker does."""
    import os

    pairs = (item.partition("=") for item in given)
    return {n: v if eq else os.environ.get(n) for n, eq, v in pairs}


def events(chunks: Iterator[bytes]) -> Iterator[dict[str, Any]]:
    """The builder's JSON objects, one a line, as they come."""
    pending = b""
    for chunk in chunks:
        *lines, pending = (pending + chunk).split(b"\n")
        yield from (json.loads(line) for line in lines if line.strip())
    if pending.strip():
        yield json.loads(pending)


class _Reader:
    """Follows the builder's words from step to step."""

    def __init__(
        self, api: APIClient, result: Build, moved: Callable[[], object], labels: int
    ) -> None:
        self.api, self.result, self.moved, self.labels = api, result, moved, labels
        self.step: Step | None = None
        self.cached = False
        self.base = self.container = ""
        self.parent_size: dict[int, int] = {}
        #: The images of its steps, and the last one of each stage.
        self.made: set[str] = set()
        self.last: dict[int, str] = {}

    def read(self, found: Iterator[dict[str, Any]]) -> None:
        for event in found:
            if "error" in event:
                self._fail(event)
            elif "aux" in event:
                self.result.image = event["aux"].get("ID", self.result.image)
            elif "stream" in event:
                self._line(event["stream"])
        self.step_removed()
        if not self.result.image:
            raise Failure("the engine ended the build without an image")

    def _line(self, text: str) -> None:
        if match := _PODMAN_STEP.match(text):
            self._podman_step(int(match[1] or 1) - 1, int(match[2]) - 1, match[3])
        elif match := _PODMAN_IMAGE.match(text):
            if match[1]:
                self.cached = True
            else:
                self._step_ended(match[2])
        elif match := _STEP.match(text):
            number = int(match[1]) - 1
            if self.step and self.step.state == "running":
                self.step.end("base")  # an ARG before the first FROM makes no image
            # The last ones are the labels that we add, which the cell does not have. With --target,
            # the cell has other steps behind it.
            ours = number >= min(int(match[2]) - self.labels, len(self.result.steps))
            self.step = None if ours else self.result.steps[number]
            self.cached = False
            if self.step:
                self.step.begin()
        elif text == " ---> Using cache\n":
            self.cached = True
        elif match := _IMAGE.match(text):
            self._step_ended(match[1])
        elif match := _CONTAINER.match(text):
            self.step_removed()
            self.container = match[1]
            steps.begun(self.container)
        elif self.step and not text.startswith(_NOISE):
            # The builder paints standard error red; the colour is no part of the output.
            self.step.output += text.replace("\x1b[91m", "").replace("\x1b[0m", "").encode()
        self.moved()

    def step_removed(self) -> None:
        """The engine is done with the last step's container."""
        if self.container:
            steps.ended(self.container)
        self.container = ""

    def _podman_step(self, stage: int, number: int, text: str) -> None:
        self._base_ended()
        own = [s for s in self.result.steps if s.instruction.stage == stage]
        first = next((i for i, s in enumerate(own) if s.instruction.keyword == "FROM"), 0)
        for before in own[:first]:
            before.end("base")  # an ARG before the first FROM is no step of Podman's
        own = own[first:]
        self.step = own[number] if number < len(own) else None
        self.cached = False
        self.base = text.split()[1] if text.upper().startswith("FROM ") else ""
        if self.step:
            self.step.begin()

    def _base_ended(self) -> None:
        """Podman says nothing at the end of a FROM; a step after it shows that it is done."""
        from docker.errors import APIError

        if self.base and self.step and self.step.state == "running":
            stage, base = self.step.instruction.stage, self.base
            try:
                size = int(self.api.inspect_image(base)["Size"])
            except APIError:  # an earlier stage
                named = {s.instruction.stage_name: s.instruction.stage for s in self.result.steps}
                size = self.parent_size.get(named.get(base, -1), 0)
            self.step.size = self.parent_size[stage] = size
            self.step.end("base")

    def _step_ended(self, image: str) -> None:
        step = self.step
        if step is None:
            return
        found = self.api.inspect_image(image)
        size = int(found["Size"])
        stage = step.instruction.stage
        if step.instruction.keyword == "FROM":
            step.size = size
            step.end("base")
        else:
            step.size = max(size - self.parent_size.get(stage, 0), 0)
            step.end("cached" if self.cached else "built")
            self.made.add(found["Id"])
            self.last[stage] = found["Id"]
        self.parent_size[stage] = size

    def _fail(self, event: dict[str, Any]) -> None:
        words = str(event.get("error"))
        match = _STATUS.search(words)
        if self.step:
            self.step.end("failed")
        raise Failure(words, self.step, int(match[1]) if match else None)

"""Choose the builder, run it, and turn its faults into errors that name the line of the cell."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_magics import engine
from course_magics.containers.build import buildkit, classic
from course_magics.containers.build.failure import Failure
from course_magics.containers.build.instructions import (
    KEYWORDS,
    Instruction,
    heredoc,
    read,
    stages,
)
from course_magics.containers.build.result import Build, Step
from course_magics.containers.create import no_such_image
from course_magics.containers.mounts import host_path
from course_magics.containers.naming import name_only
from course_magics.containers.options import chosen
from course_magics.containers.reap import reap_once
from course_magics.errors import BuildError, CourseError, Interrupted, OptionError, closest

if TYPE_CHECKING:
    from docker import APIClient

#: Lines of a failed step's output that the error repeats.
_LAST_LINES = 12


@dataclass
class BuildOptions:
    """The flags of `docker build` that a cell takes.

    context: the folder; None: an empty one. file: the Dockerfile's path, when it is not a text
    that comes from elsewhere. shm_size in bytes.
    """

    tag: list[str] = field(default_factory=list)
    build_arg: list[str] = field(default_factory=list)
    label: list[str] = field(default_factory=list)
    target: str | None = None
    context: str | None = None
    platform: str | None = None
    network: str | None = None
    add_host: list[str] = field(default_factory=list)
    no_cache: bool = False
    pull: bool = False
    file: str | None = None
    cache_from: list[str] = field(default_factory=list)
    cgroup_parent: str | None = None
    shm_size: int | None = None
    ulimit: list[str] = field(default_factory=list)
    iidfile: str | None = None
    # From here on: BuildKit's alone.
    allow: list[str] = field(default_factory=list)
    annotation: list[str] = field(default_factory=list)
    attest: list[str] = field(default_factory=list)
    build_context: list[str] = field(default_factory=list)
    builder: str | None = None
    cache_to: list[str] = field(default_factory=list)
    metadata_file: str | None = None
    no_cache_filter: list[str] = field(default_factory=list)
    output: list[str] = field(default_factory=list)
    provenance: str | None = None
    push: bool = False
    sbom: str | None = None
    secret: list[str] = field(default_factory=list)
    ssh: list[str] = field(default_factory=list)

    @classmethod
    def from_flags(cls, flags: Mapping[str, Any]) -> BuildOptions:
        """From a cell's flags. Raises TypeError for one that would be lost."""
        found = chosen(cls, flags, _NO_OPTIONS)
        return cls(**{name: value for name, value in found.items() if value is not None})


#: Flags of build that are not the build's: the magic's own, and those without effect.
_NO_OPTIONS = frozenset(
    {"check", "strict", "source", "quiet", "help", "no_raise"}
    | {"load", "progress", "rm", "force_rm", "disable_content_trust"}
)

#: The options that only BuildKit has.
BUILDKIT_ONLY = (
    *("allow", "annotation", "attest", "build_context", "builder", "cache_to", "metadata_file"),
    *("no_cache_filter", "output", "provenance", "push", "sbom", "secret", "ssh"),
)


def build(
    dockerfile: str,
    options: BuildOptions | None = None,
    *,
    line: str = "docker build -",
    watch: Callable[[Build], object] = lambda build: None,
) -> Build:
    """Build `dockerfile` (its text) on the current engine.

    watch: called whenever the build has moved on. Returns the `Build`. Raises BuildError (a step
    failed, with `.result`), OptionError, EngineError, Interrupted.
    """
    from course_magics.containers import lint

    options = options or BuildOptions()
    instructions = read(dockerfile)
    if not instructions:
        raise OptionError(
            f"{options.file or 'the cell'} holds no Dockerfile",
            hint="begin with FROM, for instance: FROM course/busybox",
        )
    for argument in options.build_arg:
        if not re.match(r"[A-Za-z_]\w*(=|$)", argument):
            raise OptionError(f"--build-arg takes NAME=VALUE, not {name_only(argument)}")
    result = Build(instructions, options.tag, line)
    for finding in lint.own(dockerfile, options.target):
        own = [s for s in result.steps if s.instruction.line <= finding.line]
        own[-1].findings.append(finding)
    builder = buildkit if use_buildkit() else classic
    if builder is classic:
        _check_classic(options)
    elif engine.current().is_podman and not options.builder:
        raise OptionError("COURSE_BUILDER is buildkit: Podman has no BuildKit", hint="use classic")
    with engine.talking(line) as api:
        reap_once(api)
        try:
            if builder is classic and api.api_version >= "1.42":
                _check_heredocs(instructions)
            builder.build(api, dockerfile, options, result, lambda: watch(result))
        except KeyboardInterrupt:
            step = _open_step(result)
            at = f" at line {step.instruction.line}" if step else ""
            raise Interrupted(f"interrupted: the build was stopped{at}", command=line) from None
        except Failure as failure:
            result.finish()
            watch(result)
            raise _explain(api, failure, result, instructions, options, line) from None
        result.finish()
        if not result.image:  # --output wrote files instead
            watch(result)
            return result
        details = api.inspect_image(result.image)
    if options.iidfile:
        _write_id(options.iidfile, result.image)
    result.size = details["Size"]
    result.layers = len(details["RootFS"].get("Layers") or ())
    watch(result)
    return result


def use_buildkit() -> bool:
    """Whether BuildKit builds: as the setting or COURSE_BUILDER says, else where buildx is.

    Podman has none: buildx would fetch one and run it in a privileged container.
    """
    from course_magics import settings

    wanted = settings.current().builder or os.environ.get("COURSE_BUILDER", "")
    if wanted:
        if wanted not in ("classic", "buildkit"):
            raise OptionError(f"COURSE_BUILDER is classic or buildkit, not {wanted!r}")
        return wanted == "buildkit"
    return buildkit.plugin() is not None and not engine.current().is_podman


def _check_classic(options: BuildOptions) -> None:
    for key in BUILDKIT_ONLY:
        if getattr(options, key):
            raise OptionError(
                f"--{key.replace('_', '-')} needs BuildKit, and it does not build here",
                hint="Podman has none"
                if engine.current().is_podman
                else "install Docker's buildx plugin (Debian 13: docker-buildx)",
            )


def _check_heredocs(instructions: list[Instruction]) -> None:
    """From Docker 23 on its classic builder takes a heredoc, and runs it without its lines."""
    if any(heredoc(i) for i in instructions):
        raise Failure("parse error: a heredoc")


def _write_id(name: str, id: str) -> None:
    try:
        Path(host_path(name)).write_text(id)
    except OSError as error:
        raise OptionError(f"--iidfile: cannot write {name}: {error.strerror}") from None


def _open_step(result: Build) -> Step | None:
    return next((s for s in result.steps if s.state == "running"), None)


def _explain(
    api: APIClient,
    failure: Failure,
    result: Build,
    instructions: list[Instruction],
    options: BuildOptions,
    line: str,
) -> CourseError:
    """The builder's words as an error that says where in the cell, and what to do."""
    step, words = failure.step, failure.words.strip()
    at = step.instruction if step else _line_named(words, instructions)
    low = words.lower()
    hint = None
    error: CourseError
    if at is not None and at.keyword == "FROM" and failure.status is None and step is not None:
        image = next((w for w in at.text.split()[1:] if not w.startswith("--")), "")
        error = no_such_image(api, image, line, words)
        message, hint = f"line {at.line}: {error.message}", error.hint
    elif (
        ("parse error" in low or "unknown instruction" in low)
        and not use_buildkit()
        and any(heredoc(i) for i in instructions)
    ):
        message = "a heredoc (<<EOF) needs BuildKit, and docker's buildx plugin is not installed"
        hint = "write RUN a && b in place of it, or install buildx (Debian 13: docker-buildx)"
    elif unknown := re.search(r'unknown instruction:? "?(\w+)', words, re.IGNORECASE):
        near = closest(unknown[1].upper(), KEYWORDS)
        at = at or next((i for i in instructions if i.keyword == unknown[1].upper()), None)
        message = f"line {at.line if at else '?'}: unknown instruction {unknown[1]}"
        hint = f"did you mean {near}?" if near else f"allowed: {', '.join(KEYWORDS)}"
    elif "target stage" in low or "build target" in low or low.startswith("the target "):
        known = stages(instructions)
        near = closest(options.target or "", known)
        message = f"no stage called {options.target!r}"
        hint = f"did you mean {near}?" if near else f"stages: {', '.join(known) or 'none named'}"
    elif step is not None and failure.status is not None:
        message = f"line {step.instruction.line}: {_short(step)} ended with status {failure.status}"
        words = step.tail(_LAST_LINES)
    else:
        where = f"line {at.line}: {_short_text(at.text)}: " if at else ""
        message = f"{where}{words.splitlines()[0] if words else 'the build failed'}"
        words = "\n".join(words.splitlines()[1:])
        hint = _what_next(low, at, options) or engine.what_next(low)
    error = BuildError(
        message, command=line, status=failure.status, detail=words or None, hint=hint
    )
    error.result = result
    return error


def _short(step: Step) -> str:
    return _short_text(step.instruction.text)


def _short_text(text: str) -> str:
    from course_magics.containers.build.result import shorten

    return shorten(text, 50)


def _line_named(words: str, instructions: list[Instruction]) -> Instruction | None:
    """The instruction that "parse error line 3" or "Dockerfile:3" speaks of."""
    match = re.search(r"line (\d+)|Dockerfile:(\d+)", words)
    if not match:
        return None
    number = int(match[1] or match[2])
    before = [i for i in instructions if i.line <= number]
    return before[-1] if before else None


def _what_next(low: str, at: Instruction | None, options: BuildOptions) -> str | None:
    if (
        at is not None
        and at.keyword in ("COPY", "ADD")
        and ("not found" in low or "no such file" in low)
    ):
        if options.context is None:
            return "the context is empty: --context DIR names the folder that COPY reads from"
        return f"is it in {options.context}, and does .dockerignore let it through?"
    if "requires buildkit" in low or "--mount option requires" in low:
        return "install Docker's buildx plugin (Debian 13: docker-buildx), then build again"
    return None

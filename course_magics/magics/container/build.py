"""`%container build`, and the flags that it shares with `%%dockerfile`."""

from __future__ import annotations

from typing import Any

from course_magics import settings
from course_magics.errors import OptionError
from course_magics.magics.container.flags import TRUST
from course_magics.magics.grammar import Call, Flag, Word

_BUILDKIT = "(BuildKit)"
#: Docker's flags for a build, without those that say where the Dockerfile and the result are.
BUILD = (
    Flag("-t --tag", "name of the image", "list", "NAME[:TAG]"),
    Flag("--build-arg", "value of an ARG", "list", "NAME=VALUE", offers="build-arg"),
    Flag("--target", "stop at this stage", "text", "STAGE", offers="stage"),
    Flag("--no-cache", "build every step anew"),
    Flag("--no-cache-filter", f"build this stage anew {_BUILDKIT}", "list", "STAGE"),
    Flag("--platform", "platform of the image", "text", "OS/ARCH"),
    Flag("--label", "label of the image", "list", "NAME=VALUE"),
    Flag("--annotation", f"annotation of the image {_BUILDKIT}", "list", "NAME=VALUE"),
    Flag("--network", "network of the RUN steps", "text", "MODE"),
    Flag("--add-host", "line in /etc/hosts for the RUN steps", "list", "NAME:IP"),
    Flag("--shm-size", "size of /dev/shm for the RUN steps", "bytes", "SIZE"),
    Flag("--ulimit", "resource limit of the RUN steps", "list", "NAME=SOFT[:HARD]"),
    Flag("--cgroup-parent", "cgroup above that of the RUN steps", "text", "PATH"),
    Flag("--pull", "fetch the base image even if it is here"),
    Flag("-q --quiet", "show only the id of the image"),
    Flag("--iidfile", "write the id of the image to this file", "text", "FILE"),
    Flag("--metadata-file", f"write what was built to this file {_BUILDKIT}", "text", "FILE"),
    Flag("--cache-from", "take steps from the cache of this image or place", "list", "IMAGE"),
    Flag("--cache-to", f"write the cache to this place {_BUILDKIT}", "list", "type=…,dest=…"),
    Flag("--build-context", f"another folder to COPY from {_BUILDKIT}", "list", "NAME=DIR"),
    Flag("--secret", f"file that a RUN step may read {_BUILDKIT}", "list", "id=NAME,src=FILE"),
    Flag("--ssh", f"ssh agent or key that a RUN step may use {_BUILDKIT}", "list", "ID[=KEY]"),
    Flag("--allow", f"right that a RUN step may have {_BUILDKIT}", "list", "RIGHT"),
    Flag("--attest", f"statement about the build {_BUILDKIT}", "list", "type=…"),
    Flag("--provenance", f"short for --attest type=provenance {_BUILDKIT}", "text", "MODE"),
    Flag("--sbom", f"short for --attest type=sbom {_BUILDKIT}", "text", "MODE"),
    Flag("--push", f"push the image when it is built {_BUILDKIT}"),
    Flag("--builder", f"which of buildx's builders builds {_BUILDKIT}", "text", "NAME"),
    Flag("--load", "of no effect: the image always comes to the engine"),
    Flag(
        "--progress",
        "of no effect: a cell has its own view",
        "text",
        "KIND",
        values=("auto", "plain", "tty", "quiet", "rawjson"),
    ),
    Flag("--rm", "of no effect: nothing of a build is left", default=True),
    Flag("--force-rm", "of no effect: nothing of a build is left"),
    TRUST,
)


def run(dockerfile: str, options: Any, line: str, *, quiet: bool) -> Any:
    """Build with a live view. quiet: without one, and only the image's id is shown."""
    from course_magics.containers.build import build
    from course_magics.containers.listing import Lines

    if quiet:
        return Lines([build(dockerfile, options, line=line).image], line)
    if not settings.current().live:
        return build(dockerfile, options, line=line)
    from course_magics.widgets.build import live

    with live() as watch:
        return build(dockerfile, options, line=line, watch=watch)


def _build(call: Call) -> Any:
    from course_magics.containers.build import BuildOptions
    from course_magics.containers.build.context import dockerfile

    place = call.args[0]
    options = BuildOptions.from_flags(call.flags)
    if "://" in place or place.startswith("git@"):
        raise OptionError(
            f"{call.sign}: the folder has to be on this computer, not {place}",
            hint="fetch it first, for instance: !git clone URL",
        )
    if call.cell is None and "-" in (place, call.file):
        raise OptionError(
            f"{call.sign}: a line has nothing on its standard input",
            hint=f"make it a cell whose body is the Dockerfile: %{call.sign} …",
        )
    if call.cell is not None and (place == "-") == (call.file == "-"):
        raise OptionError(
            f"{call.sign}: the cell is a Dockerfile, and nothing reads it",
            hint=f"{call.sign} -f - DIR, or {call.sign} - without a folder",
        )
    options.context = None if place == "-" else place
    if call.cell is not None:
        options.file = None
        return run(call.cell, options, call.line, quiet=call.quiet)
    options.file, text = dockerfile(place, call.file)
    return run(text, options, call.line, quiet=call.quiet)


WORDS = (
    Word(
        "build",
        "build an image from the Dockerfile in a folder",
        "DIR",
        (
            Flag("-f --file", "the Dockerfile (DIR/Dockerfile unless named)", "text", "FILE"),
            *BUILD,
            Flag(
                "-o --output",
                f"write the files of the image here, or as type=…,dest=… {_BUILDKIT}",
                "list",
                "DIR",
            ),
        ),
        cell="the Dockerfile, with `-f - DIR` or `-`",
        examples=("%container build -t web .", "%container build -t web -f web.Dockerfile site"),
        aliases=("image build", "builder build", "buildx build"),
        handler=_build,
    ),
)

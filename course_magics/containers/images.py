"""tag, rmi, history: what is done with images."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from course_magics import engine
from course_magics.containers.create import is_missing_image, no_such_image
from course_magics.containers.lifecycle import Done, each
from course_magics.containers.listing import Lines, ago, formatted, stamp
from course_magics.display import Shown, Table
from course_magics.engine.routes import route
from course_magics.engine.stream import request
from course_magics.errors import OptionError
from course_magics.units import show_bytes

if TYPE_CHECKING:
    from docker import APIClient


def tag(source: str, target: str, line: str) -> Done:
    """Give an image another name."""
    from docker.utils import parse_repository_tag

    repository, name = parse_repository_tag(target)
    if not repository:
        raise OptionError(f"a tag is NAME[:TAG], not {target!r}")
    with engine.talking(line) as api, _known(api, source, line):
        api.tag(source, repository, name or "latest")
    return Done(f"{source} is now also", [target], line)


def remove(names: Sequence[str], line: str, *, force: bool, no_prune: bool) -> Done:
    """Remove images by name or id."""

    def act(api: APIClient, name: str) -> None:
        with _known(api, name, line):
            api.remove_image(name, force=force, noprune=no_prune)

    return each(names, "removed", act, line, containers=False)


class _known:
    """Turns "no such image" into an error that names the closest one there is."""

    def __init__(self, api: APIClient, image: str, line: str) -> None:
        self.api, self.image, self.line = api, image, line

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception) and is_missing_image(error):
            raise no_such_image(self.api, self.image, self.line) from None


def history(
    image: str,
    line: str,
    *,
    human: bool = True,
    full: bool = False,
    quiet: bool = False,
    template: str | None = None,
) -> Shown:
    """The steps that made an image, newest first: instruction, size of its layer, comment."""
    with engine.talking(line) as api, _known(api, image, line):
        found = request(api, "GET", route("/images/{}/history", image)).json()
    rows = [_row(step, human=human, full=full) for step in found]
    if quiet:
        return Lines([r["ID"] for r in rows], line)
    if template:
        return formatted(rows, template, line)
    columns = {"CREATED BY": "shown", "SIZE": "shown size", "COMMENT": "Comment"}
    return Table(columns, rows, command=line, right=["SIZE"])


def instruction(created_by: str) -> str:
    """The Dockerfile's words behind a history entry: without the builder's shell around them.

    The classic builder names what COPY and ADD copied by a digest: another one in each build, and
    nobody's name for it.
    """
    # After SHELL ["bash", "-e", "-c"] the builder writes that one before a remark.
    text = re.sub(r"^/\S+( -\S+)+ #\(nop\) ", "", created_by).strip()
    text = re.sub(r"\b(file|dir|multi):[0-9a-f]{64} in (\S+)", r"(\1) \2", text)
    if text.startswith("/bin/sh -c "):
        return "RUN " + text.removeprefix("/bin/sh -c ")
    return text.removesuffix(" # buildkit").replace("RUN /bin/sh -c ", "RUN ", 1)


def _row(step: dict[str, Any], *, human: bool, full: bool) -> dict[str, Any]:
    from datetime import UTC, datetime

    by = step.get("CreatedBy", "")
    words = instruction(by)
    id = step["Id"].removeprefix("sha256:")
    return {
        "ID": step["Id"] if full else id[:12] if id != "<missing>" else id,
        "CreatedSince": ago(datetime.now(UTC).timestamp() - step["Created"]) + " ago",
        "CreatedAt": stamp(step["Created"]),
        "CreatedBy": by if full or len(by) <= 45 else by[:44] + "…",
        "Size": show_bytes(step["Size"]).replace(" ", "") if human else str(step["Size"]),
        "Comment": step.get("Comment", ""),
        "shown": words if full or len(words) <= 60 else words[:59] + "…",
        "shown size": show_bytes(step["Size"]) if human else str(step["Size"]),
        "bytes": step["Size"],
    }

"""One image that has just been made: by commit or by import."""

from __future__ import annotations

from collections.abc import Sequence

from course_magics import engine, labels
from course_magics.display import Block, Command, Line, Shown
from course_magics.errors import OptionError
from course_magics.units import show_bytes


class Image(Shown):
    """An image. name: "" when it was given none. id, size (bytes), layers. source: of what."""

    def __init__(self, name: str, id: str, source: str, command: str) -> None:
        self.name = name
        self.id = id
        self.source = source
        self.command = command
        with engine.talking(command) as api:
            details = api.inspect_image(id)
        self.size: int = details["Size"]
        self.layers = len(details["RootFS"].get("Layers") or ())

    def blocks(self) -> Sequence[Block]:
        name = self.name or "an image without a name"
        layers = f"{self.layers} layer{'s' * (self.layers != 1)}"
        words = f"{name}: {show_bytes(self.size)} in {layers}, made of {self.source}"
        return [Line(words, "good"), Command(self.command)]


def repository_and_tag(name: str | None) -> tuple[str, str]:
    """NAME[:TAG] in two; both empty without a name. Raises OptionError."""
    from docker.utils import parse_repository_tag

    if not name:
        return "", ""
    repository, tag = parse_repository_tag(name)
    if not repository or "@" in name:
        raise OptionError(f"an image's name is NAME[:TAG], not {name!r}")
    return repository, tag or "latest"


def familiar(name: str) -> str:
    """An image's name without what Podman adds to it: `localhost/a:latest` is `a`."""
    bare = name.removeprefix("localhost/").removeprefix("docker.io/").removeprefix("library/")
    return bare.removesuffix(":latest")


def changes(given: Sequence[str]) -> list[str]:
    """`--change` as the engine takes it, and the labels of an image that we make.

    What came by `run` carries its process's label, and what is run from the image shall not.
    """
    emptied = dict.fromkeys((labels.OWNER, labels.SESSION, labels.THING, labels.USER), "")
    ours = {**emptied, **labels.image(work=True)}
    return [*given, *(f'LABEL {k}="{v}"' for k, v in ours.items())]

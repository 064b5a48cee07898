"""The Dockerfile in a folder."""

from __future__ import annotations

import shlex
from pathlib import Path

from course_magics.containers.mounts import host_path
from course_magics.errors import OptionError


def dockerfile(name: str) -> tuple[str, str]:
    """The text of the Dockerfile `name` (a file, or its folder), and docker's line for it."""
    path = Path(host_path(name))
    path = path / "Dockerfile" if path.is_dir() else path
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        raise OptionError(
            f"no such file: {path.name if name == '.' else name}",
            hint="name a Dockerfile or its folder; %container layers looks into an image",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise OptionError(f"cannot read {name} as a Dockerfile: {error}") from None
    shown = Path(name) / "Dockerfile" if Path(host_path(name)).is_dir() else Path(name)
    return text, f"docker build --check -f {shlex.quote(str(shown))} ."

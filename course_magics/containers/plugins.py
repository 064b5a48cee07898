"""Docker's command-line plugins: programs of their own, in folders that the client looks in."""

from __future__ import annotations

import os
from pathlib import Path


def plugin(name: str) -> Path | None:
    """The plugin `name` ("docker-buildx") where the docker client would find it, or None."""
    config = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    folders = (
        config / "cli-plugins",
        Path("/usr/local/lib/docker/cli-plugins"),
        Path("/usr/local/libexec/docker/cli-plugins"),
        Path("/usr/lib/docker/cli-plugins"),
        Path("/usr/libexec/docker/cli-plugins"),
        Path("/opt/homebrew/lib/docker/cli-plugins"),
        Path("/Applications/Docker.app/Contents/Resources/cli-plugins"),
        Path("C:/Program Files/Docker/cli-plugins"),
    )
    names = (name, f"{name}.exe")
    return next((f / n for f in folders for n in names if (f / n).is_file()), None)

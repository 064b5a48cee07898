"""What an older engine does not know. It would leave such a wish out without a word."""

from __future__ import annotations

from typing import TYPE_CHECKING

from course_magics.errors import EngineError

if TYPE_CHECKING:
    from docker import APIClient


def since(api: APIClient, flag: str, version: str) -> None:
    """Raises EngineError when the engine's API is older than `version`, which `flag` needs."""
    if tuple(map(int, api.api_version.split("."))) < tuple(map(int, version.split("."))):
        raise EngineError(
            f"{flag} needs an engine with API {version}; this one has {api.api_version}",
            hint="leave it out, or use a newer engine: %engine use NAME",
        )

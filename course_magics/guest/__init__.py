"""The Debian guest, its Vagrant box and the course's base images; contract.py describes a guest.

Everything is loaded at first use: `import course_magics.guest` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from course_magics.guest.box import ensure_box, installed_box
    from course_magics.guest.build import build_guest, installed_guest
    from course_magics.guest.fetch import fetch_guest, pack_guest
    from course_magics.guest.images import IMAGES, build_images
    from course_magics.guest.model import Guest, cache_dir

_HOME = {
    "IMAGES": "images",
    "Guest": "model",
    "build_guest": "build",
    "build_images": "images",
    "cache_dir": "model",
    "ensure_box": "box",
    "fetch_guest": "fetch",
    "installed_box": "box",
    "installed_guest": "build",
    "pack_guest": "fetch",
}

__all__ = [
    "IMAGES",
    "Guest",
    "build_guest",
    "build_images",
    "cache_dir",
    "ensure_box",
    "fetch_guest",
    "installed_box",
    "installed_guest",
    "pack_guest",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)

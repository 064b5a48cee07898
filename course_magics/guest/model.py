"""A guest on disk, and where the caches are."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from course_magics import runtime
from course_magics.errors import MachineError

FORMAT = 1
NAME = "course/debian12"

cache_dir = runtime.cache_dir


@dataclass(frozen=True)
class Guest:
    """One guest folder. `data` is its guest.json; contract.py says what the keys mean."""

    folder: Path
    data: dict[str, Any]

    @classmethod
    def load(cls, folder: Path) -> Guest:
        """Read the guest in `folder`; MachineError where it is not whole or of another format."""
        try:
            data = json.loads((folder / "guest.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise MachineError(f"No guest in {folder}.", detail=str(error)) from error
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            raise MachineError(f"The guest in {folder} is of another format than {FORMAT}.")
        guest = cls(folder, data)
        for name in guest.files.values():
            if Path(name).name != name or not (folder / name).is_file():
                raise MachineError(f"The guest in {folder} lacks {name}.")
        return guest

    @property
    def hash(self) -> str:
        return str(self.data["hash"])

    @property
    def files(self) -> dict[str, str]:
        """Names of the files in the folder, by role (kernel, initrd, disk, ready_disk, …)."""
        return dict(self.data["files"])

    @property
    def kernel(self) -> Path:
        return self.folder / self.files["kernel"]

    @property
    def initrd(self) -> Path:
        return self.folder / self.files["initrd"]

    @property
    def disk(self) -> Path:
        """The clean disk, base of cold boots."""
        return self.folder / self.files["disk"]

    @property
    def ready_disk(self) -> Path | None:
        """The disk at the moment of the snapshot, or None without one."""
        name = self.files.get("ready_disk")
        return self.folder / name if name else None

    @property
    def ready_state(self) -> Path | None:
        """Memory and devices at the moment of the snapshot, or None without one."""
        name = self.files.get("ready_state")
        return self.folder / name if name else None

"""A guest on disk, and where the caches are."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from course_magics import runtime, storage
from course_magics.errors import MachineError, fault_of
from course_magics.guest import allowed

#: What to do about a guest that is not whole.
AGAIN = "course-magics guest build makes it again"
#: Guests of format 1 take the key that Vagrant has published; machines and engines that were made
#: of one, and have got another key since, are still started.
FORMAT = 2
_READ = (1, FORMAT)
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
            raise MachineError(f"No guest in {folder}.", detail=str(error), hint=AGAIN) from error
        if not isinstance(data, dict) or data.get("format") not in _READ:
            raise MachineError(
                f"The guest in {folder} is of another format than {FORMAT}.", hint=AGAIN
            )
        try:
            return cls._whole(folder, data)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise MachineError(
                f"The guest in {folder} is damaged: guest.json lacks something.",
                detail=fault_of(error), hint=AGAIN,
            ) from error  # fmt: skip

    @classmethod
    def _whole(cls, folder: Path, data: dict[str, Any]) -> Guest:
        allowed.check(data)
        guest = cls(folder, data)
        if missing := {"kernel", "initrd", "disk"} - guest.files.keys() or {"hash"} - data.keys():
            raise KeyError(*missing)
        sizes = data.get("sizes") or {}
        for name in guest.files.values():
            if Path(name).name != name or not (folder / name).is_file():
                raise MachineError(f"The guest in {folder} lacks {name}.", hint=AGAIN)
            check_size(folder / name, sizes.get(name))
        return guest

    def keep_in(self, folder: Path) -> Guest:
        """What a cold boot needs, once more: in `folder`, where it stays when this one goes.

        Raises OSError.
        """
        files = {role: self.files[role] for role in ("kernel", "initrd", "disk")}
        for name in files.values():
            duplicate(self.folder / name, folder / name)
        data = {**self.data, "files": files, "snapshot": None}
        storage.write_json(folder / "guest.json", data, mode=0o644)
        return Guest(folder, data)

    @property
    def keyless(self) -> bool:
        """Whether it lets nobody in before it is told whom: no key that others know opens it."""
        return int(self.data["format"]) >= 2

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


def check_size(path: Path, size: object, hint: str = AGAIN) -> None:
    """MachineError unless the file is as long as it was when it was made; None: nobody knows."""
    found = path.stat().st_size
    if size is not None and found != size:
        raise MachineError(
            f"{path} is cut off: {found:,} bytes instead of {size:,}".replace(",", " "), hint=hint
        )


def duplicate(source: Path, target: Path) -> None:
    """Give a file that nobody writes to a second name, else copy it. Raises OSError.

    It is copied on another file system, and where only its owner may link it.
    """
    try:
        os.link(source, target)
        return
    except OSError:
        pass
    copied = False
    if shutil.which("cp"):  # GNU's leaves out holes, and shares the blocks where it can
        words = ["cp", "--reflink=auto", "--sparse=auto", str(source), str(target)]
        copied = subprocess.run(words, capture_output=True, check=False).returncode == 0
    if not copied:
        shutil.copyfile(source, target)
    storage.sync_file(target)

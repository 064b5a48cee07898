"""Programs out of the Debian packages of another release, unpacked and not installed."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from course_magics.errors import MachineError
from course_magics.guest.procs import Say, need, run

_OFFICIAL = "http://deb.debian.org/debian"
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


def unpack(suite: str, packages: Sequence[str], target: Path, say: Say) -> dict[str, str]:
    """Unpack `packages` of Debian `suite` (without what they depend on) into the folder `target`.

    apt verifies them, with lists of its own: this computer's apt stays as it is. Returns the
    versions. MachineError where apt is missing or refuses.
    """
    for tool in ("apt-get", "dpkg-deb"):
        need(tool)
    if not _KEYRING.is_file():
        raise MachineError(
            "apt has no keys of Debian's archive.",
            hint="sudo apt-get install debian-archive-keyring",
        )
    say(f"fetching {', '.join(packages)} of Debian {suite}")
    with tempfile.TemporaryDirectory(prefix="course-debs-") as name:
        folder = Path(name)
        (folder / "lists" / "partial").mkdir(parents=True)
        (folder / "archives" / "partial").mkdir(parents=True)
        (folder / "empty").mkdir()
        sources = folder / "sources.list"
        sources.write_text(f"deb [signed-by={_KEYRING}] {_mirror()} {suite} main\n")
        options = {
            "Dir::Etc::SourceList": sources,
            "Dir::Etc::SourceParts": folder / "empty",
            "Dir::State::Lists": folder / "lists",
            "Dir::Cache": folder,
            "APT::Sandbox::User": "",
            "APT::Architecture": "amd64",
            "Debug::NoLocking": "1",
        }
        given = [f"-o{key}={value}" for key, value in options.items()]
        run(["apt-get", "-qq", *given, "update"])
        run(["apt-get", "-qq", *given, "download", *packages], cwd=folder)
        versions = {}
        for deb in folder.glob("*.deb"):
            run(["dpkg-deb", "-x", deb, target])
            package, version = run(
                ["dpkg-deb", "--showformat=${Package} ${Version}", "-W", deb]
            ).split()
            versions[package] = version
        return versions


def _mirror() -> str:
    """Debian's mirror that this computer's apt uses, if it is one; else the official one."""
    sites = run(["apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages"])
    found = [site for site in sites.splitlines() if site.rstrip("/").endswith("/debian")]
    return found[0] if found else _OFFICIAL

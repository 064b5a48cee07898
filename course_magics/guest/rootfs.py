"""Debian root file systems, made with mmdebstrap."""

from __future__ import annotations

import base64
import os
import re
import shlex
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from course_magics.errors import MachineError
from course_magics.guest.procs import Say, need, run

_APT = Path("/etc/apt")
# Debian 12 wants /bin, /lib and /sbin to be links into /usr. Made before the first package, they
# spare the package that would make them, and all of Perl with it.
_MERGED = r"""
for d in bin sbin lib lib64; do mkdir -p "$1/usr/$d"; [ -e "$1/$d" ] || ln -s "usr/$d" "$1/$d"; done
mkdir -p "$1/etc/apt/preferences.d"
printf 'Package: usrmerge\nPin: version *\nPin-Priority: -1\n' > "$1/etc/apt/preferences.d/merged"
"""
_MERGED_END = "rm -f /etc/apt/preferences.d/merged\n"


def apt_sources(suite: str, apt: Path = _APT, os_release: Path | None = None) -> list[str]:
    """One-line apt sources for `suite`: the host's own when it runs that very Debian, else none.

    With none, mmdebstrap takes Debian's official mirror. Only Debian's own archives are taken,
    not those of third parties.
    """
    release = os_release or Path("/etc/os-release")
    text = release.read_text(encoding="utf-8") if release.is_file() else ""
    fields = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    if fields.get("ID") != "debian" or fields.get("VERSION_CODENAME", "").strip('"') != suite:
        return []
    found: list[str] = []
    for path in [apt / "sources.list", *sorted((apt / "sources.list.d").glob("*"))]:
        if not path.is_file():
            continue
        content = path.read_text(encoding="utf-8", errors="replace")
        if path.suffix == ".sources":
            entries = _deb822(content)
        elif path.suffix == ".list":
            entries = _one_line(content)
        else:
            continue
        for uri, name in entries:
            line = f"deb {uri} {name} main"
            if _is_debian(uri, name, suite) and line not in found:
                found.append(line)
    # Updates alone do not make a system.
    return found if any(f" {suite} main" in line for line in found) else []


def _is_debian(uri: str, name: str, suite: str) -> bool:
    folder = urlsplit(uri).path.rstrip("/").rsplit("/", 1)[-1]
    wanted = {suite, f"{suite}-updates", f"{suite}-security"}
    return name in wanted and folder in ("debian", "debian-security")


def _one_line(text: str) -> Iterable[tuple[str, str]]:
    for line in text.splitlines():
        match = re.match(r"\s*deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s+([^#]*)", line)
        if match and "main" in match[3].split():
            yield match[1], match[2]


def _deb822(text: str) -> Iterable[tuple[str, str]]:
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for stanza in re.split(r"\n\s*\n", "\n".join(lines)):
        joined = re.sub(r"\n[ \t]+", " ", stanza)
        fields = {
            key.strip().lower(): value.split()
            for key, colon, value in (line.partition(":") for line in joined.splitlines())
            if colon
        }
        if "deb" not in fields.get("types", []) or "main" not in fields.get("components", []):
            continue
        if fields.get("enabled", ["yes"])[0].lower() == "no":
            continue
        for uri in fields.get("uris", []):
            for suite in fields.get("suites", []):
                yield uri, suite


def apt_options() -> list[str]:
    """Options of the host's apt that concern its mirror, e.g. that its index may be an old one."""
    options = []
    for name in ("Check-Valid-Until", "Check-Date"):
        done = subprocess.run(
            ["apt-config", "shell", "x", f"Acquire::{name}"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if "false" in done.stdout:
            options.append(f'Acquire::{name} "false"')
    return options


def debootstrap(
    target: Path,
    *,
    suite: str,
    packages: Sequence[str],
    say: Say,
    epoch: int,
    files: Mapping[str, tuple[int, str]] | None = None,
    setup: str = "",
    excluded: Sequence[str] = (),
    included: Sequence[str] = (),
    variant: str = "minbase",
) -> None:
    """Make a root file system of Debian `suite` and write it to `target` as a tar.

    packages: beside the minimal base. files: path -> (mode, text), written at the end.
    setup: shell text run in the new system after that. excluded, included: patterns of paths that
    dpkg leaves out, and exceptions. epoch: no file is younger (seconds since 1970).
    variant: mmdebstrap's; "apt" has still fewer packages than "minbase".
    Works as root and without (mmdebstrap then uses user namespaces or fakechroot).
    MachineError where it fails, or where mmdebstrap or what it needs without root is missing.
    """
    _check_tools()
    with tempfile.TemporaryDirectory(prefix="course-rootfs-") as folder:
        tree = Path(folder) / "files"
        tree.mkdir()
        # mmdebstrap's own sub-uids must be able to read it.
        Path(folder).chmod(0o755)
        for name, (mode, text) in (files or {}).items():
            path = tree / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            path.chmod(mode | 0o444)
        script = Path(folder) / "setup.sh"
        modes = "".join(
            f"chmod {mode:o} {shlex.quote('/' + name)}\n"
            for name, (mode, _) in (files or {}).items()
        )
        script.write_text(modes + _MERGED_END + setup, encoding="utf-8")
        script.chmod(0o644)
        command = ["mmdebstrap", f"--variant={variant}", "--format=tar"]
        command += [f"--include={','.join(packages)}"] if packages else []
        command += [f"--dpkgopt=path-exclude={pattern}" for pattern in excluded]
        command += [f"--dpkgopt=path-include={pattern}" for pattern in included]
        command += [f"--aptopt={option}" for option in apt_options()]
        copied = f'tar -C {shlex.quote(str(tree))} --owner=0 --group=0 -cf - . | tar -C "$1" -xf -'
        command += [
            f"--setup-hook={_MERGED}",
            f"--customize-hook={copied} --no-overwrite-dir",
            f'--customize-hook=chroot "$1" sh -e < {shlex.quote(str(script))}',
            suite,
            str(target),
            *apt_sources(suite),
        ]
        run(command, say=_quieter(say), env={"SOURCE_DATE_EPOCH": str(epoch), "TMPDIR": _tmp()})


def _check_tools() -> None:
    """Without root mmdebstrap says late and in many words what it lacks; say it at once."""
    need("mmdebstrap")
    found = shutil.which("newuidmap") or shutil.which("fakechroot")
    if os.geteuid() != 0 and not found:
        raise MachineError(
            "Without root, mmdebstrap needs fakechroot or user namespaces.",
            hint="sudo apt-get install fakechroot fakeroot",
        )


def extract_file(*, suite: str, package: str, name: str, say: Say) -> bytes:
    """Content of the file `name` (a path without leading slash) of one Debian package.

    Installs nothing. It comes as text in mmdebstrap's output: of all ways out of its user
    namespace or fakechroot this is the one that needs no program inside and no shared folder.
    """
    _check_tools()
    mark = "course-file:"
    command = [
        "mmdebstrap", "--variant=extract", "--format=null", f"--include={package}",
        *(f"--aptopt={option}" for option in apt_options()),
        f'--extract-hook=printf {mark}; base64 -w0 "$1"/{shlex.quote(name)}; echo',
        suite, "/dev/null", *apt_sources(suite),
    ]  # fmt: skip
    output = run(command, say=_quieter(say), env={"TMPDIR": _tmp()})
    for line in output.splitlines():
        if line.startswith(mark):
            return base64.b64decode(line.removeprefix(mark))
    raise MachineError(f"Debian's package {package} has no /{name}.")


def _tmp() -> str:
    return os.environ.get("TMPDIR", "/tmp")


_NOISE = ("I: running --", "I: using ", "I: removing ", "I: chroot arch", "I: finding ", "I: done")


def _quieter(say: Say) -> Say:
    """Of mmdebstrap's lines only what it is doing."""

    def line(text: str) -> None:
        if text.startswith(("I: ", "E: ", "W: ")) and not text.startswith(_NOISE):
            say("  " + text[3:])

    return line


def is_whole(tar: Path) -> bool:
    """Whether a tar file that we wrote is there, up to its end.

    Only the members' heads are read: 0.1 s for a Debian.
    """
    try:
        with tar.open("rb") as file:
            file.seek(-2 * tarfile.BLOCKSIZE, os.SEEK_END)
            if any(file.read()):
                return False
        with tarfile.open(tar, "r:") as archive:
            return all(member.name for member in archive)
    except (OSError, tarfile.TarError):
        return False

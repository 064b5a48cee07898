"""What is sent to the builder: the cell's Dockerfile, and a folder only when one is named."""

from __future__ import annotations

import io
import tarfile
import tempfile
from pathlib import Path
from typing import IO

from course_magics.containers.mounts import host_path
from course_magics.errors import OptionError
from course_magics.units import show_bytes

#: The Dockerfile's name in the context. .dockerignore names it, so that COPY never takes it along.
DOCKERFILE = ".course-magics.Dockerfile"
#: A context larger than this (bytes) is worth a warning.
LARGE = 100 * 1024 * 1024


def folder(name: str) -> Path:
    """The context as a folder. Raises OptionError when it is none."""
    path = Path(host_path(name))
    if not path.is_dir():
        what = "is no folder" if path.exists() else "does not exist"
        raise OptionError(f"context: {name} {what}", hint="name the folder that COPY reads from")
    return path


def dockerfile(context: str, file: str | None) -> tuple[str, str]:
    """The Dockerfile's path and text: `file`, else the one in the folder `context`.

    Raises OptionError.
    """
    here = folder(context)
    path = Path(host_path(file)) if file else here / "Dockerfile"
    if not file and not path.exists() and (here / "dockerfile").exists():
        path = here / "dockerfile"
    try:
        return str(path), path.read_text("utf-8").lstrip("\ufeff")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise OptionError(
            f"cannot read the Dockerfile {file or path}: {reason}",
            hint=None if file else "-f FILE names one that is called otherwise",
        ) from None


def pack(dockerfile: str, context: Path | None) -> tuple[IO[bytes], str | None]:
    """The context as a tar file, and a warning when it is large.

    Without `context` it holds the Dockerfile alone. `.dockerignore` is honoured.
    """
    spool: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=1_000_000)  # noqa: SIM115
    ignored = ""
    with tarfile.open(fileobj=spool, mode="w") as tar:
        if context is not None:
            ignored = _ignore_text(context)
            for name in sorted(files(context, ignored)):
                if name not in (DOCKERFILE, ".dockerignore"):
                    _add(tar, context, name)
        own = f"{ignored}\n{DOCKERFILE}\n" + ("" if ignored else ".dockerignore\n")
        _text(tar, ".dockerignore", own)
        _text(tar, DOCKERFILE, dockerfile)
    size = spool.tell()
    spool.seek(0)
    warning = None
    if size > LARGE:
        warning = (
            f"the context {context} is {show_bytes(size)} large; "
            "name what is not needed in its .dockerignore"
        )
    return spool, warning


def files(context: Path, ignored: str) -> set[str]:
    """The paths below `context` that .dockerignore's text lets through (docker's own rules)."""
    from docker.utils.build import exclude_paths

    patterns = [line.strip() for line in ignored.splitlines()]
    patterns = [p for p in patterns if p and not p.startswith("#")]
    return {str(p) for p in exclude_paths(str(context), patterns, dockerfile=DOCKERFILE)}


def size_of(context: Path) -> int:
    """How many bytes of `context` would be sent."""
    names = files(context, _ignore_text(context))
    return sum((context / n).lstat().st_size for n in names if (context / n).is_file())


def _ignore_text(context: Path) -> str:
    try:
        return (context / ".dockerignore").read_text("utf-8").lstrip("\ufeff")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise OptionError(f"--context: cannot read .dockerignore: {error}") from None


def _add(tar: tarfile.TarFile, context: Path, name: str) -> None:
    try:
        info = tar.gettarinfo(context / name, name)
        if info is None:
            return  # a socket: docker leaves those out too
        # As docker does: owner root, so that the cache does not depend on who builds.
        info.uid = info.gid = 0
        info.uname = info.gname = ""
        if info.isreg():
            with (context / name).open("rb") as file:
                tar.addfile(info, file)
        else:
            tar.addfile(info)
    except OSError as error:
        raise OptionError(
            f"--context: cannot read {name}: {error.strerror}", hint="or name it in .dockerignore"
        ) from None


def _text(tar: tarfile.TarFile, name: str, text: str) -> None:
    data = text.encode()
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))

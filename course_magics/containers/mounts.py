"""`-v`, `--mount` and `--tmpfs`: what of this computer or of the engine a container sees."""

from __future__ import annotations

import csv
import os
import re
from pathlib import Path
from typing import Any

from course_magics.errors import OptionError, closest
from course_magics.units import read_bytes


def host_path(text: str) -> str:
    """A path of this computer as a shell would read it: `~`, `$PWD`, `$(pwd)`, `./` work."""
    if "\0" in text:
        raise OptionError(f"a path cannot hold a null character: {text!r}")
    text = text.replace("$(pwd)", str(Path.cwd())).replace("`pwd`", str(Path.cwd()))
    text = os.path.expandvars(text.replace("$PWD", str(Path.cwd())))
    return str(Path(os.path.abspath(Path(text).expanduser())))  # noqa: PTH100 - keeps symlinks


def _is_path(source: str) -> bool:
    return source.startswith(("/", ".", "~", "$", "`")) or bool(re.match(r"[A-Za-z]:[\\/]", source))


def bind(item: str) -> str:
    """`-v SOURCE:TARGET[:MODE]`: a path of this computer, or a volume's name."""
    drive = re.match(r"[A-Za-z]:[\\/]", item)
    head = item[:2] if drive else ""
    parts = item[len(head) :].split(":")
    parts[0] = head + parts[0]
    if len(parts) not in (2, 3) or not all(parts) or not parts[1].startswith(("/", "C:", "c:")):
        raise OptionError(
            f"-v takes SOURCE:/PATH/IN/CONTAINER[:ro], not {item!r}",
            hint="the path in the container begins with /",
        )
    if _is_path(parts[0]):
        parts[0] = host_path(parts[0])
    elif not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]+", parts[0]):
        raise OptionError(
            f"-v: {parts[0]!r} is no volume name (letters, digits, _ . -)",
            hint=f"for a folder of this computer write ./{parts[0]}",
        )
    return ":".join(parts)


def anonymous(target: str) -> str:
    """`-v /PATH`: a volume without a name."""
    if not target.startswith("/"):
        raise OptionError(f"-v takes SOURCE:/PATH/IN/CONTAINER[:ro], not {target!r}")
    return target


#: Key of `--mount` → where the engine wants it, and what kind of value it is.
_KEYS = {
    "type": ("Type", "text"),
    "source": ("Source", "text"),
    "src": ("Source", "text"),
    "target": ("Target", "text"),
    "dst": ("Target", "text"),
    "destination": ("Target", "text"),
    "readonly": ("ReadOnly", "switch"),
    "ro": ("ReadOnly", "switch"),
    "bind-propagation": ("BindOptions.Propagation", "text"),
    "bind-nonrecursive": ("BindOptions.NonRecursive", "switch"),
    "volume-nocopy": ("VolumeOptions.NoCopy", "switch"),
    "volume-driver": ("VolumeOptions.DriverConfig.Name", "text"),
    "volume-opt": ("VolumeOptions.DriverConfig.Options", "pair"),
    "volume-label": ("VolumeOptions.Labels", "pair"),
    "tmpfs-size": ("TmpfsOptions.SizeBytes", "size"),
    "tmpfs-mode": ("TmpfsOptions.Mode", "mode"),
}


def mount(item: str) -> dict[str, Any]:
    """`--mount type=bind,source=…,target=…[,readonly]`. Raises OptionError."""
    made: dict[str, Any] = {"Type": "volume"}
    for part in next(csv.reader([item]), []):
        key, equals, value = part.strip().partition("=")
        key = key.lower()
        if key not in _KEYS:
            near = closest(key, _KEYS)
            allowed = f"did you mean {near}?" if near else f"allowed: {', '.join(_KEYS)}"
            raise OptionError(f"--mount: unknown key {key!r}", hint=allowed)
        path, kind = _KEYS[key]
        try:
            parsed = _value(kind, value if equals else None)
        except ValueError as error:
            raise OptionError(f"--mount: {key} takes {error}, not {value!r}") from None
        *groups, name = path.split(".")
        inner = made
        for group in groups:
            inner = inner.setdefault(group, {})
        if kind == "pair":
            inner.setdefault(name, {}).update(parsed)
        else:
            inner[name] = parsed
    if made["Type"] not in ("bind", "volume", "tmpfs", "npipe", "cluster"):
        raise OptionError(f"--mount: type is bind, volume or tmpfs, not {made['Type']!r}")
    if "Target" not in made:
        raise OptionError("--mount: target is missing", hint="add target=/path/in/the/container")
    if made["Type"] == "bind":
        if "Source" not in made:
            raise OptionError("--mount: a bind needs source=/path/on/this/computer")
        made["Source"] = host_path(made["Source"])
    return made


def _value(kind: str, text: str | None) -> Any:
    """The value of a key of `--mount`; None: the key stood alone. ValueError says what it takes."""
    if kind == "switch":
        if text is None or text.lower() in ("true", "1"):
            return True
        if text.lower() in ("false", "0"):
            return False
        raise ValueError("true or false")
    if not text:
        raise ValueError("a value")
    if kind == "size":
        return read_bytes(text)
    if kind == "mode":
        try:
            return int(text, 8)
        except ValueError:
            raise ValueError("an octal number such as 1770") from None
    if kind == "pair":
        name, _, value = text.partition("=")
        return {name: value}
    return text


def tmpfs(item: str) -> tuple[str, str]:
    path, _, how = item.partition(":")
    if not path.startswith("/"):
        raise OptionError(f"--tmpfs takes /PATH[:OPTIONS], not {item!r}")
    return path, how

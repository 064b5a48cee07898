"""`-p`, `--publish` and `--expose`: ports as docker writes them, and as the engine takes them."""

from __future__ import annotations

import ipaddress
import re

from course_magics.errors import OptionError

_FORM = "[IP:][HOST:]CONTAINER[/tcp|udp|sctp], such as 8080:80"


def published(items: list[str]) -> dict[str, list[dict[str, str]]]:
    """`-p [IP:][HOST:]CONTAINER[/PROTOCOL]`, each port also a range. Raises OptionError."""
    found: dict[str, list[dict[str, str]]] = {}
    for item in items:
        match = re.fullmatch(
            r"(?:(?P<ip>[\d.]+|\[[\da-fA-F:.]+\]):(?=.*:))?(?:(?P<host>[\d-]*):)?"
            r"(?P<inside>[\d-]+)(?P<protocol>/\w+)?",
            item,
        )
        if not match:
            raise OptionError(f"-p takes {_FORM}, not {item!r}")
        ip = _address(match["ip"], item)
        inside = _range(match["inside"], item)
        outside = [str(n) for n in _range(match["host"], item)] if match["host"] else []
        if len(inside) == 1 and len(outside) > 1:  # one of these, whichever is free
            outside = [match["host"]]
        if outside and len(outside) != len(inside):
            raise OptionError(f"-p: the two ranges of {item!r} are not equally long")
        protocol = _protocol(match["protocol"], item)
        for port, host in zip(inside, outside or [""] * len(inside), strict=True):
            binding = {"HostIp": ip, "HostPort": host}
            found.setdefault(f"{port}/{protocol}", []).append(binding)
    return found


def exposed(items: list[str]) -> list[str]:
    """`--expose PORT[-PORT][/PROTOCOL]`. Raises OptionError."""
    found = []
    for item in items:
        match = re.fullmatch(r"([\d-]+)(/\w+)?", item)
        if not match:
            raise OptionError(f"--expose takes a port such as 80 or 53/udp, not {item!r}")
        protocol = _protocol(match[2], item)
        found += [f"{port}/{protocol}" for port in _range(match[1], item)]
    return found


def _range(text: str, item: str) -> range:
    match = re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?", text)
    if not match or int(match[2] or match[1]) > 65535:
        raise OptionError(f"ports go up to 65535, and a range is FIRST-LAST: {item!r}")
    first, last = int(match[1]), int(match[2] or match[1])
    if last < first:
        raise OptionError(f"the range of ports ends before it begins: {item!r}")
    return range(first, last + 1)


def _address(text: str | None, item: str) -> str:
    if text is None:
        return ""
    try:
        return str(ipaddress.ip_address(text.strip("[]")))
    except ValueError:
        raise OptionError(f"-p: {text} is no IP address: {item!r}") from None


def _protocol(text: str | None, item: str) -> str:
    protocol = (text or "/tcp").lower().removeprefix("/")
    if protocol not in ("tcp", "udp", "sctp"):
        raise OptionError(f"a port's protocol is tcp, udp or sctp: {item!r}")
    return protocol

"""Where a browser finds what a container publishes."""

from __future__ import annotations

import importlib.util
import os
from typing import Any

#: Said beside a link through the notebook's server.
SAME_SITE = "same site as this notebook: what opens there can act as you, in the notebook, too"


def url(details: dict[str, Any], computer: str = "localhost") -> str:
    """Where programs of this computer reach a container's first published TCP port; "" without.

    A browser may have to take another way: `links`.
    """
    ports = _ports(details)
    return _plain(ports[0], computer) if ports else ""


def links(details: dict[str, Any], computer: str = "localhost") -> list[str]:
    """The addresses of a container's published TCP ports, from what `docker inspect` says.

    computer: the one that the engine runs on. Where that is this one, and the notebook is served
    by a hub, or jupyter-server-proxy is installed, the browser is maybe not on this computer, and
    the address leads through the notebook's server, unless $COURSE_PORTS_URL says where else a
    port is found: "https://{port}.ports.example.org/".
    """
    return [_address(port, computer) for port in _ports(details)]


def note(url: str) -> str:
    """What a reader must know before opening one of `links`; "" where that is nothing.

    A page that the notebook's server passes on is of the same origin as the notebook: its scripts
    may do there what the reader may do, and it gets the reader's cookies.
    """
    return "" if "://" in url else SAME_SITE


def _ports(details: dict[str, Any]) -> list[int]:
    found = set()
    for port, bindings in (details.get("NetworkSettings", {}).get("Ports") or {}).items():
        if port.endswith("/tcp"):
            found |= {int(b["HostPort"]) for b in bindings or () if b.get("HostPort")}
    return sorted(found)


def _address(port: int, computer: str) -> str:
    if computer != "localhost":
        return _plain(port, computer)
    hub = os.environ.get("JUPYTERHUB_SERVICE_PREFIX", "")
    if elsewhere := os.environ.get("COURSE_PORTS_URL", ""):
        return elsewhere.replace("{port}", str(port))
    if hub or importlib.util.find_spec("jupyter_server_proxy") is not None:
        return f"{hub or '/'}proxy/{port}/"
    return _plain(port, computer)


def _plain(port: int, computer: str) -> str:
    return f"http://{f'[{computer}]' if ':' in computer else computer}:{port}/"

"""What to do next about the engine's refusals, where that is known."""

from __future__ import annotations

#: Pieces of the engine's words (any of them, in lower case), and what to do about it. The first
#: that fits counts.
_ADVICE: tuple[tuple[tuple[str, ...], str], ...] = (
    (
        ("no such image", "not found: manifest"),
        "%container images lists the images that are here; %container pull NAME fetches one",
    ),
    (("no such container",), "%container ps -a lists the containers"),
    (
        ("is already in use by container", "that name is already in use"),
        "choose another --name, or remove the old one: %container rm -f NAME",
    ),
    (
        ("no space left on device",),
        "%engine clean removes what this course has made; %engine shows how full it is",
    ),
    (
        ("port is already allocated", "address already in use"),
        "choose another port before the colon: -p OTHER:80",
    ),
    (
        ("volume is in use", "volume is being used"),
        "%container ps -a --filter volume=NAME lists who uses it",
    ),
    (
        ("has active endpoints", "network is being used"),
        "take its containers off first: %container network disconnect NETWORK CONTAINER",
    ),
    (
        ("pool overlaps", "conflicts with network", "already used on the host"),
        "another network has these addresses: choose another --subnet",
    ),
    (
        ("network with name", "network already exists"),
        "%container network ls lists the networks; %container network rm NAME removes one",
    ),
    (
        ("no basic auth credentials", "authentication required"),
        "log in first: %container login REGISTRY -u USER",
    ),
    (
        ("connection refused", "no such host"),
        "no registry answers there; the class's own:\n"
        "course-magics registry start starts it, course-magics registry status tells how it is",
    ),
    (
        ("operation is unsupported",),
        "this registry is a mirror, which takes no pushes: push to another one",
    ),
    (
        ("gave http response to https client",),
        "only registries on 127.0.0.1 may speak plain HTTP; any other needs a certificate,\n"
        'or the engine\'s consent: "insecure-registries" in its daemon.json',
    ),
)


def what_next(words: str) -> str | None:
    """What to do about the engine's refusal `words`; None where that is not known.

    REGISTRY in it stands for the registry that refused.
    """
    low = words.lower()
    for pieces, advice in _ADVICE:
        if any(piece in low for piece in pieces):
            return advice
    return None

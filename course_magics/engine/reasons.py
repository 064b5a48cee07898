"""Why an engine cannot be reached, in the reader's words: what was wrong, and what to type."""

from __future__ import annotations

import ssl
import sys
from http.client import IncompleteRead

from course_magics.engine.find import Place
from course_magics.errors import EngineError


def unreachable(place: Place, error: BaseException) -> EngineError:
    """The error for an engine that somebody has named and that cannot be reached."""
    chain = list(_chain(error))
    words = " ".join(str(e) for e in chain).lower()
    for sign, message, hint in _signs(place):
        if sign in words:
            return EngineError(message, detail=reason(error), hint=hint)
    return EngineError(
        f"the Docker engine does not answer at {place.url} ({place.how})",
        detail=reason(error),
        hint=how_to_start(place.url),
    )


def _signs(place: Place) -> list[tuple[str, str, str]]:
    """What may stand in a library's words, what that means, and what to do."""
    folder = place.tls.folder if place.tls is not None else None
    ca = f"{folder}/ca.pem" if folder else "ca.pem"
    return [
        (
            "hostname mismatch",
            f"the certificate at {place.url} is made for another name",
            "type the name that it is made for, or make it anew with this one "
            "(subjectAltName=DNS:… or IP:…)",
        ),
        (
            "ip address mismatch",
            f"the certificate at {place.url} is made for another address",
            "type the name that it is made for, or make it anew with this address "
            "(subjectAltName=IP:…)",
        ),
        (
            "certificate has expired",
            f"the certificate at {place.url} has expired",
            "make it anew and restart that engine",
        ),
        (
            "certificate verify failed",
            f"the certificate at {place.url} is not signed by the ca.pem that we trust",
            f"copy the ca.pem that signed it to {ca}",
        ),
        (
            "alert",
            f"the engine at {place.url} does not accept our certificate",
            f"it wants a cert.pem and key.pem that its own ca.pem has signed, in {folder}",
        ),
        (
            "key values mismatch",
            "cert.pem and key.pem do not belong together",
            f"both must be of one pair, in {folder}",
        ),
        (
            "wrong version number",
            f"the engine at {place.url} does not speak TLS",
            "unset DOCKER_TLS_VERIFY, or start that engine with --tlsverify",
        ),
        (
            "record layer failure",
            f"the engine at {place.url} does not speak TLS",
            "unset DOCKER_TLS_VERIFY, or start that engine with --tlsverify",
        ),
        (
            "http request to an https server",
            f"the engine at {place.url} speaks TLS only",
            "set DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH (a folder with ca.pem, cert.pem, "
            "key.pem), or make a context:\n%container context create NAME --docker "
            f"host={place.url},ca=ca.pem,cert=cert.pem,key=key.pem",
        ),
        (
            "permission denied",
            f"permission denied at {place.url} ({place.how})",
            "sudo usermod -aG docker $USER, then log in anew",
        ),
        (
            "name or service not known",
            f"there is no computer of that name: {place.url}",
            "look for a slip in the name",
        ),
        (
            "timed out",
            f"the Docker engine at {place.url} accepts connections and does not answer "
            f"({place.how})"
            if place.url.startswith(("unix", "npipe"))
            else f"the Docker engine at {place.url} does not answer in time ({place.how})",
            "it hangs, or is very busy: try again, restart it, or use another one: %engine ls",
        ),
    ]


def reason(error: BaseException) -> str:
    """The innermost plain cause of a library's nested exception, in a few words."""
    *_, inner = _chain(error)
    if isinstance(inner, ssl.SSLError):
        return str(inner.reason or inner).replace("_", " ").lower()
    if isinstance(inner, IncompleteRead) or "invalid literal for int()" in str(inner):
        return "its answer ended in the middle"  # the second: no length of a further piece
    if isinstance(inner, OSError) and inner.strerror:
        return inner.strerror
    return str(inner).splitlines()[0] if str(inner) else type(inner).__name__


def _chain(error: BaseException) -> list[BaseException]:
    found = [error]
    while True:
        following = found[-1].__cause__ or found[-1].__context__
        if following is None or following in found:
            return found
        found.append(following)


def how_to_start(url: str = "") -> str:
    """What to type so that there is an engine."""
    if url.startswith(("tcp://", "http", "ssh://")):
        start = "is that computer on, and does its engine run?"
    else:
        start = {
            "darwin": "open Docker Desktop (or: colima start)",
            "win32": "open Docker Desktop",
        }.get(sys.platform, "start it: sudo systemctl start docker (in this project: make setup)")
    return f"{start}\n%doctor looks at every part and says what to fix"

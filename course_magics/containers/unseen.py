"""Values for a program, by its environment: its command line can be read by all accounts (`ps`).

`-e NAME` and `--build-arg NAME` take the value of NAME from there. The program itself sees the
variable, too, so what it or its helpers would go by stays on the command line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
#: What docker, compose, buildx and what these start read; some of it in lower case, too.
_READ = re.compile(
    r"(?:DOCKER|COMPOSE|BUILDX|BUILDKIT|BUILDCTL|MOBY|EXPERIMENTAL|OTEL|GRPC|XDG|LC|SSH|SSL|GIT|GPG"
    r"|PASSWORD_STORE|LD|DYLD|MALLOC|GLIBC|BASH|COURSE)_.*"
    r"|(?:PYTHON|PROGRAM|COMMONPROGRAM|SYSTEM)[A-Z]+|(?:HTTP|HTTPS|FTP|NO|ALL|SOCKS)_PROXY"
    r"|NO_COLOR|CLICOLOR(?:_FORCE)?|FORCE_COLOR|COLORTERM"
    r"|GODEBUG|GOGC|GOMAXPROCS|GOMEMLIMIT|GOTRACEBACK|GNUPGHOME|SOURCE_DATE_EPOCH"
    r"|PATH|PATHEXT|HOME|HOMEDRIVE|HOMEPATH|USER|USERNAME|LOGNAME|SHELL|COMSPEC|PWD|OLDPWD|TERM|TZ"
    r"|ZONEINFO|LANG|LANGUAGE|TMPDIR|TMP|TEMP|HOSTNAME|COLUMNS|LINES|DEBUG|CI|IFS|ENV"
    r"|(?:LOCAL)?APPDATA|USERPROFILE|ALLUSERSPROFILE|WINDIR",
    re.IGNORECASE,
)
#: How a compose file goes by a variable: `$NAME`, a secret's `environment: NAME`, or a name alone,
#: in a line (`- NAME`, `NAME:`) or in brackets.
_USES = (
    r"\$\{{?{}\b",
    r"\benvironment[ \t]*:[ \t]*[\"']?{}\b",
    r"^[ \t]*(-[ \t]*)?[\"']?{}[\"']?[ \t]*:?[ \t]*(#.*)?$",
    r"[\[{{,]\s*[\"']?{}[\"']?\s*:?\s*[\]}},]",
)


def is_used(variable: str, text: str) -> bool:
    """Whether a compose file, or one with variables (.env), goes by this variable."""
    text = text.replace("$$", "")  # a dollar for the container's own shell
    return any(re.search(use.format(variable), text, re.MULTILINE) for use in _USES)


def environment(
    values: Iterable[str], *, seen: Callable[[str], bool] = lambda name: False
) -> dict[str, str]:
    """Those of `values` (NAME=VALUE) that the environment can bring: name → value.

    seen: whether the program goes by the variable of this name, whose value then stays in sight.
    """
    pairs = [value.partition("=") for value in values]
    # A bare NAME means what our own environment has.
    bare = {name for name, equals, _ in pairs if not equals}
    return {
        str(name): str(value)
        for name, equals, value in pairs
        if equals and name not in bare and _NAME.fullmatch(name)
        and not _READ.fullmatch(name) and not seen(name)
    }  # fmt: skip


def without(value: str, environment: Mapping[str, str]) -> str:
    """NAME=VALUE as NAME where the environment brings the value."""
    name = value.partition("=")[0]
    return str(name) if name in environment else value

"""Gather the findings of every source that is present, each thing once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from course_magics.containers.build.instructions import Instruction, read
from course_magics.containers.lint import buildkit, hadolint, rules
from course_magics.containers.lint.finding import Finding, Lint
from course_magics.errors import CheckError, Interrupted, OptionError

SOURCES = ("course", "hadolint", "buildkit")


def own(dockerfile: str, target: str | None = None) -> list[Finding]:
    """What our own rules find, without what the file itself says to leave out. Quick."""
    steps = read(dockerfile)
    return _kept(rules.check(steps, target), dockerfile, steps)


def lint(
    dockerfile: str,
    line: str,
    *,
    target: str | None = None,
    context: str | None = None,
    build_args: Sequence[str] = (),
    sources: Sequence[str] = (),
    strict: bool = False,
) -> Lint:
    """Check `dockerfile` (its text) and build nothing.

    sources: ask only these of course, hadolint, buildkit; those that are absent are left out.
    strict: warnings fail, too (so does `# check=error=true`). Raises CheckError with `.result`
    where something fails, OptionError, Interrupted.
    """
    steps = read(dockerfile)
    if not steps:
        raise OptionError("there is no Dockerfile to check", hint="begin with FROM")
    for source in sources:
        if source not in SOURCES:
            raise OptionError(f"--source takes {', '.join(SOURCES)}, not {source!r}")
    asked = sources or SOURCES
    found: list[Finding] = rules.check(steps, target) if "course" in asked else []
    used = ["course"] if "course" in asked else []
    try:
        if "hadolint" in asked and (theirs := hadolint.check(dockerfile)) is not None:
            used.append("hadolint")
            found += [_placed(f, steps) for f in theirs]
        if "buildkit" in asked:
            theirs = buildkit.check(dockerfile, target, context, build_args)
            if theirs is not None:
                used.append("buildkit")
                found += theirs
    except KeyboardInterrupt:
        raise Interrupted("interrupted: the Dockerfile was not checked", command=line) from None
    result = Lint(dockerfile, _kept(_once(found), dockerfile, steps), used, line)
    strict = strict or _directive(dockerfile, "error") == "true"
    failing = [f for f in result.findings if f.level == "error" or (strict and f.level != "info")]
    if failing:
        count = f"{len(failing)} finding{'s' * (len(failing) != 1)}"
        error = CheckError(
            f"{count} in the Dockerfile, the first on line {failing[0].line}",
            command=line,
            detail="\n".join(b.text() for b in result.blocks()[:-1]),
            hint=failing[0].fix or None,
        )
        error.result = result
        raise error
    return result


def _once(found: Iterable[Finding]) -> list[Finding]:
    """The first to tell of a thing is heard; another parser's words on a known error are not."""
    kept: dict[tuple[int, str], Finding] = {}
    broken: set[int] = set()
    for finding in found:
        if finding.rule in ("DL1000", "BuildError") and finding.line in broken:
            continue
        kept.setdefault((finding.line, finding.rule), finding)
        if finding.level == "error":
            broken.add(finding.line)
    return list(kept.values())


def _placed(finding: Finding, steps: Sequence[Instruction]) -> Finding:
    """hadolint names the CMD that replaces, BuildKit and we the one that is replaced."""
    if finding.rule != "MultipleInstructionsDisallowed":
        return finding
    at = next((s for s in steps if s.line == finding.line), None)
    if at is None:
        return finding
    same = [s for s in steps if (s.stage, s.keyword) == (at.stage, at.keyword) and s.line < at.line]
    return replace(finding, line=same[-1].line) if same else finding


def _kept(found: Iterable[Finding], dockerfile: str, steps: Sequence[Instruction]) -> list[Finding]:
    """Without what `# check=skip=` and `# hadolint ignore=` name, whoever has found it."""
    skipped = {name.lower() for name in _directive(dockerfile, "skip").split(",")}
    lines = dockerfile.splitlines()
    ignored: dict[int, set[str]] = {}
    for step in steps:
        number = step.line - 1
        while number > 0 and lines[number - 1].lstrip().startswith("#"):
            number -= 1
            ignored.setdefault(step.line, set()).update(_ignored(lines[number], "hadolint ignore"))
    always = {n for text in lines for n in _ignored(text, "hadolint global ignore")}

    def names(finding: Finding) -> set[str]:
        return {finding.rule, *(c for c, rule in hadolint.SAME.items() if rule == finding.rule)}

    return [
        f
        for f in found
        if "all" not in skipped
        and f.rule.lower() not in skipped
        and not names(f) & (always | ignored.get(f.line, set()))
    ]


def _ignored(text: str, pragma: str) -> set[str]:
    match = re.match(rf"\s*#\s*{pragma}\s*=\s*([\w, ]+)", text)
    return {name.strip() for name in match[1].split(",")} if match else set()


def _directive(dockerfile: str, key: str) -> str:
    """A part of `# check=skip=A,B;error=true`, which stands before anything else."""
    for text in dockerfile.splitlines():
        match = re.match(r"#\s*(\w+)\s*=\s*(.*)", text)
        if not match:
            break
        if match[1].lower() == "check":
            for part in match[2].split(";"):
                name, _, value = part.strip().partition("=")
                if name == key:
                    return str(value).strip()
    return ""

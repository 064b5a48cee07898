"""Our rules: each finds what it is for, and leaves a good Dockerfile alone; the sources agree."""

import re

import pytest

from course_magics.containers.lint import buildkit, hadolint, lint, own
from course_magics.errors import CheckError, OptionError

GOOD = """\
# syntax=docker/dockerfile:1
ARG BASE=debian:12
FROM $BASE AS make
WORKDIR /src
COPY requirements.txt .
RUN apt-get update && apt-get install -y gcc && rm -rf /var/lib/apt/lists/*
RUN pip install -r requirements.txt
COPY . .
FROM debian:12
ADD https://example.org/a.tar.gz /a
COPY --from=make /src /src
ENV PUBLIC_KEY=x LANG=C
USER 1000
ENTRYPOINT ["/src/run"]
CMD ["a"]
"""


def found(text: str, target: str | None = None) -> list[tuple[int, str]]:
    return sorted((f.line, f.rule) for f in own(text, target))


def test_a_good_dockerfile() -> None:
    assert found(GOOD) == []


BASE = "FROM debian:12\n"


@pytest.mark.parametrize(
    ("text", "line", "rule"),
    [
        (BASE + "RUNN x", 2, "UnknownInstruction"),
        ("RUN x\n" + BASE, 1, "MissingFrom"),
        ("FROM debian", 1, "UntaggedBase"),
        ("FROM debian:latest", 1, "UntaggedBase"),
        ("ARG B=debian\nFROM ${B}", 2, "UntaggedBase"),
        ("FROM localhost:5000/debian", 1, "UntaggedBase"),
        ("ARG BASE=debian:12\nFROM $BAS", 2, "UndefinedArgInFrom"),
        (
            BASE + "RUN apt-get update && apt-get install gcc && rm -rf /var/lib/apt/lists/*",
            2,
            "AptGetWithoutYes",
        ),
        (BASE + "RUN apt-get update", 2, "AptGetUpdateAlone"),
        (BASE + "RUN apt-get install -y gcc", 2, "AptGetUpdateAlone"),
        (BASE + "RUN apt-get update \\\n && apt-get install -y gcc", 2, "AptListsKept"),
        (BASE + "RUN <<E\napt-get update\napt-get install -y gcc\nE", 2, "AptListsKept"),
        (BASE + "ADD a /a", 2, "AddInsteadOfCopy"),
        (BASE + "CMD echo a", 2, "JSONArgsRecommended"),
        (BASE + 'CMD ["a"]\nCMD ["b"]', 2, "MultipleInstructionsDisallowed"),
        (BASE + "ENV DB_PASSWORD=x", 2, "SecretsUsedInArgOrEnv"),
        (BASE + "ARG TOKEN", 2, "SecretsUsedInArgOrEnv"),
        (BASE + "USER 7\nUSER root", 3, "RootAtEnd"),
        (BASE + "RUN cd /a && make", 2, "CdInRun"),
        (BASE + "WORKDIR a", 2, "WorkdirRelativePath"),
        (BASE + "RUN sudo make", 2, "SudoInRun"),
        (BASE + "COPY . .\nRUN pip install -r r.txt", 2, "CopyBeforeInstall"),
        ("FROM debian:12 AS a\n" + BASE, 1, "UnusedStage"),
        ("FROM debian:12 AS make\nFROM make\nCOPY --from=mak /a /a", 3, "UndefinedStage"),
        (BASE + "COPY --from=3 /a /a", 2, "UndefinedStage"),
        ("FROM debian:12 AS a\nFROM a AS A", 2, "DuplicateStageName"),
        (BASE + "MAINTAINER me", 2, "MaintainerDeprecated"),
    ],
)
def test_each_rule(text: str, line: int, rule: str) -> None:
    assert found(text) == [(line, rule)]
    assert all(f.reason and f.fix for f in own(text))


def test_what_only_looks_like_a_fault() -> None:
    text = (
        BASE + "RUN echo 'cd sudo apt-get install'\nADD a.tar /\nRUN echo \"open\n"
        "RUN --mount=type=cache,target=/var/lib/apt apt-get update && apt-get install -yq gcc\n"
        'SHELL ["bash"]\nCMD echo\nENV MONKEY=1\nFROM course/busybox\nCOPY --from=0 /a /a\n'
    )
    assert found(text) == []
    assert found("FROM debian:12 AS a\n" + BASE, target="a") == []


def test_a_file_says_itself_what_to_leave_out() -> None:
    assert found("# check=skip=UntaggedBase,CdInRun\nFROM debian\nRUN cd /") == []
    assert found("# check=skip=all\nFROM debian\nRUN cd /") == []
    assert found("# hadolint ignore=DL3006\nFROM debian\nRUN cd /") == [(3, "CdInRun")]
    assert found("# hadolint global ignore=DL3003\nFROM debian:1\nRUN cd /") == []


def test_a_base_that_only_a_build_argument_names_is_not_judged() -> None:
    assert found("ARG X\nFROM $X\n") == []
    assert found("ARG X=debian\nFROM $X\n") == [(2, "UntaggedBase")]


def test_errors_fail_and_warnings_only_when_strict() -> None:
    text = "FROM debian\n"
    assert lint(text, "", sources=["course"]).worst() == "warning"
    for strict in (text, "# check=error=true\n" + text):
        with pytest.raises(CheckError, match="1 finding in the Dockerfile") as caught:
            lint(strict, "", sources=["course"], strict=strict == text)
        assert caught.value.result.worst() == "warning"  # type: ignore[attr-defined]
    with pytest.raises(CheckError, match="on line 2"):
        lint(text + "RUNN x", "", sources=["course"])


def test_no_dockerfile_and_no_such_source() -> None:
    with pytest.raises(OptionError, match="no Dockerfile"):
        lint("# nothing\n", "")
    with pytest.raises(OptionError, match="hadolin"):
        lint(BASE, "", sources=["hadolin"])


def test_the_finding_stands_under_its_line() -> None:
    told = lint('FROM <b>\nCMD ["x"]\n', "docker build --check .", sources=["course"])
    lines = str(told).split("\n")
    assert lines[0] == "  1  FROM <b>"
    assert lines[1].startswith("     ^ warning UntaggedBase: ")
    assert lines[3] == '  2  CMD ["x"]'
    assert lines[-2:] == ["1 warning (checked by course)", "$ docker build --check ."]
    assert "<b>" not in told._repr_mimebundle_()["text/html"]
    assert set(told.rows[0]) == {"line", "rule", "level", "reason", "fix", "source"}


BAD = (
    "FROM debian\nMAINTAINER me\nENV PASSWORD=x\nWORKDIR rel\nRUN apt-get update && cd /tmp\n"
    "CMD echo a\nCMD echo b\n"
)


@pytest.mark.skipif(hadolint.program() is None, reason="hadolint is not here: pip install .[lint]")
def test_the_same_from_hadolint_is_told_once() -> None:
    told = lint(BAD, "", sources=["course", "hadolint"])
    assert told.sources == ["course", "hadolint"]
    pairs = [(r["line"], r["rule"]) for r in told.rows]
    assert len(set(pairs)) == len(pairs)
    assert {r["source"] for r in told.rows} == {"course", "hadolint"}
    theirs = {r["rule"] for r in told.rows if r["source"] == "hadolint"}
    assert theirs == {"AptListsKept", "SC2164"}  # on lines where we find nothing of the kind
    alone = lint("FROM debian\n", "", sources=["hadolint"]).rows
    assert [(r["rule"], r["source"]) for r in alone] == [("UntaggedBase", "hadolint")]


#: What Docker 28.5 with buildx 0.29 answered (shortened): neither is in Debian 13.
ANSWER = {
    "warnings": [
        {
            "ruleName": "JSONArgsRecommended",
            "url": "https://docs.docker.com/go/dockerfile/rule/json-args-recommended/",
            "detail": "JSON arguments recommended for CMD to prevent unintended behavior",
            "location": {"ranges": [{"start": {"line": 6}, "end": {"line": 6}}]},
        }
    ],
    "buildError": {
        "message": "dockerfile parse error on line 1: unknown instruction: FROMM",
        "location": {"ranges": [{"start": {"line": 1}, "end": {"line": 1}}]},
    },
}


def test_buildkits_answer_as_recorded() -> None:
    told = [(f.line, f.rule, f.level) for f in buildkit.findings(ANSWER)]
    assert told == [(6, "JSONArgsRecommended", "warning"), (1, "BuildError", "error")]
    violation = {"warnings": None, "buildError": {"message": "lint violation found for rules: X"}}
    assert list(buildkit.findings(violation)) == []


def test_a_finding_stands_below_its_word_in_html_too() -> None:
    told = lint("FROM course/busybox\nMAINTAINER a@example.org\n", "", sources=["course"])
    html = told._repr_mimebundle_()["text/html"]
    assert re.search(r"<pre[^>]*> {5}\^ info MaintainerDeprecated", html)

"""Values of flags that must not stand on a program's command line, where all accounts read them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from course_magics.containers import unseen
from course_magics.containers.build import buildkit
from course_magics.containers.build.build import BuildOptions
from course_magics.containers.build.failure import Failure
from course_magics.containers.build.result import Build
from course_magics.containers.compose import program, project
from course_magics.magics.compose import MAGIC, make
from course_magics.magics.grammar import parse

PASSWORD = "hunter2-xyzzy"


@pytest.mark.parametrize("name", ["A", "PW", "_x1", "LDAP_PASSWORD", "GITHUB_TOKEN", "GOAL"])
def test_a_value_goes_by_the_environment(name: str) -> None:
    found = unseen.environment([f"{name}={PASSWORD}", "EMPTY=", "B=a=b"])
    assert found == {name: PASSWORD, "EMPTY": "", "B": "a=b"}
    assert unseen.without(f"{name}={PASSWORD}", found) == name


@pytest.mark.parametrize(
    "name",
    [
        *("PATH", "Path", "HOME", "DOCKER_HOST", "docker_host", "LD_PRELOAD", "DYLD_X", "http_proxy"),
        *("HTTPS_PROXY", "COMPOSE_FILE", "BUILDX_BUILDER", "BUILDKIT_HOST", "SSL_CERT_FILE", "TMPDIR"),
        *("SSH_AUTH_SOCK", "GODEBUG", "SOURCE_DATE_EPOCH", "SYSTEMROOT", "a-b", "1a", "", "ä"),
    ],
)  # fmt: skip
def test_what_would_change_the_program_itself_does_not(name: str) -> None:
    value = f"{name}={PASSWORD}"
    assert unseen.environment([value]) == {}
    assert unseen.without(value, {}) == value


def test_a_bare_name_means_our_own_environment() -> None:
    assert unseen.environment(["A", "A=1", "B=1", "B=2"]) == {"B": "2"}


@pytest.mark.parametrize(
    ("text", "used"),
    [
        ("image: x:${TAG:-1}", True),
        ("image: x:$TAG", True),
        ("environment:\n  - TAG\n", True),
        ("environment:\n  TAG:  # from outside\n", True),
        ("environment: [A, TAG]", True),
        ("environment: {TAG: , A: 1}", True),
        ("secrets: {a: {environment: TAG}}", True),
        ("OTHER=$TAG", True),
        ("command: echo $$$TAG", True),
        ("command: echo $$TAG", False),
        ("image: x:$TAGS", False),
        ("environment: {TAG: 1}", False),
        ("environment:\n  TAG: x\n  - TAG=x", False),
        ("image: TAG", False),
    ],
)
def test_a_compose_file_that_goes_by_a_variable(text: str, used: bool) -> None:
    assert unseen.is_used("TAG", text) is used


@pytest.fixture
def told(here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program `fake` that writes down its words and then its variables; the file for that."""
    file = here / "told"
    fake = here / "docker"
    fake.write_text(f'#!/bin/sh\necho "$*" > {file}\nenv >> {file}\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(here), prepend=":")
    monkeypatch.setenv("COURSE_STATE", str(here / "state"))
    monkeypatch.setattr(program, "find", lambda: fake)
    monkeypatch.setattr(program, "environment", dict)
    return file


@pytest.mark.parametrize(
    "flags",
    [
        ["-e", f"PW={PASSWORD}"],
        [f"-ePW={PASSWORD}"],
        [f"-e=PW={PASSWORD}"],
        ["--rm", "--env", f"PW={PASSWORD}", "-u", "me"],
        ["-Te", f"PW={PASSWORD}"],
        [f"--env=PW={PASSWORD}"],
    ],
)
def test_compose_run(
    told: Path, here: Path, flags: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = project.from_cell("services: {web: {image: $TAG}}", name="shop", folder=None)
    monkeypatch.setattr(make, "project", lambda call: wanted)
    monkeypatch.setattr(make.up, "check_mounts", lambda project: None)
    monkeypatch.setattr(make.up.stack, "listed", lambda *_, **__: [])
    monkeypatch.setattr(make.up, "publish", lambda project: None)
    rest = ["-e", "TAG=2", "-e", "HOME=/x", "web", "echo", "-e", "PW=mine"]
    call = parse(MAGIC, ["-p", "shop", "run", *flags, *rest])
    done = make._run(call)
    words, *variables = told.read_text().splitlines()
    assert PASSWORD not in words
    assert f"PW={PASSWORD}" in variables
    assert words.endswith("-e TAG=2 -e HOME=/x web echo -e PW=mine"), "the rest is as it was"
    assert PASSWORD in done.command, "the line to repeat it: it gets its names elsewhere"
    assert PASSWORD not in repr(wanted.with_environment([f"PW={PASSWORD}"]))


def test_compose_build(told: Path, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = project.from_cell("services: {web: {build: .}}", name="shop", folder=None)
    monkeypatch.setattr(make, "project", lambda call: wanted)
    make._build(parse(MAGIC, ["-p", "shop", "build", "web", "--build-arg", f"PW={PASSWORD}", "-q"]))
    words, *variables = told.read_text().splitlines()
    assert words.endswith("build web --build-arg PW -q")
    assert f"PW={PASSWORD}" in variables


def test_buildx(told: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buildkit, "plugin", lambda: told)
    monkeypatch.setattr(buildkit.engine, "current", lambda: SimpleNamespace(environment={}))
    given = [f"PW={PASSWORD}", "PATH=/x", "T=1", "AWS_KEY=2"]
    options = BuildOptions(build_arg=given, secret=["id=t,env=T"], cache_to=["type=s3,bucket=b"])
    api = SimpleNamespace(ping=lambda: None)
    with pytest.raises(Failure):
        buildkit.build(api, "FROM x", options, Build([], [], ""), lambda: None)
    words, *variables = told.read_text().splitlines()
    for shown in ("PW", "PATH=/x", "T=1", "AWS_KEY=2"):
        assert f"--build-arg {shown} " in words
    assert f"PW={PASSWORD}" in variables
    assert "T=1" not in variables

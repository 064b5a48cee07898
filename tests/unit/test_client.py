"""The SDK's client with what this package puts right. The answers are made up: Podman gives such a
one only when another program removes a container within the same few milliseconds."""

from __future__ import annotations

import json
from typing import Any

import docker
import pytest
import requests
from docker.errors import APIError

from course_magics.engine.client import client


def answer(status: int, body: Any, *, podman: bool = True) -> requests.Response:
    made = requests.Response()
    made.status_code = status
    made._content = json.dumps(body).encode()
    if podman:
        made.headers["Libpod-API-Version"] = "4.3.1"
    return made


GONE = {"message": "container df69 does not exist in database: no such container"}


def ask(monkeypatch: pytest.MonkeyPatch, answers: list[requests.Response]) -> Any:
    monkeypatch.setattr(docker.APIClient, "request", lambda *_, **__: answers.pop(0))
    return client(base_url="http://127.0.0.1:1", version="1.41")


def test_podman_is_asked_again_where_it_stumbled(monkeypatch: pytest.MonkeyPatch) -> None:
    again = [answer(500, GONE), answer(500, GONE), answer(200, [])]
    assert ask(monkeypatch, again).networks() == []
    assert again == []


@pytest.mark.parametrize(
    "refusal",
    [
        answer(500, GONE, podman=False),
        answer(500, {"message": "no room left on device"}),
    ],
)
def test_other_refusals_are_told_at_once(
    monkeypatch: pytest.MonkeyPatch, refusal: requests.Response
) -> None:
    with pytest.raises(APIError):
        ask(monkeypatch, [refusal]).networks()


def test_what_is_asked_of_one_thing_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(APIError, match="no such container"):
        ask(monkeypatch, [answer(404, GONE)]).inspect_container("df69")

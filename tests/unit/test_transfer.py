"""A push's or a pull's steps, as the engine tells them, and as the live view shows them."""

import pickle
from types import SimpleNamespace

import pytest

from course_magics import engine
from course_magics.containers.login import Secret, advice, registry_of
from course_magics.containers.transfer import Progress
from course_magics.errors import OptionError
from course_magics.widgets.transfer import render


def test_layers_and_digests() -> None:
    progress = Progress("pushing <x>")
    for event in (
        {"status": "The push refers to repository [127.0.0.1:5000/x]"},
        {"status": "Preparing", "id": "aa"},
        {"status": "Pushing", "id": "aa", "progressDetail": {"current": 30, "total": 60}},
        {"status": "Layer already exists", "id": "<b>"},
        {"aux": {"Tag": "1", "Digest": "sha256:00", "Size": 1}},
    ):
        progress.see(event)
    assert progress.digests == {"1": "sha256:00"}
    html = render(progress)
    assert "1 of 2 layers" in html
    assert "width:50%" in html
    assert "<x>" not in html
    assert "<b>" not in html


def test_a_secret_says_nothing() -> None:
    secret = Secret("xyzzy")
    assert "xyzzy" not in f"{secret} {secret!r} {[secret]}"
    assert secret.reveal() == "xyzzy"
    with pytest.raises(TypeError):
        pickle.dumps(secret)


@pytest.mark.parametrize(
    ("image", "registry"),
    [
        ("busybox", "docker.io"),
        ("ann/shop:1", "docker.io"),
        ("127.0.0.1:5000/shop:1", "127.0.0.1:5000"),
        ("localhost/shop", "localhost"),
    ],
)
def test_the_registry_in_a_name(image: str, registry: str) -> None:
    assert registry_of(image) == registry


def test_no_name() -> None:
    with pytest.raises(OptionError):
        registry_of("http://x/y")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("unsupported", "mirror"),  # the engine tries for 50 s before it says so
        ("no basic auth credentials", "%container login 127.0.0.1:5000 -u USER"),
        ("http: server gave HTTP response to HTTPS client", "insecure-registries"),
        ("dial tcp 127.0.0.1:5000: connect: connection refused", "registry start"),
    ],
)
def test_what_to_do_about_a_refusal(words: str, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "in_use", lambda: None)  # or one that a test before has found
    assert says in (advice(words, "127.0.0.1:5000") or "")


def test_the_embedded_engine_has_its_own_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lease stands for the embedded engine, which takes long to start."""
    from types import SimpleNamespace

    from course_magics import engine

    monkeypatch.setattr(engine, "in_use", lambda: SimpleNamespace(lease=object()))
    assert "embedded engine" in (advice("connection refused", "127.0.0.1:5000") or "")
    assert "embedded engine" not in (advice("connection refused", "registry.test") or "")


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ('Get "http://127.0.0.1:5000/v2/": dial tcp: connect: refused', "127.0.0.1 of its own"),
        ("no basic auth credentials", "%container login 127.0.0.1:5000"),
    ],
)
def test_what_the_embedded_engine_does_not_reach(
    words: str, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a registry in the embedded engine itself has answered, its own words count."""
    monkeypatch.setattr(engine, "in_use", lambda: SimpleNamespace(lease=object()))
    assert hint in (advice(words, "127.0.0.1:5000") or "")

"""What can be clicked: which addresses become links, and what is said of them."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

import course_magics
from course_magics import engine
from course_magics.containers.container import Container
from course_magics.course.slides import _item
from course_magics.display import Link, Markdown

from .test_blocks import HOSTILE, tags


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:8080/",
        "https://8080.ports.example.org/",
        "HTTPS://x/",
        "/user/ada/proxy/8080/",
        "/",
    ],
)
def test_an_address_is_a_link(url: str) -> None:
    assert f'href="{url}"' in Link("opens at", url).html()
    assert Link("opens at", url).text() == f"opens at {url}"


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        " javascript:alert(1)",
        "java\tscript:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "vbscript:x",
        "file:///etc/passwd",
        "//elsewhere.example.org/",
        "/\\elsewhere.example.org/",
        "httpx://x",
        *HOSTILE,
    ],
)
def test_anything_else_is_text(url: str) -> None:
    html = Link(url, url, url).html()
    assert "href" not in html
    assert tags(html) == {"div"}
    assert tags(Markdown(f"[a page]({url})").html()) <= {"p", "span", "strong", "em", "code"}


def test_a_notebook_s_name_is_no_scheme() -> None:
    book = SimpleNamespace(path=Path('javascript:alert(1)//"x.ipynb'), title="<i>", minutes=0)
    assert _item(book).startswith('<li><a href="./%22x.html">&lt;i&gt;')  # type: ignore[arg-type]
    book.path = Path("javascript:alert(1).ipynb")
    assert 'href="./javascript%3Aalert%281%29.html"' in _item(book)  # type: ignore[arg-type]


def test_a_link_of_the_notebook_s_own_site_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a published page may do there; in the same words for nbval, wherever it runs."""
    details = {
        "State": {"Status": "running"},
        "NetworkSettings": {"Ports": {"80/tcp": [{"HostPort": "8080"}]}},
    }
    monkeypatch.setattr(Container, "inspect", lambda self: details)
    monkeypatch.setattr(engine, "current", lambda: SimpleNamespace(address="localhost"))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.delenv("JUPYTERHUB_SERVICE_PREFIX", raising=False)
    plain = Container("web", "1", "x")._repr_mimebundle_()
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/ada/")
    proxied = Container("web", "1", "x")._repr_mimebundle_()
    for kind in ("text/plain", "text/html"):
        assert "can act as you" in proxied[kind]
        assert "can act as you" not in plain[kind]
    config = (Path(course_magics.__file__).parent / "nbval.cfg").read_text()
    rules = re.findall("^regex: (.*)$\n^replace: (.*)$", config, re.MULTILINE)
    for kind in plain:
        for regex, to in rules:
            plain[kind] = re.sub(regex, to, plain[kind])
            proxied[kind] = re.sub(regex, to, proxied[kind])
        assert plain[kind] == proxied[kind]

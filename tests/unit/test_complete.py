"""Tab: every word, every flag, every place in our cells; and nothing raises, whatever is typed."""

import random
import string
import tempfile
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st
from IPython.core.completer import IPCompleter, provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

from course_magics import engine
from course_magics.containers.build.instructions import KEYWORDS
from course_magics.containers.compose.keys import KEYS
from course_magics.engine import names
from course_magics.engine.names import Name
from course_magics.magics import MAGICS, complete
from course_magics.magics.complete.compose_values import VALUES
from course_magics.magics.complete.dockerfile import INSTRUCTIONS
from course_magics.magics.complete.sources import KINDS
from course_magics.magics.complete.spot import Found, Spot, position, spot
from course_magics.magics.grammar import Magic, Word
from course_magics.magics.words import split

GRAMMARS = {n: import_module(f"course_magics.magics.{m}").MAGIC for n, (m, _) in MAGICS.items()}
WORDS = [
    pytest.param(magic, word, id=f"{magic.name} {word.name}")
    for name, magic in GRAMMARS.items()
    if name == magic.name
    for word in magic.words
]
HERE = {
    "container": [
        Name("db", "exited, postgres", "exited"),
        Name("web", "running, nginx", "running"),
    ],
    "image": [Name("course/busybox:latest", "image, 2 MB"), Name("shop:v2", "image, 3 MB")],
    "network": [Name("shop", "bridge network")],
    "volume": [Name("data", "local volume")],
}


@pytest.fixture(autouse=True)
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names as an engine would give them: here only the places are tested, not the engine."""
    monkeypatch.setattr(names, "known", lambda kind, wait: HERE.get(kind, []))


def tab(cell: str, user: dict[str, object] | None = None) -> Found | None:
    """What our own completion says at `¦`, or at the end."""
    at = cell.index("¦") if "¦" in cell else len(cell)
    text = cell.replace("¦", "")
    where = spot(text, *position(text, at))
    return None if where is None else complete.complete(where, user or {})


def texts(cell: str, user: dict[str, object] | None = None) -> list[str]:
    found = tab(cell, user)
    assert found is not None, cell
    return [offer.text for offer in found.offers]


@pytest.mark.parametrize(("magic", "word"), WORDS)
def test_every_word_and_every_flag_completes(magic: Magic, word: Word) -> None:
    cell = "%%" if word.cell and not word.name else "%"
    typed = f"{cell}{magic.name}"
    for part in word.name.split():
        found = tab(f"{typed} {part[:1]}")
        assert found is not None
        assert part in [offer.text for offer in found.offers], f"{typed} {part[:1]}"
        assert all(offer.what for offer in found.offers)
        typed += f" {part}"
    for flag in word.all_flags:
        for name in flag.names.split():
            offered = texts(f"{typed} {name}")
            if name.startswith("--") or len(name) == 2:
                assert name in offered, f"{typed} {name}"
        for value in () if flag.kind == "switch" else flag.values:
            assert value in texts(f"{typed} {flag.long} ")
            assert value in texts(f"{typed} {flag.long}={value[:1]}")


@pytest.mark.parametrize(("magic", "word"), WORDS)
def test_the_grammar_offers_only_what_there_is(magic: Magic, word: Word) -> None:
    for offered in (*word.offers, *(f.offers for f in word.flags if f.offers)):
        for kind in offered.split("|"):
            # Plain words ("true|false") are values of their own.
            assert kind in KINDS, f"{magic.name} {word.name} offers {kind!r}"


@pytest.mark.parametrize(
    ("cell", "first"),
    [
        ("%container run --rm -it course/", "course/busybox"),
        ("%container run --rm -it cou¦ echo hi", "course/busybox"),
        ("%docker run cou", "course/busybox"),
        ("x = %container run cou", "course/busybox"),
        ("x = %container run -o y cou", "course/busybox"),
        ("%container ps\n%container run cou¦\n%container ps", "course/busybox"),
        ("%container run \\\n  cou", "course/busybox"),
        ("%container run 'cou", "course/busybox"),
        ("%container run shop:", "shop:v2"),
        ("%container exec ", "web"),
        ("%container start ", "db"),
        ("%container stop web ", "db"),
        ("%container run --network=s", "shop"),
        ("%container run --network ho", "host"),
        ("%container run -v d", "data:"),
        ("%container run -vd", "data:"),
        ("%container run --mount type=v", "type=volume"),
        ("%container run --restart un", "unless-stopped"),
        ("%container run --cap-add NET_A", "NET_ADMIN"),
        ("%container ps --filter status=exi", "status=exited"),
        ("%container ps -f sta", "status="),
        ("%container cp we", "web:"),
        ("%container help ru", "run"),
        ("%engine use emb", "embedded"),
        ("%vagrant init course/", "course/debian12"),
        ("%vagrant up --provider=q", "qemu"),
        ("%vagrant snapshot re", "restore"),
        ("%%container exec w¦\nls", "web"),
        ("\n%%dockerfile --build-arg V¦\nFROM a\nARG VERSION=1", "VERSION="),
        ("%%dockerfile --target ¦\nFROM a AS build\n", "build"),
        ("%%dockerfile\nFR", "FROM"),
        ("%%dockerfile\nfr", "from"),
        ("%%dockerfile\nFROM cou", "course/busybox"),
        ("%%dockerfile\nFROM --platform=linux/ar", "linux/arm64"),
        ("%%dockerfile\nFROM a AS one\nFROM ", "one"),
        ("%%dockerfile\nFROM a AS one\nFROM b\nCOPY --f", "--from="),
        ("%%dockerfile\nFROM a AS one\nFROM b\nCOPY --from=", "one"),
        ("%%dockerfile\nFROM a\nRUN --mount=type=ca", "type=cache"),
        ("%%dockerfile\nFROM a\nRUN --mount=type=cache,ta", "type=cache,target="),
        ("%%dockerfile\nARG V=1\nFROM a:$", "V"),
        ("%%dockerfile\nFROM a\nENV HOME_PAGE=/www\nRUN ls ${HO", "HOME_PAGE}"),
        ("%%dockerfile\nFROM a\nHEALTHCHECK --int", "--interval="),
        ("%%dockerfile\nFROM a\nRUN a \\\n # no\n b\nEX", "EXPOSE"),
        ("%%dockerfile\nFROM a\nRUN <<END\necho\nEND\nWO", "WORKDIR"),
        ("%%dockerfile\nFROM a\nONBUILD RU", "RUN"),
        ('%%vagrantfile\nVagrant.configure("2") do |config|\n  config.vm.net', "network"),
        (
            '%%vagrantfile\nVagrant.configure("2") do |config|\n  config.vm.box = "cou',
            "course/debian12",
        ),
        ('%%vagrantfile\nconfig.vm.provider "qemu" do |vb|\n  vb.mem', "memory"),
        ('%%vagrantfile\nconfig.vm.define "a" do |web|\n  web.vm.host', "hostname"),
        ("%%vagrantfile\nconfig.vm.network :forw", "forwarded_port"),
    ],
)
def test_what_comes_first(cell: str, first: str) -> None:
    assert texts(cell)[:1] == [first]


@pytest.mark.parametrize(
    "cell",
    [
        "%container run course/busybox ec",
        "%container nonsense ",
        "%container run # a comm",
        "%%dockerfile\nFROM a\nRUN <<END\nFR",
        "%%dockerfile\nFROM a\nRUN echo \\\nFR",
        "%container run '$HO",
    ],
)
def test_where_nothing_is_known_nothing_is_offered(cell: str) -> None:
    found = tab(cell)
    assert found is None or not found.offers


@pytest.mark.parametrize(
    "cell",
    ["container.run(", "print('%container run ¦')", "%%bash\nls ¦", "%ls -", "x = 5 %container"],
)
def test_what_is_not_ours_is_left_alone(cell: str) -> None:
    assert tab(cell) is None


def test_values_of_the_notebook() -> None:
    user: dict[str, object] = {"image": "shop:v2", "_hidden": 1, "ports": [1]}
    assert texts("%container run {im", user) == ["image}"]
    assert texts("%container run -e A=$im", user) == ["image"]
    assert "image" in texts("%container run -o ", user)
    assert texts("%container ps --format '{{.", user) == ["'{{.Names}}'"]  # docker's, not ours


def test_files(here: Path) -> None:
    (here / "my site").mkdir()
    (here / "my site" / "a.html").write_text("x")
    (here / ".hidden").write_text("x")
    assert texts("%container run -v ./my") == ["./my\\ site/"]
    assert texts("%container run --env-file my") == ["my\\ site/"]
    assert texts('%container cp "my site/a') == ["my site/a.html"]
    assert ".hidden" not in texts("%container cp ")
    assert ".hidden" in texts("%container cp .h")
    assert "a.html" not in texts("%%dockerfile\nFROM a\nCOPY ")
    assert "a.html" in texts("%%dockerfile --context 'my site'\nFROM a\nCOPY ")


def test_machines_of_a_vagrantfile(here: Path) -> None:
    (here / "shop").mkdir()
    (here / "shop" / "Vagrantfile").write_text(
        'config.vm.define "web" do |w|\nend\n# .define "no"\n'
    )
    made = here / "shop/.vagrant/machines/web/qemu"
    made.mkdir(parents=True)
    (made / "machine.json").write_text('{"snapshots": {"clean": {}}}')
    assert texts("%vagrant up --dir shop w") == ["web"]
    assert "clean" in texts("%vagrant snapshot restore --dir shop ")


def test_dockerfile_knows_every_instruction() -> None:
    assert set(INSTRUCTIONS) == set(KEYWORDS)


def test_compose_values_belong_to_keys() -> None:
    places = {f"{path.rstrip('/')}/{key}" for path, keys in KEYS.items() for key in keys}
    assert set(VALUES) <= places
    assert len(KEYS["/services/*"]) > 80


COMPOSE = """\
name: shop
services:
  web:
    image: course/busybox
    depends_on:
    - ¦
  db:
    image: course/busybox
networks:
  front:
volumes:
  data:
"""


def in_compose(lines: str) -> list[str]:
    """At `¦` in a compose file, whether or not `%%compose` is loaded."""
    row, column = position(lines, lines.index("¦"))
    body = tuple(lines.replace("¦", "").split("\n"))
    where = Spot(GRAMMARS["container"], "compose", " up", body, row, column, cell=True)
    found = complete.complete(where, {})
    return [offer.text for offer in found.offers] if found else []


@pytest.mark.parametrize(
    ("lines", "first"),
    [
        ("ser¦", "services:"),
        ("services:\n  web:\n    im¦", "image:"),
        ("services:\n  web:\n    image: cou¦", "course/busybox"),
        ("services:\n  web:\n    build:\n      targ¦", "target:"),
        ("services:\n  web:\n    healthcheck:\n      int¦", "interval:"),
        (
            "services:\n  web:\n    deploy:\n      resources:\n        limits:\n          m¦",
            "memory:",
        ),
        ("services:\n  web:\n    image: a\n    restart: un¦", "unless-stopped"),
        (
            "services:\n  web:\n    depends_on:\n      db:\n        condition: service_h¦",
            "service_healthy",
        ),
        ("services:\n  web:\n    volumes:\n    - type: b¦", "bind"),
        ("services:\n  web:\n    volumes:\n      - type: bind\n        so¦", "source:"),
        ("services:\n  web:\n    image: a\nnet¦", "networks:"),
        ("networks:\n  front:\n    driver: ov¦", "overlay"),
        (COMPOSE, "web"),
        (COMPOSE.replace("    - ¦", "      d¦"), "db:"),
        (COMPOSE.replace("    depends_on:\n    - ¦", "    depends_on: [web, d¦]"), "db"),
        (COMPOSE.replace("    depends_on:\n    - ¦", "    volumes:\n      - da¦"), "data:"),
        (COMPOSE.replace("    depends_on:\n    - ¦", "    networks:\n      - ¦"), "front"),
    ],
)
def test_compose_keys_by_place(lines: str, first: str) -> None:
    assert in_compose(lines)[:1] == [first]


def test_compose_offers_no_key_twice_and_none_where_names_are_free() -> None:
    assert "image:" not in in_compose("services:\n  web:\n    image: a\n    im¦")
    assert in_compose("services:\n  we¦") == []
    assert in_compose("services:\n  web:\n    environment:\n      im¦") == []


def test_services_of_the_project_after_compose(here: Path) -> None:
    (here / "compose.yaml").write_text("services:\n  web:\n    image: a\n  db:\n    image: b\n")
    assert texts("%compose logs ")[:2] == ["web", "db"]
    assert texts("%compose -p shop logs w") == ["web"]
    assert texts("%compose --file compo") == ["compose.yaml"]
    assert texts("%compose -f compose.yaml lo") == ["logs"]
    assert "--project-name" in texts("%compose --proj")
    assert "auto" in texts("%compose --ansi=")
    assert texts("%%compose up ¦\nservices:\n  one:\n    image: a\n")[:1] == ["one"]


# --- in IPython -----------------------------------------------------------------------------------


def in_ipython(ip: InteractiveShell, cell: str) -> list[str]:
    completer = ip.Completer
    assert isinstance(completer, IPCompleter)
    with provisionalcompleter():
        return [c.text for c in completer.completions(cell, len(cell))]


@pytest.fixture
def no_jedi(ip: InteractiveShell, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], int]]:
    """Jedi's matcher counts its calls, and is a stand-in that finds nothing."""
    calls = 0

    def counts(*args: object, **more: object) -> list[object]:
        nonlocal calls
        calls += 1
        return []

    monkeypatch.setattr(ip.Completer, "_jedi_matches", counts)
    yield lambda: calls


def test_our_lines_never_reach_jedi(ip: InteractiveShell, no_jedi: Callable[[], int]) -> None:
    for cell in (
        "%container ru",
        "%container run nosuchimage",
        "%container zzz ",
        "%%container run course/busybox\nimport o",
        "%%dockerfile\nRUN import o",
    ):
        in_ipython(ip, cell)
    assert no_jedi() == 0
    in_ipython(ip, "import o")
    in_ipython(ip, "%%container run course/python python\nimport o")
    assert no_jedi() == 2, "elsewhere IPython completes as before"


def test_flags_with_dashes_replace_what_is_typed(ip: InteractiveShell) -> None:
    completer = ip.Completer
    assert isinstance(completer, IPCompleter)
    text = "%container run --rm --no-heal"
    with provisionalcompleter():
        (found,) = completer.completions(text, len(text))
    assert text[found.start : found.end] == "--no-heal"
    assert found.text == "--no-healthcheck"
    assert found.type.replace("\N{NO-BREAK SPACE}", " ").startswith("leave out the image")


def test_a_word_over_two_lines_breaks_nothing(ip: InteractiveShell) -> None:
    assert in_ipython(ip, "%container run 'a\\\nb") == []


def test_other_matchers_stay(ip: InteractiveShell) -> None:
    ip.run_line_magic("unload_ext", "course_magics")
    theirs = lambda text: []  # noqa: E731
    ip.Completer.custom_matchers.append(theirs)
    before = list(ip.Completer.custom_matchers)
    for _ in range(2):
        ip.run_line_magic("load_ext", "course_magics")
        assert len(ip.Completer.custom_matchers) == len(before) + 1
        ip.run_line_magic("unload_ext", "course_magics")
    assert ip.Completer.custom_matchers == before
    ip.Completer.custom_matchers.remove(theirs)


def test_an_engine_is_never_looked_for(
    ip: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()  # the real names.known
    engine.forget()
    monkeypatch.setattr("course_magics.engine.connection.connect", lambda *_: pytest.fail("looked"))
    assert "course/busybox" not in in_ipython(ip, "%container run ")
    assert engine.in_use() is None


def test_random_cells_and_cursors_raise_nothing(here: Path) -> None:
    """5,000 beginnings: pieces of our own grammar and noise, the cursor anywhere."""
    pick = random.Random(4)
    pieces = [
        "%container",
        "%%dockerfile",
        "%%compose",
        "%%vagrantfile",
        "%vagrant",
        "%engine",
        "x = %container ",
    ]
    pieces += [
        "run",
        "network",
        "exec",
        "--mount",
        "-v",
        "--filter",
        "-o",
        "--",
        "type=bind,",
        "a=b",
    ]
    pieces += [
        "\n",
        "\n",
        "\n  ",
        "\\\n",
        "FROM",
        "RUN",
        "COPY --from=",
        "<<END",
        "services:",
        "- ",
    ]
    pieces += [
        "image:",
        "'",
        '"',
        "\\",
        "{",
        "$",
        "${",
        "{{",
        "#",
        "~",
        "/",
        "~x/",
        "\0",
        "é😀",
        "%",
        "-",
    ]
    tried = ours = 0
    while tried < 5000:
        cell = (
            pick.choice(pieces[:7])
            + " "
            + " ".join(
                pick.choice(pieces)
                if pick.random() < 0.85
                else "".join(pick.choices(string.printable, k=4))
                for _ in range(pick.randrange(9))
            )
        )
        at = pick.randrange(len(cell) + 1)
        where = spot(cell, *position(cell, at))
        tried += 1
        if where is None:
            continue
        found = complete.complete(where, {"x": 1})
        ours += 1
        assert found is None or cell[:at].endswith(found.fragment) or "\\\n" in cell
    assert ours > 1000


@pytest.mark.parametrize(
    "name",
    [
        "report{open(chr(112),chr(119))}.csv",  # without quotes, which Tab has always escaped
        "report{x}.csv",
        "$x.csv",
        "#notes.csv",
        "-rf.csv",
        "a b'c\".csv",
    ],
)
def test_a_file_s_name_is_only_a_name(name: str, here: Path) -> None:
    """Somebody else may have named it: what Tab puts in is read as that name and runs nothing."""
    (here / name).touch()
    offered = [t for t in texts("%container cp ") if t.endswith(".csv")]
    (text,) = offered
    words = split(f"cp {text} web:/", {"x": "value", "open": open})
    assert words == ["cp", f"./{name}" if name.startswith("-") else name, "web:/"]
    assert not Path("p").exists()


def test_between_quotes_a_name_that_would_be_an_expression_is_not_offered(here: Path) -> None:
    for name in ("plain.csv", "report{x}.csv", "$x.csv"):
        (here / name).touch()
    for quote in "'\"":
        offered = texts(f"%container cp {quote}")
        assert "plain.csv" in offered
        assert not [t for t in offered if "{" in t or "$" in t]


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.sampled_from("x{}$#~-'\"\\ .=:é"), min_size=1, max_size=8) | st.text(min_size=1))
def test_any_name_of_a_file_is_only_a_name(here: Path, name: str) -> None:
    with tempfile.TemporaryDirectory(dir=here) as folder:
        try:
            if "/" in name:
                reject()
            (Path(folder) / name).touch()
        except (OSError, ValueError):  # no name of a file: "..", "a/b", too long
            reject()
        for before in ("%container cp ", "%compose -f ", "%container cp '", '%container cp "'):
            for begun in (f"{folder}/", f"{folder}/."):
                typed = f"{before}{begun}"
                found = tab(typed)
                assert found is not None
                for offer in found.offers:
                    line = typed.removesuffix(found.fragment) + offer.text + before[-1].strip()
                    assert split(line, {"x": "value"})[2] == f"{folder}/{name}"


@pytest.mark.parametrize("name", ["a${IFS}b", "a b", "a#{exit}", "'a", "a:", "a\\b"])
def test_in_a_cell_s_body_no_name_is_more_than_a_name(
    name: str, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Docker, compose and Vagrant's Ruby read more than characters there."""
    monkeypatch.setenv("VAGRANT_HOME", str(here / "home"))
    for one in (name, "a-plain"):
        (here / "home/boxes" / one).mkdir(parents=True)
        (here / "files" / one).mkdir(parents=True)
    for cell, plain in (
        ("%%dockerfile --context files\nFROM x\nCOPY a", "a-plain/"),
        ("%%compose\nservices:\n  web:\n    build: files/a", "files/a-plain/"),
        ("%%compose\nservices:\n  web:\n    volumes:\n      - files/a", "files/a-plain/"),
        ('%%vagrantfile\nVagrant.configure("2") do |config|\n  config.vm.box = "a', "a-plain"),
    ):
        offered = texts(cell)
        assert plain in offered
        assert not [t for t in offered if name in t]


def test_tab_shows_no_text_of_the_notebook_s() -> None:
    """A lecture's screen is seen by many."""
    found = tab("%container run -e PW=$p", {"pw": "hunter2"})
    assert found is not None
    assert [offer.text for offer in found.offers] == ["pw"]
    assert "hunter2" not in found.offers[0].what


def test_the_notebook_s_folder_is_still_offered(here: Path) -> None:
    assert "$PWD:" in texts("%container run -v ")
    assert "$PWD:/w:ro" in texts("%container run -v $PWD:/w:r")

"""What is read in a notebook: each rule with what it accepts and what it finds."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from course_magics import course
from course_magics.course.lint import lint, lint_folder

SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 300"><title>Boxes</title>'
    "<desc>A box beside a box.</desc></svg>"
)


def markdown(source: str, slide: str = "slide") -> dict[str, Any]:
    return {
        "cell_type": "markdown",
        "metadata": {"slideshow": {"slide_type": slide}},
        "source": source,
    }


def code(source: str, said: str = "", slide: str = "fragment", *tags: str) -> dict[str, Any]:
    outputs = [{"output_type": "stream", "name": "stdout", "text": said}] if said else []
    return {
        "cell_type": "code",
        "metadata": {"slideshow": {"slide_type": slide}, **({"tags": list(tags)} if tags else {})},
        "source": source,
        "outputs": outputs,
    }


GOOD = [
    markdown("# A title\n\n**After this notebook you can**\n\n- do it.\n\n*Time: 10 minutes.*"),
    code("%load_ext course_magics", slide="skip"),
    markdown("## A question\n\n![A box beside a box, both in a third](images/00-a.svg)"),
    markdown("**Predict:** will it take 5 s?", "subslide"),
    code("run()", "it took 7 s\n"),
    markdown("It took 7 s here.", "fragment"),
    markdown("## Check yourself"),
    code("%quiz 00-a"),
    markdown("## Your turn"),
    code("%lesson 00-a"),
    code("# your cells go here"),
    code("%check"),
    markdown("## Further reading\n\n- *A book*, 2013\n\nNext: **01-b**."),
]


class Course:
    """A folder with a notebook that is as it should be, to be spoiled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cells = copy.deepcopy(GOOD)
        self.metadata: dict[str, Any] = {}
        for name in ("exercises/00-a/hints", "quizzes", "images"):
            (folder / name).mkdir(parents=True)
        for part in (
            "task.md",
            "check.py",
            "solution.md",
            "other-way.md",
            "reset.md",
            "hints/a.md",
        ):
            (folder / "exercises/00-a" / part).write_text("# A part")
        (folder / "quizzes/00-a.yaml").write_text("title: A quiz")
        (folder / "images/00-a.svg").write_text(SVG)
        (folder / "01-b.ipynb").write_text('{"cells": []}')

    def faults(self, name: str = "00-a.ipynb") -> list[tuple[str, str]]:
        count = 0
        for number, cell in enumerate(self.cells):
            cell.setdefault("id", f"c{number}")
            if cell["cell_type"] == "code":
                count += 1
                cell.setdefault("execution_count", count)
        book = {"cells": self.cells, "metadata": self.metadata, "nbformat": 4, "nbformat_minor": 5}
        (self.folder / name).write_text(json.dumps(book))
        return [(f.rule, f.text) for f in lint(self.folder / name)]

    def replace(self, old: str, new: str) -> None:
        for cell in self.cells:
            cell["source"] = cell["source"].replace(old, new)


@pytest.fixture
def book(tmp_path: Path) -> Course:
    return Course(tmp_path)


def test_a_notebook_as_it_should_be(book: Course) -> None:
    assert book.faults() == []


def in_cell(number: int, **new: Any) -> Callable[[Course], None]:
    return lambda book: book.cells[number].update(new)


def adding(cell: dict[str, Any], at: int = 6) -> Callable[[Course], None]:
    def insert(book: Course) -> None:
        book.cells.insert(at, {**copy.deepcopy(cell), "id": f"new{len(book.cells)}"})

    return insert


def swap(old: str, new: str) -> Callable[[Course], None]:
    return lambda book: book.replace(old, new)


def drawing(text: str) -> Callable[[Course], None]:
    return lambda book: (book.folder / "images/00-a.svg").write_text(text) and None


def lacking(part: str) -> Callable[[Course], None]:
    return lambda book: (book.folder / "exercises/00-a" / part).unlink()


VIEW = {
    "output_type": "display_data",
    "data": {"application/vnd.jupyter.widget-view+json": {}, "text/plain": "A view"},
}
ERROR = {"output_type": "error", "ename": "ValueError", "evalue": "x", "traceback": []}


@pytest.mark.parametrize(
    ("spoil", "rule", "text"),
    [
        (swap("After this notebook", "Later"), "parts", "After this notebook you can"),
        (swap("**Predict:**", "Guess:"), "parts", "**Predict:**"),
        (swap("## Check yourself", "## A quiz"), "parts", "## Check yourself"),
        (swap("## Your turn", "## Now you"), "parts", "## Your turn"),
        (swap("## Further reading", "## Books"), "parts", "## Further reading"),
        (swap("*Time: 10 minutes.*", ""), "parts", "*Time: N minutes.*"),
        (swap("10 minutes", "25 minutes"), "parts", "25 minutes"),
        (swap("Next: **01-b**.", ""), "parts", "Next: **01-b**"),
        (swap("Next: **01-b**", "Next: **07-c**"), "parts", "**01-b** follows"),
        (swap("%lesson 00-a", "1"), "exercise", "no cell with %lesson"),
        (swap("%check", "1"), "exercise", "no cell with %check"),
        (swap("%quiz 00-a", "1"), "exercise", "no cell with %quiz"),
        (swap("%quiz 00-a", "%quiz 00-z"), "exercise", "quizzes/00-z.yaml is not there"),
        (swap("%lesson 00-a", "%lesson 00-z"), "exercise", "exercises/00-z/task.md is not there"),
        (lacking("check.py"), "exercise", "exercises/00-a/check.py is not there"),
        (lacking("hints/a.md"), "exercise", "exercises/00-a/hints/NAME.md is not there"),
        (swap("%lesson 00-a", "%lesson 01-b"), "exercise", "no %lesson names one with number 00"),
        (swap("# A title", "## A title"), "headings", "## follows nothing"),
        (swap("# A title", "A title"), "headings", "the first cell begins"),
        (swap("## A question", "### A question"), "headings", "### follows #"),
        (swap("## A question", "# A question"), "headings", "a second title"),
        (in_cell(3, id="c4"), "cells", "the same id"),
        (in_cell(5, source=" \n"), "cells", "it is empty"),
        (in_cell(3, metadata={}), "slides", 'slide type ""'),
        (adding(markdown("word " * 111)), "slides", "111 words"),
        (adding(code("\n".join(["1"] * 21))), "slides", "21 lines of code"),
        (adding(code("1", "line\n" * 31)), "slides", "31 lines of output"),
        (in_cell(4, execution_count=None), "outputs", "it was not run"),
        (in_cell(4, execution_count=9), "outputs", "not run in order"),
        (in_cell(4, outputs=[ERROR]), "outputs", "an error: ValueError"),
        (in_cell(4, outputs=[VIEW]), "outputs", "a widget's view"),
        (lambda book: book.metadata.update(widgets={}), "outputs", "the state of widgets"),
        (swap("images/00-a.svg", "images/00-z.svg"), "images", "images/00-z.svg is not there"),
        (swap("images/00-a.svg", "https://a.example/b.svg"), "images", "from the network"),
        (swap("A box beside a box, both in a third", ""), "images", "it has none"),
        (swap("A box beside a box, both in a third", "two boxes"), "images", '"two boxes"'),
        (adding(markdown('<img src="images/00-a.svg">')), "images", "it has none"),
        (drawing(SVG.replace("<title>Boxes</title>", "")), "images", "no <title>"),
        (drawing(SVG.replace("A box beside a box.", " ")), "images", "no <desc>"),
        (drawing(SVG.replace('viewBox="0 0 720 300"', "")), "images", "no viewBox"),
        (drawing(SVG.replace("</svg>", '<image href="http://a/b.png"/></svg>')), "images", "b.png"),
        (drawing("<svg>"), "images", "no drawing"),
        (adding(markdown("[there](02-nowhere.ipynb)")), "links", "02-nowhere.ipynb is not there"),
        (adding(markdown("[up](#No-such)")), "links", "#No-such"),
        (adding(markdown("[page](http://)")), "links", "no address"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_rule_finds_what_it_is_for(
    book: Course, spoil: Callable[[Course], None], rule: str, text: str
) -> None:
    spoil(book)
    found = book.faults()
    assert any(r == rule and text in t for r, t in found), found


@pytest.mark.parametrize(
    "fine",
    [
        adding(code("ping()", "", "fragment", "course-not-stored") | {"execution_count": None}),
        adding(code("1 / 0", "", "fragment", "raises-exception") | {"outputs": [ERROR]}),
        adding(code("a()", "line\n" * 40, "skip")),
        adding(
            markdown("[above](#A-question), [next](01-b.ipynb), [docs](https://docs.docker.com/)")
        ),
        adding(markdown("```\n# no heading\n![x](y.png) in 12 s\n```")),
        adding(markdown("`![x](y.png)` takes what `[x](y)` takes")),
    ],
)
def test_what_is_in_order(book: Course, fine: Callable[[Course], None]) -> None:
    fine(book)
    assert book.faults() == []


@pytest.mark.parametrize(
    "claim",
    [
        "A machine boots in 30 seconds.",
        "It takes two minutes.",
        "He showed it in a five-minute talk.",
        "An image of 200 MB is large.",
        "It is 3.5 GiB.",
        "It waits 200 ms.",
        "That costs 12 % more.",
        "Ten percent are lost.",
        "It is ten times slower.",
        "It is 3× as fast.",
        "It takes twice as long.",
        "It is slower by orders of magnitude.",
        "It came out in 2013.",
        "Millions use it.",
        "It has 30,000 lines.",
        "A table:\n\n| what | how long |\n|---|---|\n| boot | 30 s |",
        "- It is quick\n- It takes 30 s.",
        "It takes 30 s. (source: )",
    ],
)
def test_a_claim_without_a_source_is_found(book: Course, claim: str) -> None:
    adding(markdown(claim), 2)(book)
    assert [rule for rule, _ in book.faults()] == ["facts"]


@pytest.mark.parametrize(
    "fine",
    [
        "A machine boots in 30 seconds (source: QEMU's manual).",
        "It came out in 2013. (source: PyCon US, lightning talks)",
        "It takes 30 s (measured by %measure startup on the author's computer).",
        "It takes 30 s (on a laptop; source: the book of *Foo* (2nd edition)).",
        "Will it take 30 s?",
        "**Predict:** 30 s, or a minute. Write it down.",
        "`sleep 600` takes what it takes, `--memory 64m` is 64 MB for it.".replace(
            "64 MB", "its limit"
        ),
        "It listens on port 2000.",
        "Two containers share one kernel.",
        "Look at 3 of them.",
        "Version 2.3.4 of 127.0.0.1:8000 in debian12.",
    ],
)
def test_what_is_no_claim_or_has_a_source(book: Course, fine: str) -> None:
    adding(markdown(fine), 2)(book)
    assert book.faults() == []


def test_a_number_counts_as_shown_only_in_its_own_section(book: Course) -> None:
    adding(markdown("Seven seconds: it took 7 seconds."), 6)(book)
    assert book.faults() == []
    adding(markdown("## Another section\n\nIt took 7 seconds."), 7)(book)
    assert [rule for rule, _ in book.faults()] == ["facts"]


def test_a_fault_says_where_it_is(book: Course) -> None:
    adding(markdown("A line.\n\nAnother one\nis here. It takes 30 s."), 2)(book)
    book.faults()
    (fault,) = lint(book.folder / "00-a.ipynb")
    assert str(fault).startswith("00-a.ipynb cell 3 (new13) line 4: facts: ")


@pytest.mark.parametrize("name", ["a.ipynb", "00_a.ipynb", "00-A.ipynb"])
def test_the_name_of_the_file(book: Course, name: str) -> None:
    assert ("name", "a notebook's file is called NN-words.ipynb") in book.faults(name)


def test_a_folder_has_its_numbers_in_order_and_no_drawing_too_many(book: Course) -> None:
    book.faults()
    assert lint_folder(book.folder) == []
    (book.folder / "01-b.ipynb").rename(book.folder / "02-b.ipynb")
    (book.folder / "images/00-old.svg").write_text(SVG)
    found = [str(fault) for fault in lint_folder(book.folder)]
    assert found == [
        "02-b.ipynb: name: it stands at position 01 of the course",
        "images/00-old.svg: images: no notebook shows it",
    ]


def test_what_is_no_notebook_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.ipynb").write_text("no JSON")
    (tmp_path / "b.ipynb").write_text("[]")
    assert course.main(["lint", str(tmp_path / "a.ipynb"), str(tmp_path / "b.ipynb")]) == 1
    out = capsys.readouterr().out
    assert out.count("no notebook") == 2

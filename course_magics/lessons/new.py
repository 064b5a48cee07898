"""Makes an exercise with all its files, its quiz and its notebook, ready to be played and filled.

The example that it makes is whole: it passes `course-magics lesson play` as it is.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from course_magics.errors import LessonError, OptionError
from course_magics.lessons import find

_NAME = re.compile(r"\d\d-[a-z0-9]+(-[a-z0-9]+)*")

#: The exercise's files. THING is the container's name, NAME the exercise's.
_FILES = {
    "task.md": """\
# A title that says what there is afterwards

Start a container called `THING` from `course/busybox` that keeps running.

Say which state is wanted, not which commands bring it about.
""",
    "check.py": '''\
"""Is there a container `THING` that runs?"""

from collections.abc import Iterator

from course_magics.lessons import Finding, State, expect


def check(state: State) -> Iterator[Finding]:
    thing = state.container("THING")
    yield expect(
        thing is not None,
        "there is a container called THING",
        "no container is called THING",
        hint="create",
    )
    if thing is None:
        return
    yield expect(thing.running, "it runs", f"it does not run: it is {thing.state}", hint="start")
''',
    "hints/create.md": """\
```state
```
The weakest hint: which word of `%container` is it?
---
Nearly the answer: `%container run -d --name NAME IMAGE PROGRAM`.
""",
    "hints/start.md": """\
```state
%container create --name THING course/busybox sleep 600
```
The container is there, but its program does not run.
---
`%container start NAME` starts it.
""",
    "solution.md": """\
A sentence that says why this is the way.

```cell
%container run -d --name THING course/busybox sleep 600
```
""",
    "other-way.md": """\
A second, truly different way to the same state.

```cell
%container create --name THING course/busybox sleep 600
```

```cell
%container start THING
```
""",
    "reset.md": """\
```cell
%container rm -f --no-raise THING
```
""",
}
_QUIZ = """\
title: TITLE
questions:
  - id: question
    ask: A question on understanding, not on memory?
    choices:
      - text: A wrong answer that somebody would really give
        because: Why it is wrong.
      - text: The right answer
        right: true
        because: Why it is right.
"""
#: The notebook's cells: kind, slide, source.
_CELLS = (
    (
        "markdown",
        "slide",
        "# TITLE\n\nOne line on what this is about.\n\n**After this notebook you can**\n\n"
        "- do one thing,\n- explain another.\n\n*Time: 10 minutes.*",
    ),
    ("code", "skip", "%load_ext course_magics"),
    ("markdown", "slide", "## A section\n\nA few lines.\n\n**Predict:** what will the cell show?"),
    ("code", "fragment", '%container run --rm course/busybox echo "the claim, shown"'),
    ("markdown", "fragment", "What was seen, in one or two sentences."),
    ("markdown", "slide", "## Check yourself"),
    ("code", "fragment", "%quiz NAME"),
    ("markdown", "slide", "## Your turn"),
    ("code", "fragment", "%lesson NAME"),
    ("code", "fragment", "# your cells go here"),
    ("code", "fragment", "%check"),
    ("markdown", "skip", "## Clean up"),
    ("code", "skip", "%container rm -f --no-raise THING"),
    ("markdown", "slide", "## Further reading\n\n- *A title*, its publisher"),
)


def new(name: str) -> list[Path]:
    """Make the exercise `name` and what belongs to it; returns what was made.

    A quiz or a notebook that is there already stays. Raises OptionError for a name that is not
    NN-words, LessonError where the exercise is there, or a file cannot be written.
    """
    if not _NAME.fullmatch(name):
        raise OptionError(
            f"{name!r} is not the name of an exercise",
            hint="it is the notebook's number and words in small letters: 19-plugins",
        )
    place = find.root() or Path.cwd() / "notebooks"
    folder = place / "exercises" / name
    if folder.exists():
        raise LessonError(f"the exercise {name} is there already: {folder}")
    words = {"NAME": name, "THING": f"thing-{name[:2]}", "TITLE": _title(name)}
    wanted = {folder / file: _filled(text, words) for file, text in _FILES.items()}
    wanted[place / "quizzes" / f"{name}.yaml"] = _filled(_QUIZ, words)
    if not list(place.glob(f"{name[:3]}*.ipynb")):
        wanted[place / f"{name}.ipynb"] = _notebook(words)
    made = []
    try:
        for path, text in wanted.items():
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, "utf-8")
                made.append(path)
    except OSError as error:
        raise LessonError(f"{error.filename} cannot be written: {error.strerror}") from None
    return made


def _title(name: str) -> str:
    return name[3:].replace("-", " ").capitalize()


def _filled(text: str, words: dict[str, str]) -> str:
    # Whole words only: the hints speak of NAME as a reader's own name, in `--name NAME`.
    for key, value in words.items():
        text = text.replace(f"%quiz {key}", f"%quiz {value}").replace(
            f"%lesson {key}", f"%lesson {value}"
        )
        if key != "NAME":
            text = text.replace(key, value)
    return text


def _notebook(words: dict[str, str]) -> str:
    number = words["NAME"][:2]
    cells: list[dict[str, Any]] = []
    for index, (kind, slide, source) in enumerate(_CELLS):
        cell: dict[str, Any] = {
            "cell_type": kind,
            "id": f"{number}-{index:02d}",
            "metadata": {"slideshow": {"slide_type": slide}},
            "source": _filled(source, words).splitlines(keepends=True),
        }
        if kind == "code":
            cell |= {"outputs": [], "execution_count": None}
        cells.append(cell)
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    about = {"kernelspec": kernel, "language_info": {"name": "python"}, "title": words["TITLE"]}
    book = {"cells": cells, "metadata": about, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(book, indent=1, ensure_ascii=False, sort_keys=True) + "\n"

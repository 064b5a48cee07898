"""Runs notebooks headless: copies and pages of them, or the outputs stored in themselves."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_magics import engine, runs, storage
from course_magics.course.book import NOT_STORED, WIDGET_VIEW, find, read
from course_magics.course.execute import Failure, execute
from course_magics.course.undo import undo
from course_magics.display import Grid
from course_magics.terminal import say

if TYPE_CHECKING:
    from nbformat import NotebookNode

#: How much of an error the table shows (characters).
_WIDE = 90


@dataclass
class Outcome:
    """One notebook's run. failure: the cell that failed, or None. left: what was taken away."""

    name: str
    cells: int
    seconds: float
    failure: Failure | None = None
    log: Path | None = None
    left: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether all cells ran and removed what they had made."""
        return self.failure is None and not self.left


def run(places: list[Path], out: Path | None, jobs: int = 1, mark: str = "") -> list[Outcome]:
    """Run copies into `out`, or (None) store outputs; `jobs` notebooks at a time.

    mark: the prefix of the marks that all things made by the notebooks carry (`undo.py`).
    A line for each as it ends, then a table in the course's order, then what failed.
    """
    books = find(places)
    if out is not None:
        made = [f"{book.stem}{end}" for book in books for end in (".ipynb", ".html", ".log")]
        storage.claim(out, made, hint="--out DIR names another folder; make clean removes build/")
    outcomes = _awaited(_all(books, out, jobs, mark or new_mark()))
    say(f"\n{table(outcomes)}")
    for line in (line for outcome in outcomes for line in told(outcome)):
        say(line)
    return outcomes


def new_mark() -> str:
    """A word that tells what one run makes from what any other makes."""
    return uuid.uuid4().hex[:8]


def _awaited(work: Coroutine[Any, Any, list[Outcome]]) -> list[Outcome]:
    """Its result, also for a caller in whose thread an event loop runs already."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(1) as beside:
        return beside.submit(asyncio.run, work).result()


def default_jobs() -> int:
    """Two notebooks at a time where there are two processors: a second one mostly waits."""
    return min(2, os.cpu_count() or 1)


def table(outcomes: list[Outcome]) -> str:
    """notebook, cells, seconds, result; for a failed one the cell and its error in one line."""
    rows = [
        (o.name, o.cells, f"{o.seconds:.1f}", "passed" if o.passed else "failed", _why(o))
        for o in outcomes
    ]
    columns = ["notebook", "cells", "seconds", "result", "why"]
    if all(o.passed for o in outcomes):
        columns, rows = columns[:-1], [row[:-1] for row in rows]  # type: ignore[misc]
    return Grid(columns, rows, frozenset({"cells", "seconds"})).text()


def _why(outcome: Outcome) -> str:
    failure = outcome.failure
    if failure is None:
        return "it left things behind" if outcome.left else ""
    return _cut(f"cell {failure.cell}: {failure.error}" if failure.cell else failure.error)


def _cut(text: str) -> str:
    return text if len(text) <= _WIDE else text[: _WIDE - 1] + "…"


def told(outcome: Outcome) -> list[str]:
    """What the table has no room for: the failing cell, its log, what it left."""
    lines = []
    if outcome.failure is not None:
        lines += ["", f"{outcome.name}, cell {outcome.failure.cell}: {outcome.failure.line}"]
        lines += [f"    {line}" for line in outcome.failure.trace.splitlines()[-6:]]
        if outcome.log is not None:
            lines.append(f"    log: {outcome.log}")
    if outcome.left:
        lines += ["", f"{outcome.name} left behind, now removed:"]
        lines += [f"    {thing}" for thing in outcome.left]
    return lines


def write_times(outcomes: list[Outcome], out: Path, jobs: int) -> None:
    """Seconds for each notebook into times.json, for `python -m course_magics.course timing`."""
    found = engine.in_use() or engine.found()
    about = {
        "engine": f"{found.product} {found.version}" if found else "none",
        "embedded": bool(found and found.lease),
        "processors": os.cpu_count() or 1,
        "jobs": jobs,
        "seconds": {o.name: round(o.seconds, 1) for o in outcomes if o.passed},
    }
    out.mkdir(parents=True, exist_ok=True)
    (out / "times.json").write_text(json.dumps(about, indent=1) + "\n", "utf-8")


def environment(notebook: Path, progress: Path, run: str = "") -> dict[str, str]:
    """A kernel's, as Jupyter gives it for this notebook; progress is not the reader's own.

    run: marks what it makes, so that `undo` finds it.
    """
    found = {"JPY_SESSION_NAME": str(notebook.absolute()), "COURSE_PROGRESS": str(progress)}
    if run:
        found[runs.VARIABLE] = run
    beside = notebook.absolute().parent
    if (beside / "exercises").is_dir() or (beside / "quizzes").is_dir():
        found["COURSE_LESSONS"] = str(beside)
    return {**os.environ, **found}


async def _all(notebooks: list[Path], out: Path | None, jobs: int, mark: str) -> list[Outcome]:
    places = asyncio.Semaphore(jobs)
    done: list[Outcome] = []

    async def one(path: Path) -> Outcome:
        async with places:
            outcome = await _one(
                path, out, Path(folder) / f"{path.stem}.progress", f"{mark}-{path.stem}"
            )
        done.append(outcome)
        result = "ok" if outcome.passed else f"failed: {_why(outcome)}"
        say(f"[{len(done)}/{len(notebooks)}] {path.name} {outcome.seconds:.1f} s, {result}")
        return outcome

    with tempfile.TemporaryDirectory(prefix="course-progress-") as folder:
        return list(await asyncio.gather(*map(one, notebooks)))


async def _one(path: Path, out: Path | None, progress: Path, mark: str) -> Outcome:
    import nbformat

    try:
        read(path)
        book = nbformat.read(path, as_version=4)
    except Exception as error:  # whatever the file holds, it is that file's fault
        words = f"it cannot be read: {error}".splitlines()[0]
        return Outcome(path.name, 0, 0.0, Failure(0, "", words, words))
    cells = sum(c.cell_type == "code" for c in book.cells)
    folder = path.parent
    if out is not None:
        # The machines' folders belong to the copy, not beside the source.
        folder = out / "work" / path.stem
        folder.mkdir(parents=True, exist_ok=True)
        _pictures(path.parent, folder)
    begun = time.monotonic()
    failure = await execute(book, folder, environment(path, progress, mark))
    outcome = Outcome(path.name, cells, time.monotonic() - begun, failure)
    # Before the next notebook begins: what a failed one has left must not slow that down.
    outcome.left = await asyncio.to_thread(undo, mark, folder if out else None)
    if out is not None:
        await asyncio.to_thread(_write, book, path, out)
        outcome.log = _log(outcome, out)
    elif outcome.passed:
        nbformat.write(_stored(book), path)
    return outcome


def _log(outcome: Outcome, out: Path) -> Path | None:
    """All that is known of a failure, in a file; None, and no file of an earlier run, without."""
    log = out / f"{Path(outcome.name).stem}.log"
    log.unlink(missing_ok=True)
    if outcome.passed:
        return None
    failure = outcome.failure
    lines = [outcome.name]
    if failure is not None:
        lines += [f"cell {failure.cell}: {failure.line}", "", failure.trace, ""]
    lines += [f"left behind: {thing}" for thing in outcome.left]
    log.write_text("\n".join(lines) + "\n", "utf-8")
    return log


def _pictures(source: Path, folder: Path) -> None:
    """The drawings beside the notebook, beside its copy as well."""
    if (source / "images").is_dir():
        shutil.copytree(source / "images", folder / "images", dirs_exist_ok=True)


def _write(book: NotebookNode, source: Path, out: Path) -> None:
    import nbformat
    from nbconvert import HTMLExporter

    nbformat.write(book, out / source.name)
    _pictures(source.parent, out)
    page, _ = HTMLExporter(embed_images=True).from_notebook_node(
        _stored(book), {"metadata": {"path": str(source.parent), "name": source.stem}}
    )
    (out / f"{source.stem}.html").write_text(page, "utf-8")


def _stored(book: NotebookNode) -> NotebookNode:
    """The notebook without what is only alive while its kernel is: views, times, counters."""
    for cell in book.cells:
        if cell.cell_type != "code":
            continue
        cell.metadata.pop("execution", None)
        if NOT_STORED in cell.metadata.get("tags", ()):
            cell.outputs = []
        cell.outputs = _joined([o for o in cell.outputs if not _is_view(o)])
        for output in cell.outputs:
            output.get("data", {}).pop(
                WIDGET_VIEW, None
            )  # what is beside it stays: text, a picture
    book.metadata.pop("widgets", None)
    book.metadata["language_info"] = {"name": "python"}
    return book


def _joined(outputs: list[Any]) -> list[Any]:
    """Neighbouring pieces of one stream as one: where they were cut is chance."""
    kept: list[Any] = []
    for output in outputs:
        stream = output.get("name") if output.output_type == "stream" else None
        if stream and kept and kept[-1].get("name") == stream:
            kept[-1].text += output.text
        else:
            kept.append(output)
    return kept


def _is_view(output: Any) -> bool:
    return output.output_type == "display_data" and set(output.data) == {WIDGET_VIEW}

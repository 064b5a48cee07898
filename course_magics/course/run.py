"""Runs notebooks headless: copies and pages of them, or the outputs stored in themselves."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_magics import engine, owned, storage
from course_magics.course.book import NOT_STORED, WIDGET_VIEW, find
from course_magics.display import Grid

if TYPE_CHECKING:
    from nbformat import NotebookNode

#: No cell of the course takes longer (seconds).
_TIMEOUT = 600


@dataclass
class Outcome:
    """One notebook's run. error: "" or the failing cell and its error, a few lines."""

    name: str
    cells: int
    seconds: float
    error: str = ""


def run(places: list[Path], out: Path | None, jobs: int = 1) -> list[Outcome]:
    """Run copies into `out`, or (None) store outputs; `jobs` notebooks at a time.

    A line for each as it ends, then a table in the course's order, then what failed.
    Raises OptionError where `out` holds what we did not write under one of the names needed.
    """
    books = find(places)
    if out is not None:
        _ready(out, books)
    outcomes = _awaited(_all(books, out, jobs))
    print(f"\n{table(outcomes)}")
    for outcome in outcomes:
        if outcome.error:
            print(f"\n{outcome.name}: {outcome.error}")
    return outcomes


def _ready(out: Path, books: list[Path]) -> None:
    """See to it that nothing but our own is written over in `out`."""
    before: list[str] = []
    if {"seconds", "jobs", "processors"} <= _times(out).keys():  # of a version without a marker
        before = _names(place.name for place in (out / "work").glob("*"))
    owned.results(out, _names(book.stem for book in books), before=before)


def _names(stems: Iterable[str]) -> list[str]:
    pages = [f"{stem}{end}" for stem in stems for end in (".ipynb", ".html")]
    return [*pages, "images", "work", "times.json"]


def _times(out: Path) -> dict[str, Any]:
    """What an earlier run has written into times.json; nothing where that is not known."""
    try:
        return storage.read_json(out / "times.json") or {}
    except (OSError, ValueError):
        return {}


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
    """notebook, cells, seconds, result."""
    rows = [
        (o.name, o.cells, f"{o.seconds:.1f}", "failed" if o.error else "passed") for o in outcomes
    ]
    columns = ["notebook", "cells", "seconds", "result"]
    return Grid(columns, rows, frozenset({"cells", "seconds"})).text()


def write_times(outcomes: list[Outcome], out: Path, jobs: int) -> None:
    """Seconds for each notebook into times.json, for `python -m course_magics.course timing`."""
    found = engine.in_use() or engine.found()
    about = {
        "engine": f"{found.product} {found.version}" if found else "none",
        "embedded": bool(found and found.lease),
        "processors": os.cpu_count() or 1,
        "jobs": jobs,
        "seconds": {o.name: round(o.seconds, 1) for o in outcomes if not o.error},
    }
    out.mkdir(parents=True, exist_ok=True)
    (out / "times.json").write_text(json.dumps(about, indent=1) + "\n", "utf-8")


def environment(notebook: Path, progress: Path) -> dict[str, str]:
    """A kernel's, as Jupyter gives it for this notebook; progress is not the reader's own."""
    found = {"JPY_SESSION_NAME": str(notebook.absolute()), "COURSE_PROGRESS": str(progress)}
    beside = notebook.absolute().parent
    if (beside / "exercises").is_dir() or (beside / "quizzes").is_dir():
        found["COURSE_LESSONS"] = str(beside)
    return {**os.environ, **found}


async def _all(notebooks: list[Path], out: Path | None, jobs: int) -> list[Outcome]:
    places = asyncio.Semaphore(jobs)
    done: list[Outcome] = []

    async def one(path: Path) -> Outcome:
        async with places:
            outcome = await _one(path, out, Path(folder) / f"{path.stem}.progress")
        done.append(outcome)
        result = "failed" if outcome.error else "ok"
        print(
            f"[{len(done)}/{len(notebooks)}] {path.name} {outcome.seconds:.1f} s, {result}",
            flush=True,
        )
        return outcome

    with tempfile.TemporaryDirectory(prefix="course-progress-") as folder:
        return list(await asyncio.gather(*map(one, notebooks)))


async def _one(path: Path, out: Path | None, progress: Path) -> Outcome:
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    book = nbformat.read(path, as_version=4)
    cells = [c for c in book.cells if c.cell_type == "code"]
    folder = path.parent
    if out is not None:
        # The machines' folders belong to the copy, not beside the source.
        folder = out / "work" / path.stem
        folder.mkdir(parents=True, exist_ok=True)
        _pictures(path.parent, folder)
    client = NotebookClient(
        book,
        timeout=_TIMEOUT,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        store_widget_state=False,
        # Else each kernel warns on the terminal that it talks over loopback TCP.
        extra_arguments=["--IPKernelApp.log_level=ERROR"],
    )
    begun = time.monotonic()
    error = ""
    try:
        await client.async_execute(env=environment(path, progress))
    except CellExecutionError as failed:
        at = next((i for i, c in enumerate(cells, 1) if _failed(c)), 0)
        error = f"cell {at} failed\n{_plain(failed.traceback)}"
    except (CellTimeoutError, DeadKernelError) as failed:
        error = str(failed).splitlines()[0]
    outcome = Outcome(path.name, len(cells), time.monotonic() - begun, error)
    if out is not None:
        await asyncio.to_thread(_write, book, path, out)
    elif not error:
        nbformat.write(_stored(book), path)
    return outcome


def _pictures(source: Path, folder: Path) -> None:
    """The drawings beside the notebook, beside its copy as well."""
    if (source / "images").is_dir():
        shutil.copytree(source / "images", folder / "images", dirs_exist_ok=True)


def _failed(cell: NotebookNode) -> bool:
    return any(o.output_type == "error" for o in cell.outputs)


def _plain(text: str) -> str:
    lines = re.sub(r"\x1b\[[0-9;]*m", "", text).strip().splitlines()
    return "\n".join(f"    {line}" for line in lines[-6:])


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

"""Runs the course's notebooks headless: `python -m course_magics.course run notebooks --out build`.

`run` writes executed copies and HTML pages and ends with a table; `store` puts the outputs into the
notebooks themselves, which is what nbval compares with later.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_magics.display import Grid

if TYPE_CHECKING:
    from nbformat import NotebookNode

_WIDGET = "application/vnd.jupyter.widget-view+json"
#: The tag of a cell whose output tells of the network or the computer it ran on.
_NOT_STORED = "course-not-stored"
#: No cell of the course takes longer (seconds).
_TIMEOUT = 600


@dataclass
class Outcome:
    """One notebook's run. error: "" or the failing cell and its error, a few lines."""

    name: str
    cells: int
    seconds: float
    error: str = ""


def main(argv: list[str] | None = None) -> int:
    """Run or store; returns 1 when a notebook failed."""
    parser = argparse.ArgumentParser("python -m course_magics.course", description=__doc__)
    words = parser.add_subparsers(dest="word", required=True)
    run = words.add_parser("run", help="execute copies, write them and HTML")
    run.add_argument("places", nargs="+", type=Path)
    run.add_argument("--out", type=Path, default=Path("build"))
    store = words.add_parser("store", help="execute, and keep the outputs in the notebooks")
    store.add_argument("places", nargs="+", type=Path)
    args = parser.parse_args(argv)
    outcomes = []
    notebooks = find(args.places)
    if not notebooks:
        print(f"no notebooks in {', '.join(map(str, args.places))}", file=sys.stderr)
        return 1
    for number, path in enumerate(notebooks, 1):
        print(f"[{number}/{len(notebooks)}] {path.name} ", end="", flush=True)
        outcome = _one(path, args.out if args.word == "run" else None)
        print(f"{outcome.seconds:.1f} s, {'failed' if outcome.error else 'ok'}", flush=True)
        outcomes.append(outcome)
    print(f"\n{table(outcomes)}")
    for outcome in outcomes:
        if outcome.error:
            print(f"\n{outcome.name}: {outcome.error}")
    return int(any(o.error for o in outcomes))


def find(places: list[Path]) -> list[Path]:
    """The notebooks named, and those directly in the folders named, in order."""
    found = []
    for place in places:
        found += sorted(place.glob("*.ipynb")) if place.is_dir() else [place]
    return found


def table(outcomes: list[Outcome]) -> str:
    """notebook, cells, seconds, result."""
    rows = [
        (o.name, o.cells, f"{o.seconds:.1f}", "failed" if o.error else "passed") for o in outcomes
    ]
    columns = ["notebook", "cells", "seconds", "result"]
    return Grid(columns, rows, frozenset({"cells", "seconds"})).text()


def _one(path: Path, out: Path | None) -> Outcome:
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
    client = NotebookClient(
        book,
        timeout=_TIMEOUT,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        store_widget_state=False,
        # Else each kernel warns on the terminal that it talks over loopback TCP.
        extra_arguments=["--IPKernelApp.log_level=ERROR"],
        on_cell_executed=lambda **_: print(".", end="", flush=True),
    )
    begun = time.monotonic()
    error = ""
    try:
        client.execute()
    except CellExecutionError as failed:
        at = next((i for i, c in enumerate(cells, 1) if _failed(c)), 0)
        error = f"cell {at} failed\n{_plain(failed.traceback)}"
    except (CellTimeoutError, DeadKernelError) as failed:
        error = str(failed).splitlines()[0]
    outcome = Outcome(path.name, len(cells), time.monotonic() - begun, error)
    if out is not None:
        _write(book, out, path.stem)
    elif not error:
        nbformat.write(_stored(book), path)
    return outcome


def _failed(cell: NotebookNode) -> bool:
    return any(o.output_type == "error" for o in cell.outputs)


def _plain(text: str) -> str:
    lines = re.sub(r"\x1b\[[0-9;]*m", "", text).strip().splitlines()
    return "\n".join(f"    {line}" for line in lines[-6:])


def _write(book: NotebookNode, out: Path, stem: str) -> None:
    import nbformat
    from nbconvert import HTMLExporter

    nbformat.write(book, out / f"{stem}.ipynb")
    page, _ = HTMLExporter().from_notebook_node(_stored(book))
    (out / f"{stem}.html").write_text(page, "utf-8")


def _stored(book: NotebookNode) -> NotebookNode:
    """The notebook without what is only alive while its kernel is: views, times, counters."""
    for cell in book.cells:
        if cell.cell_type != "code":
            continue
        cell.metadata.pop("execution", None)
        if _NOT_STORED in cell.metadata.get("tags", ()):
            cell.outputs = []
        cell.outputs = _joined([o for o in cell.outputs if not _is_view(o)])
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
    return output.output_type == "display_data" and set(output.data) == {_WIDGET}


if __name__ == "__main__":
    sys.exit(main())

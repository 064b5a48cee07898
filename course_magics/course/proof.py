"""`course-magics test`: does a notebook keep what it promises?

Its form is read; the real pytest runs it under nbval, strictly; its exercise is played.
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from course_magics.course.book import read
from course_magics.course.form import exercises
from course_magics.course.lint import lint
from course_magics.display import Grid
from course_magics.errors import OptionError

#: The package's own sanitizer: what cannot be the same in two runs.
SANITIZER = Path(__file__).parents[1] / "nbval.cfg"
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_LINES = 12


@dataclass
class Proof:
    """What was found of one notebook. cells, seconds: 0 where it was not run."""

    name: str
    cells: int = 0
    seconds: float = 0.0
    form: list[str] = field(default_factory=list)
    run: list[str] = field(default_factory=list)
    plays: int = 0
    exercise: list[str] = field(default_factory=list)

    @property
    def faults(self) -> list[str]:
        """All of them, in the order in which they were looked for."""
        return [*self.form, *self.run, *self.exercise]


def check_tools() -> None:
    """Raises OptionError with what to install where pytest or nbval is missing."""
    missing = [name for name in ("pytest", "nbval") if importlib.util.find_spec(name) is None]
    if missing:
        raise OptionError(
            f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} needed to run "
            "notebooks strictly",
            hint=f"pip install {' '.join(missing)}\n--fast only reads the notebooks",
        )


def prove(
    notebooks: list[Path], say: Callable[[str], None], *, fast: bool = False, jobs: int = 1
) -> list[Proof]:
    """Test the notebooks, `jobs` at a time; says one line for each as it ends."""
    done = 0

    def one(path: Path) -> Proof:
        nonlocal done
        faults = lint(path)
        proof = Proof(path.name, form=[str(fault) for fault in faults])
        if not fast and path.is_file() and not any(f.rule == "file" for f in faults):
            _run(path, proof)
            _play(path, proof)
        done += 1
        result = counted(len(proof.faults), "fault") if proof.faults else "ok"
        took = "" if fast else f" {proof.seconds:.1f} s,"
        say(f"[{done}/{len(notebooks)}] {path.name}{took} {result}")
        return proof

    with ThreadPoolExecutor(max_workers=jobs) as pool:
        return list(pool.map(one, notebooks))


def table(proofs: list[Proof], *, fast: bool = False) -> str:
    """What `course-magics test` ends with."""
    if fast:
        columns = ["notebook", "form"]
    else:
        columns = ["notebook", "form", "cells", "seconds", "nbval", "plays", "exercise"]

    def verdict(faults: list[str]) -> str:
        return counted(len(faults), "fault") if faults else "ok"

    rows: list[tuple[object, ...]] = []
    for p in proofs:
        ran = (p.cells, f"{p.seconds:.1f}", verdict(p.run), p.plays, verdict(p.exercise))
        rows.append((p.name, verdict(p.form), *(() if fast else ran)))
    return Grid(columns, rows, frozenset({"cells", "seconds", "plays"})).text()


def counted(number: int, what: str) -> str:
    """ "no faults", "1 fault", "2 faults"."""
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"


def _run(path: Path, proof: Proof) -> None:
    """The notebook under nbval, in a pytest of its own that reads no settings but ours."""
    with tempfile.TemporaryDirectory(prefix="course-test-") as folder:
        report = Path(folder) / "report.xml"
        words = [
            *(sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "--rootdir", folder),
            *("--confcutdir", str(path.absolute().parent)),  # no conftest.py of a folder above
            *("-p", "no:cacheprovider", "-p", "course_magics.course.session", "--color=no"),
            *("-p", "no:randomly"),  # cells in another order are another notebook
            *("--nbval", "--nbval-kernel-name", "python3"),
            *("--nbval-sanitize-with", str(SANITIZER), f"--junitxml={report}", f"./{path.name}"),
        ]
        begun = time.monotonic()
        done = subprocess.run(
            words, check=False, cwd=path.parent, capture_output=True, text=True, errors="replace"
        )
        proof.seconds = time.monotonic() - begun
        cells = list(ElementTree.parse(report).iter("testcase")) if report.is_file() else []
    proof.cells = len(cells)
    for number, cell in enumerate(cells, 1):
        for fault in (*cell.findall("failure"), *cell.findall("error")):
            proof.run.append(f"{path.name} code cell {number}: {_short(fault.text or '')}")
    if done.returncode and not proof.run:
        said = (done.stdout + done.stderr).strip().splitlines()[-_LINES:]
        proof.run.append(f"{path.name}: pytest ended with status {done.returncode}\n" + _in(said))


def _play(path: Path, proof: Proof) -> None:
    """Its exercises: does the check tell right from wrong, does each hint fit?"""
    from course_magics.lessons.exercise import Exercise, lacks
    from course_magics.lessons.play import play

    for name in exercises(read(path)):
        folder = path.absolute().parent / "exercises" / name
        if not lacks(folder):
            played = play(Exercise(name, folder))
            proof.plays += played.plays
            proof.exercise += played.faults


def _short(text: str) -> str:
    lines = [line.rstrip() for line in _COLOUR.sub("", text).splitlines() if line.strip()]
    lines = [line for line in lines if not re.fullmatch(r"[ =<>-]*", line)]
    cut = [*lines[:_LINES], *([f"… {len(lines) - _LINES} lines more"] * (len(lines) > _LINES))]
    return "\n".join([cut[0] if cut else "it failed", *[f"    {line}" for line in cut[1:]]])


def _in(lines: list[str]) -> str:
    return "\n".join(f"    {line}" for line in lines)

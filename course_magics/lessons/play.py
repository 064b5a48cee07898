"""Plays an exercise in a real kernel, as CI does: does its check tell right from wrong?

Untouched, its check fails. In the state of each hint it fails, and what it misses first names this
hint. After each solution it passes. In the end nothing is left. Between plays stands reset.md.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from course_magics.errors import CourseError, LessonError
from course_magics.lessons import find
from course_magics.lessons.exercise import Exercise, cells
from course_magics.lessons.finding import Finding
from course_magics.patience import LONGER, Patience, limit, until

#: A cell of a play has failed that says nothing for so many times the setting `patience`: it may
#: wait in silence for several things, one after the other.
_SILENT = 10
#: So often the kernel is asked whether it is ready, and looked for what it says (seconds).
_READY, _LOOK = 10, 1
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
#: Marks our own line in what a kernel prints.
_MARK = "course-magics-play:"
#: What the kernel is given to look with.
_HELPERS = f"""
def _judge(name):
    import json
    from course_magics.lessons import State, find
    found = find.exercise(name).judge(State())
    print("{_MARK}" + json.dumps([[f.ok, f.words, f.hint] for f in found]))

def _left(name):
    import json
    from course_magics.lessons import play
    print("{_MARK}" + json.dumps(play.left(name)))
"""


@dataclass
class Played:
    """An exercise that was played. plays: how many there were. faults: what went wrong in which."""

    name: str
    plays: int = 0
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether all was as it must be."""
        return not self.faults


class _Failed(Exception):
    """A cell of a play failed: its last lines."""


def play(exercise: Exercise, say: Callable[[str], None] = lambda line: None) -> Played:
    """Play all of an exercise in a kernel and a folder of its own. say: told of each play."""
    found = Played(exercise.name)
    begun = time.monotonic()
    try:
        _Player(exercise, found, say).all()
    except (CourseError, _Failed) as error:
        found.faults.append(f"{exercise.name}: {error}")
    found.seconds = time.monotonic() - begun
    return found


def needs_machine(exercise: Exercise) -> bool:
    """Whether a machine is booted for it."""
    texts = [
        exercise.solution,
        exercise.other_way,
        *(s for h in exercise.hints.values() for s in h.state),
    ]
    return any(re.search(r"%vagrant\b|\bvagrant up\b", text) for text in texts)


class _Player:
    def __init__(self, exercise: Exercise, found: Played, say: Callable[[str], None]) -> None:
        self.exercise, self.found, self.say = exercise, found, say

    def all(self) -> None:
        exercise = self.exercise
        named = set(re.findall(r"""hint=\s*["']([\w-]+)["']""", exercise.read("check.py")))
        for name in sorted(named - set(exercise.hints)):
            self._fault("files", f"check.py names the hint {name}, hints/{name}.md is missing")
        for name in sorted(set(exercise.hints) - named):
            self._fault("files", f"hints/{name}.md is there, check.py never names it")
        for file in ("solution.md", "other-way.md", "reset.md"):
            if not cells(exercise.read(file)):
                self._fault("files", f"{file} has no ```cell block")
        with _folder() as folder, _kernel(exercise, folder) as kernel:
            self._kernel, self._work = kernel, folder / "work"
            kernel.run("%load_ext course_magics")
            kernel.run(f"%lesson {exercise.name}")
            kernel.run(_HELPERS)
            try:
                self._play("untouched", [], self._fails)
                for hint in exercise.hints.values():
                    self._play(f"hint {hint.name}", hint.state, partial(self._names, hint.name))
                self._play("solution.md", cells(exercise.solution), self._passes)
                self._play("other-way.md", cells(exercise.other_way), self._passes)
            finally:
                self._at_last()

    def _play(
        self, what: str, steps: Sequence[str], judged: Callable[[list[Finding]], str]
    ) -> None:
        """Reset, run the cells, judge twice. A fault is noted, and the next play goes on."""
        self.say(f"{self.exercise.name}: {what}")
        self.found.plays += 1
        try:
            self._run("reset.md", self.exercise.reset)
            self._run("", steps)
            seen, again = self._judge(), self._judge()
        except _Failed as error:
            self._fault(what, str(error))
            return
        if fault := judged(seen):
            self._fault(what, fault, seen)
        elif seen != again:
            self._fault(what, "the same state was judged in two ways; the second one:", again)

    def _at_last(self) -> None:
        """Reset twice, for nothing to remove is no failure; then nothing may be left."""
        self.found.plays += 1
        left: list[str] = []
        try:
            self._run("reset.md", self.exercise.reset)
            self._run("reset.md once more", self.exercise.reset)
            left += self._kernel.data(f"_left({self.exercise.name!r})")
        except _Failed as error:
            self._fault("the last reset", str(error))
        left += self._machines()
        if left:
            self._fault("the last reset", f"it leaves: {', '.join(left)}")

    def _machines(self) -> Iterator[str]:
        """The machines that are left. They are removed: without their folder nobody finds them."""
        for id in sorted(self._work.rglob(".vagrant/machines/*/*/id")):
            folder, name = id.parents[4].relative_to(self._work), id.parts[-3]
            with contextlib.suppress(_Failed):
                self._kernel.run(f"%vagrant destroy -f --dir '{folder}' {name}")
            yield f"machine {name} in {folder}"

    def _run(self, file: str, steps: Sequence[str]) -> None:
        for number, cell in enumerate(steps, 1):
            try:
                self._kernel.run(cell)
            except _Failed as error:
                where = f"cell {number}" + (f" of {file}" if file else "")
                raise _Failed(f"{where} failed: {cell.splitlines()[0]}\n{error}") from None

    def _judge(self) -> list[Finding]:
        try:
            return [Finding(*f) for f in self._kernel.data(f"_judge({self.exercise.name!r})")]
        except _Failed as error:
            raise _Failed(f"the check failed\n{error}") from None

    def _fails(self, seen: list[Finding]) -> str:
        if all(f.ok for f in seen):
            return "the check passes, though nothing was done"
        return ""

    def _passes(self, seen: list[Finding]) -> str:
        return "" if all(f.ok for f in seen) else "the check does not pass"

    def _names(self, wanted: str, seen: list[Finding]) -> str:
        first = next((f for f in seen if not f.ok), None)
        if first is None:
            return "the check passes"
        if first.hint != wanted:
            return f"the first thing missing names the hint {first.hint or '(none)'}"
        return ""

    def _fault(self, what: str, words: str, seen: Sequence[Finding] = ()) -> None:
        lines = [f"{self.exercise.name}, {what}: {words}"]
        for f in seen:
            lines.append(
                f"    {'✔' if f.ok else '✘'} {f.words}" + f" (hint {f.hint})" * bool(f.hint)
            )
        self.found.faults.append("\n".join(lines))


def left(name: str) -> list[str]:
    """What this process has made on its engine, or this user for the exercise `name`."""
    from course_magics import engine, labels
    from course_magics.containers import ours

    found = engine.in_use()
    if found is None:
        return []
    asked = (labels.mine(f"{labels.LESSON}={name}"), labels.session())
    with engine.talking_to(found, "docker ps -a") as api:
        return sorted(
            [f"container {ours.name_of(c)}" for c in ours.containers(api, asked)]
            + [f"network {n['Name']}" for n in ours.networks(api, asked)]
            + [f"volume {v['Name']}" for v in ours.volumes(api, asked)]
        )


class _Kernel:
    """A kernel that runs cells to their end."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def run(self, cell: str) -> str:
        """Run a cell; returns what it printed. Raises _Failed with its last lines."""
        printed: list[str] = []

        def note(message: dict[str, Any]) -> None:
            content = message["content"]
            if message["msg_type"] == "stream":
                printed.append(content["text"])
            elif message["msg_type"] in ("execute_result", "display_data"):
                printed.append(content["data"].get("text/plain", "") + "\n")
            elif message["msg_type"] == "error":
                printed.append("\n".join(content["traceback"]))

        try:
            reply = self._reply(cell, note)
        except RuntimeError:
            raise _Failed("    the kernel died") from None
        text = _COLOUR.sub("", "".join(printed))
        if reply["content"]["status"] != "ok":
            lines = [line for line in text.strip().splitlines() if line.strip()]
            raise _Failed("\n".join(f"    {line}" for line in lines[-8:]))
        return text

    def _reply(self, cell: str, note: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
        """The answer to a cell. note: told what it prints. Raises _Failed, RuntimeError."""
        asked = self._client.execute(cell, allow_stdin=False)
        patience, heard, idle = Patience(_SILENT * limit()), 0, False
        while not idle:
            patience.saw(heard)
            if patience.over:
                raise _Failed(f"    it has said nothing for {patience.seconds:.0f} s")
            try:
                message = self._client.get_iopub_msg(timeout=_LOOK)
            except queue.Empty:
                if not self._client.is_alive():
                    raise RuntimeError("the kernel died") from None
                continue
            heard += 1
            if message["parent_header"].get("msg_id") == asked:
                note(message)
                idle = message["content"].get("execution_state") == "idle"
        while True:
            try:
                reply: dict[str, Any] = self._client.get_shell_msg(timeout=limit())
            except queue.Empty:
                raise _Failed("    the kernel gave no answer") from None
            if reply["parent_header"].get("msg_id") == asked:
                return reply

    def data(self, cell: str) -> Any:
        """Run a cell that prints JSON after our mark."""
        text = self.run(cell)
        line = next((n for n in text.splitlines() if n.startswith(_MARK)), None)
        if line is None:
            raise _Failed("    the kernel gave no answer")
        return json.loads(line.removeprefix(_MARK))


@contextlib.contextmanager
def _kernel(exercise: Exercise, folder: Path) -> Iterator[_Kernel]:
    """A kernel in `folder`/work, told who it is; ended in any case."""
    from jupyter_client.manager import KernelManager

    lessons = exercise.folder.parent.parent
    number = re.match(r"\d+-", exercise.name)
    same = sorted(lessons.glob(f"{number[0]}*.ipynb")) if number else []
    # As Jupyter tells a kernel: compose names a project after it.
    notebook = same[0].name if same else f"{exercise.name}.ipynb"
    environment = {
        **os.environ,
        "COURSE_LESSONS": str(lessons),
        "COURSE_PROGRESS": str(folder / "progress.json"),
        "JPY_SESSION_NAME": str(folder / "work" / notebook),
    }
    (folder / "work").mkdir()
    manager: Any = KernelManager(kernel_name="python3")
    quiet = ["--IPKernelApp.log_level=ERROR"]
    manager.start_kernel(cwd=str(folder / "work"), env=environment, extra_arguments=quiet)
    client = manager.client()
    try:
        client.start_channels()
        _ready(manager, client)
        yield _Kernel(client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel()


def _ready(manager: Any, client: Any) -> None:
    """Wait until the kernel answers, as long as it computes. Raises LessonError."""
    psutil: Any = import_module("psutil")  # ipykernel needs it too
    kernel = psutil.Process(manager.provisioner.pid)

    def answers() -> bool:
        try:
            client.wait_for_ready(timeout=_READY)
        except RuntimeError as error:
            if not manager.is_alive():
                raise LessonError(f"no kernel starts: {error}") from None
            return False
        return True

    def computed() -> float:
        with contextlib.suppress(psutil.Error):
            return float(sum(kernel.cpu_times()))
        return 0.0

    if not until(answers, sign=computed):
        raise LessonError(f"no kernel starts: it has done nothing for {limit():.0f} s", hint=LONGER)


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """A folder that goes afterwards. Not in /tmp, which the embedded engine's containers lack."""
    from course_magics.guest.model import cache_dir

    place = cache_dir() / "plays"
    place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place, ignore_cleanup_errors=True) as name:
        yield Path(name)


def chosen(names: Sequence[str]) -> Iterator[Exercise]:
    """The exercises of these names, or all. Raises LessonError."""
    known = find.exercises()
    if not (names or known):
        find.exercise("")  # says where they are looked for
    for name in names or known:
        yield find.exercise(name)

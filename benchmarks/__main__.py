"""Measures ours and theirs in turn (A B A B …) and prints medians and ratios.

Usage: python -m benchmarks [--only NAME] [--repeat N]. Writes build/bench.json. A target that is
missed is shown as missed. Ours is a cell in a running IPython; theirs is the plain command, with
its own start, since that is what a terminal user waits for.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

from course_magics import engine
from course_magics.display import Grid
from course_magics.engine import names
from course_magics.engine.embedded.prepare import prepare
from course_magics.errors import Interrupted
from tests.fake_engine import fake_engine

IMAGE = "course/busybox"
NAME = f"bench-{os.getpid()}"
DOCKERFILE = f"FROM {IMAGE}\nRUN echo a > /a\nRUN echo b > /b\n"
QUIET: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)


@dataclass
class Row:
    """One comparison: medians in seconds, their ratio, the target for it.

    absolute: the target is for our seconds, though there is something beside them.
    """

    what: str
    ours: float
    theirs: float | None
    target: float | None
    runs: int
    absolute: bool = False

    @property
    def in_seconds(self) -> bool:
        return self.absolute or self.theirs is None

    @property
    def reached(self) -> bool:
        """Whether the target is met (a ratio, or seconds)."""
        return self.target is None or self.value <= self.target

    @property
    def value(self) -> float:
        return self.ours if self.in_seconds or self.theirs is None else self.ours / self.theirs


def main() -> int:
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    parser.add_argument("--only", default="", help="only those whose name holds this word")
    parser.add_argument("--repeat", type=int, default=9, help="counted runs of each")
    args = parser.parse_args()
    rows = []
    for name, bench in BENCHES.items():
        if args.only in name:
            print(f"{name} …", end=" ", flush=True)
            row = bench(args.repeat)
            print(f"{row.value:.2f}")
            rows.append(row)
    print(f"\n{table(rows)}")
    print(
        f"\nmedians of {args.repeat} runs each (machines: fewer), ours and theirs in turn, after "
        f"one of each that is not counted; engine {engine.current().version}, "
        f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}"
    )
    Path("build").mkdir(exist_ok=True)
    data = [{**asdict(r), "value": r.value, "reached": r.reached} for r in rows]
    Path("build/bench.json").write_text(json.dumps(data, indent=1))
    return 0


def table(rows: list[Row]) -> str:
    """what, ours, theirs, ratio, target, reached."""
    cells = [
        (
            r.what,
            f"{r.ours:.3f}",
            "" if r.theirs is None else f"{r.theirs:.3f}",
            "" if r.theirs is None else f"{r.ours / r.theirs:.2f}",
            "" if r.target is None else f"{r.target:g}" + (" s" if r.in_seconds else ""),
            "" if r.target is None else "yes" if r.reached else "MISSED",
        )
        for r in rows
    ]
    columns = ["what", "ours (s)", "theirs (s)", "ratio", "target", "reached"]
    return Grid(columns, cells, frozenset(columns[1:5])).text()


# --- measuring --------------------------------------------------------------------------------


def shell() -> InteractiveShell:
    """An IPython with the extension, as a notebook's kernel has it."""
    found = InteractiveShell.instance()
    with contextlib.redirect_stdout(io.StringIO()):  # it says so when it is loaded already
        found.run_line_magic("load_ext", "course_magics")
    return found


def cell(text: str) -> Callable[[], None]:
    """Runs a cell, its output thrown away as the plain command's is."""
    ip: Any = shell()

    def run() -> None:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            ip.run_cell(text).raise_error()

    return run


def plain(*words: str, text: str | None = None, **options: object) -> Callable[[], None]:
    """Runs the plain command."""

    def run() -> None:
        how = {**QUIET, **options}
        if text is not None:
            del how["stdin"]
        subprocess.run(words, check=True, input=text and text.encode(), **how)

    return run


def seconds(run: Callable[[], None]) -> float:
    begun = time.perf_counter()
    run()
    return time.perf_counter() - begun


def versus(
    what: str,
    ours: Callable[[], None],
    theirs: Callable[[], None],
    target: float | None,
    repeat: int,
) -> Row:
    """Medians of both, in turn."""
    mine, other = medians(lambda: seconds(ours), lambda: seconds(theirs), repeat)
    return Row(what, mine, other, target, repeat)


def medians(
    ours: Callable[[], float], theirs: Callable[[], float], repeat: int
) -> tuple[float, float]:
    """Of the seconds that both say they took, in turn; the first pair is not counted."""
    pairs = [(ours(), theirs()) for _ in range(repeat + 1)][1:]
    mine, other = (statistics.median(column) for column in zip(*pairs, strict=True))
    return mine, other


# --- the comparisons ----------------------------------------------------------------------------


def run(repeat: int) -> Row:
    words = ("run", "--rm", IMAGE, "true")
    line = " ".join(words)
    return versus("run --rm", cell(f"%container {line}"), plain("docker", *words), 0.95, repeat)


def interrupt(repeat: int) -> Row:
    """From ■ (SIGINT) to the end of a foreground container, which is gone then."""
    asked = f"name={NAME}-stop"

    def after(ours: bool) -> float:
        words = ("run", "--rm", "--init", "--name", f"{NAME}-stop", IMAGE, "sleep", "999")
        pressed: list[float] = []

        def press() -> None:
            while not subprocess.check_output(["docker", "ps", "-q", "-f", asked]):
                time.sleep(0.05)
            pressed.append(time.perf_counter())
            os.kill(process.pid if process else os.getpid(), signal.SIGINT)

        process = None if ours else subprocess.Popen(["docker", *words], **QUIET)
        presser = threading.Thread(target=press)
        presser.start()
        if process:
            process.wait()
        else:
            with contextlib.suppress(Interrupted):
                cell(f"%container {' '.join(words)}")()
        ended = time.perf_counter()
        presser.join()
        return ended - pressed[0]

    mine, other = medians(lambda: after(True), lambda: after(False), repeat)
    return Row("■ in run --rm", mine, other, 1, repeat, absolute=True)


def classic() -> None:
    """The same builder on both sides: the client's own default depends on its plugins."""
    os.environ["DOCKER_BUILDKIT"] = "0"
    os.environ["COURSE_BUILDER"] = "classic"


def cached(repeat: int) -> Row:
    classic()
    ours = cell(f"%%dockerfile -t {NAME}-ours\n{DOCKERFILE}")
    theirs = plain("docker", "build", "-t", f"{NAME}-theirs", "-", text=DOCKERFILE)
    with removing_images():
        return versus("build, cached", ours, theirs, 0.9, repeat)


def uncached(repeat: int) -> Row:
    classic()
    ours = cell(f"%%dockerfile --no-cache -t {NAME}-ours\n{DOCKERFILE}")
    words = ("docker", "build", "--no-cache", "-t", f"{NAME}-theirs", "-")
    with removing_images():
        return versus("build, uncached", ours, plain(*words, text=DOCKERFILE), None, repeat)


@contextlib.contextmanager
def removing_images() -> Iterator[None]:
    try:
        yield
    finally:
        for who in ("ours", "theirs"):
            subprocess.run(["docker", "rmi", "-f", f"{NAME}-{who}"], check=False, **QUIET)


def ps(count: int) -> Callable[[int], Row]:
    def bench(repeat: int) -> Row:
        api = engine.current().api
        made = [
            api.create_container(IMAGE, ["true"], name=f"{NAME}-{i}")["Id"] for i in range(count)
        ]
        try:
            return versus(
                f"ps -a, {count} containers",
                cell("%container ps -a"),
                plain("docker", "ps", "-a"),
                0.5,
                repeat,
            )
        finally:
            for id in made:
                api.remove_container(id, force=True)

    return bench


@contextlib.contextmanager
def machine() -> Iterator[Path]:
    """A running machine; destroyed at the end."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "Vagrantfile").write_text(
            'Vagrant.configure("2") do |config|\n  config.vm.box = "course/debian12"\n'
            '  config.vm.synced_folder ".", "/vagrant", disabled: true\nend\n'
        )
        cell(f"%vagrant up --dir {folder}")()
        try:
            yield Path(folder)
        finally:
            cell(f"%vagrant destroy --dir {folder}")()


def vagrant(words: str, target: float) -> Callable[[int], Row]:
    def bench(repeat: int) -> Row:
        environment = {**os.environ, "VAGRANT_CHECKPOINT_DISABLE": "1"}
        with machine() as folder:
            return versus(
                f"vagrant {words}",
                cell(f"%vagrant {words} --dir {folder}"),
                plain("vagrant", *words.split(), cwd=folder, env=environment),
                target,
                max(repeat // 2, 3),
            )

    return bench


def load(repeat: int) -> Row:
    """`%load_ext` in a fresh process that has IPython already, as a new kernel has."""
    code = (
        "import time\nfrom IPython.core.interactiveshell import InteractiveShell as S\n"
        "s = S.instance()\nt = time.perf_counter()\ns.run_line_magic('load_ext', 'course_magics')\n"
        "print(time.perf_counter() - t)"
    )
    times = [float(subprocess.check_output([sys.executable, "-c", code])) for _ in range(repeat)]
    return Row("%load_ext", statistics.median(times), None, 0.06, repeat)


# --- the embedded engine beside the native one ---------------------------------------------------

#: A fresh process, as a new kernel in a new pod is: nothing runs, nothing is stored.
FIRST = """
import io, contextlib, time
from IPython.core.interactiveshell import InteractiveShell
shell, begun = InteractiveShell.instance(), time.perf_counter()
with contextlib.redirect_stdout(io.StringIO()):
    shell.run_line_magic("load_ext", "course_magics")
    shell.run_cell("%container run --rm course/busybox true").raise_error()
print(time.perf_counter() - begun)
shell.run_cell("%engine reset")
"""


@contextlib.contextmanager
def embedded() -> Iterator[dict[str, str]]:
    """The environment of an embedded engine of the benchmark's own; emptied at the end."""
    prepare(print)
    with tempfile.TemporaryDirectory() as folder:
        mine = {"COURSE_STATE": folder, "COURSE_ENGINE": "embedded"}
        os.environ.update(mine)
        engine.forget()
        try:
            yield {**os.environ}
        finally:
            cell("%engine reset")()
            for name in mine:
                del os.environ[name]
            engine.forget()


def embedded_first(repeat: int) -> Row:
    with embedded() as environment:
        words = [sys.executable, "-c", FIRST]
        times = [
            float(subprocess.check_output(words, env=environment).split()[0])
            for _ in range(max(repeat // 3, 3))
        ]
    return Row("embedded: first container", statistics.median(times), None, 8, len(times))


def beside_native(
    what: str, text: str, target: float, *words: str, stdin: str = ""
) -> Callable[..., Row]:
    """A cell on the embedded engine, the docker command on the native one, in turn."""

    def bench(repeat: int) -> Row:
        classic()
        theirs = plain(*words, text=stdin or None)
        with embedded():
            row = versus(f"embedded: {what}", cell(text), theirs, target, repeat)
        row.absolute = True
        return row

    return bench


def vagrant_up(repeat: int) -> Row:
    times = []
    for _ in range(max(repeat // 3, 3)):
        begun = time.perf_counter()
        with machine():
            times.append(time.perf_counter() - begun)
    return Row("vagrant up", statistics.median(times), None, 12, len(times))


#: Some 500 MB in 30 000 files, of which the last step removes a fifth.
LARGE = """FROM course/debian
RUN for d in $(seq 80); do mkdir -p /data/$d; \\
    head -c 4194304 /dev/urandom | split -a 3 -b 16384 - /data/$d/; done
RUN for d in $(seq 20); do rm -r /data/$d; mkdir -p /more/$d; \\
    head -c 4194304 /dev/urandom | split -a 3 -b 16384 - /more/$d/; done
"""
#: In a process of its own, which tells the most memory it has had (kB).
ANALYSE = """
import resource, sys
from course_magics.containers.layers import layers
layers(sys.argv[1], "")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def layers(repeat: int) -> Row:
    """Analysis of a 500 MB image beside `docker save` of it; at most 300 MB of memory."""
    classic()
    name = f"{NAME}-ours"
    with removing_images():
        cell(f"%%dockerfile -t {name}\n{LARGE}")()
        memory = int(subprocess.check_output([sys.executable, "-c", ANALYSE, name])) / 1024
        row = versus(
            f"layers of 500 MB, {memory:.0f} MB of memory",
            cell(f"%container layers {name}"),
            plain("docker", "save", name),
            1.5,
            max(repeat // 3, 3),
        )
    if memory > 300:
        row.what += " (MISSED: 300)"
    return row


# --- how long Tab takes --------------------------------------------------------------------------


def tab(text: str) -> Callable[[], None]:
    """What the kernel does for a Tab at the end of `text`."""
    ip: Any = shell()

    def run() -> None:
        with provisionalcompleter():
            list(ip.Completer.completions(text, len(text)))

    return run


@contextlib.contextmanager
def fake(state: str) -> Iterator[None]:
    """A fake engine in use, with 500 containers: slow or hung is no real one on demand."""
    slow = 1 if state == "slow" else 0
    with (
        tempfile.TemporaryDirectory() as folder,
        fake_engine(Path(folder), slow) as (url, process),
    ):
        engine.use(url)
        try:
            if state == "hung":
                process.send_signal(signal.SIGSTOP)
            elif state == "down":
                process.kill()
                process.wait()
            else:
                tab("%container exec ")()  # asks for the first time
                time.sleep(2 * slow + 0.5)
            yield
        finally:
            engine.use("")


def latency(state: str) -> Callable[[int], Row]:
    """A Tab that asks the engine anew each time, as after each cell; the target is the issue's."""

    def bench(repeat: int) -> Row:
        text = "%container exec "
        press = tab(text)
        times = []
        with contextlib.nullcontext() if state == "up" else fake(state):
            engine.current()
            for _ in range(repeat + 1):
                names.changed()
                times.append(seconds(press))
        return Row(f"Tab, engine {state}", statistics.median(times[1:]), None, 0.15, repeat)

    return bench


BENCHES: dict[str, Callable[[int], Row]] = {
    "load": load,
    "run": run,
    "interrupt": interrupt,
    "build-cached": cached,
    "build-uncached": uncached,
    "ps-50": ps(50),
    "ps-200": ps(200),
    "ssh": vagrant("ssh -c true", 0.35),
    "status": vagrant("status", 0.5),
    "vagrant-up": vagrant_up,
    "layers": layers,
    "tab-up": latency("up"),
    "tab-500": latency("with 500 containers"),
    "tab-slow": latency("slow"),
    "tab-hung": latency("hung"),
    "tab-down": latency("down"),
    "embedded-first": embedded_first,
    "embedded-run": beside_native(
        "run --rm",
        f"%container run --rm {IMAGE} true",
        2.5,
        *("docker", "run", "--rm", IMAGE, "true"),
    ),
    "embedded-build": beside_native(
        "build, two steps",
        f"%%dockerfile --no-cache -t {NAME}\n{DOCKERFILE}",
        6,
        *("docker", "build", "--no-cache", "-q", "-"),
        stdin=DOCKERFILE,
    ),
}

if __name__ == "__main__":
    sys.exit(main())

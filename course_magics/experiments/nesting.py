"""A machine in a container, and a machine in that machine: each level timed by one clock.

The image course/qemu does the work at each level and boots the next; its lines are stamped as they
come, so that no guest's own idea of time counts.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator

from course_magics import engine
from course_magics.errors import CourseError, EngineError
from course_magics.experiments.lab import Lab, clock
from course_magics.experiments.quantity import SECONDS
from course_magics.experiments.result import Measurement, Series
from course_magics.guest.nested import tiny
from course_magics.patience import LONGER, Patience, limit

IMAGE = "course/qemu"
#: A level that has not spoken for so many times the setting `patience` is not waited for: each
#: is an emulated machine in an emulated machine, and a boot has few lines.
_SILENT = 10


def run(lab: Lab) -> Measurement:
    """The container works, the machine in it boots and works, and so does the one in that."""
    emulated, note, depth = False, "", 0
    boots: dict[int, list[float]] = {}
    works: dict[int, list[float]] = {}
    with lab.noting("container"):
        emulated, note = lab.engine_emulated
        # On the embedded engine the container is in an emulated machine already.
        depth = 1 if lab.quick or emulated else 2
        runs = lab.runs(1, 1)
        lab.expect(runs * (6 * depth + 4))
        if not has_image():
            raise_missing = f"{IMAGE} is not built: course-magics images build qemu (half a minute)"
            raise EngineError(raise_missing)
        for _ in range(runs):
            for level, what, seconds in levels(lab, depth):
                (boots if what == "boot" else works).setdefault(level, []).append(seconds)
    why = lab.missing.get("container", "")
    series = [
        Series("container", SECONDS, tuple(works.get(0, ())), "the work", emulated, why, note)
    ]
    for level in sorted(set(boots) | set(works)):
        if level:
            deep = "machine in it" if level == 1 else "machine in that machine"
            name = f"level {level}"
            series += [
                Series(name, SECONDS, tuple(boots.get(level, ())), "boot", True, "", deep),
                Series(name, SECONDS, tuple(works.get(level, ())), "the work", True, "", deep),
            ]
    silent = [level for level in range(1, depth + 1) if level not in works]
    series += [
        Series(f"level {level}", SECONDS, (), "the work", True, "its machine has not answered")
        for level in ([] if why else silent)
    ]
    if emulated and not why:
        series.append(
            Series(
                "level 2", SECONDS, (), "boot", True,
                "not tried: the embedded engine's containers are in an emulated machine already",
            )
        )  # fmt: skip
    how = lab.how(
        "1 run" if lab.runs(1, 1) == 1 else f"{lab.runs(1, 1)} runs",
        ("image", f"{IMAGE}: Debian's QEMU and kernel; two levels deep a kernel of 300 bytes"),
        ("boot", "from the start of QEMU to the first line of the machine"),
        ("work", f"a loop, {tiny.COUNT:,} times; the same instructions at each level"),
        ("clock", "this computer's, at the moment a line arrives"),
    )
    return Measurement("nesting", "Machines in machines", series, how)


def has_image() -> bool:
    """Whether the engine has the image."""
    from docker.errors import ImageNotFound

    with engine.talking("docker image inspect") as api:
        try:
            api.inspect_image(IMAGE)
        except ImageNotFound:
            return False
    return True


def prepare(say: Callable[[str], None] = print) -> bool:
    """See to it that the engine has the image; True where it has.

    It is made where its files are in the cache or can be fetched; otherwise `say` is told why not.
    """
    from course_magics import guest

    if has_image():
        return True
    try:
        with engine.talking("docker build") as api:
            guest.build_images(api, lambda line: None, ["course/qemu"])
    except CourseError as error:
        say(f"{IMAGE} cannot be made here: {error.message}")
        return False
    return True


def levels(lab: Lab, depth: int) -> Iterator[tuple[int, str, float]]:
    """Level, "boot" or "work", and the seconds it took, as they come."""
    begun = {"boot": 0.0, "begin": 0.0}
    id = lab.new_container(["nest", str(depth)], image=IMAGE)
    try:
        for line in _lines(lab, id):
            words = line.split()
            if len(words) < 3 or words[0] != "nest" or not words[1].isdigit():
                continue
            level, word = int(words[1]), words[2]
            if word == "kernel" and level:
                yield level, "boot", clock() - begun["boot"]
            elif word == "end":
                yield level, "work", clock() - begun["begin"]
            elif word in begun:
                begun[word] = clock()
            with lab.step(f"level {level}: {word}"):
                pass
    finally:
        lab.remove_container(id)


def _lines(lab: Lab, id: str) -> Iterator[str]:
    """The container's lines as they come; ends with it, or when it says nothing for too long."""
    pieces: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()

    def read() -> None:
        try:
            for piece in lab.api.logs(id, stream=True, follow=True):
                pieces.put(piece)
        except Exception:
            pass  # it was removed: the end, too
        pieces.put(None)

    threading.Thread(target=read, daemon=True).start()
    rest, patience, said = b"", Patience(_SILENT * limit()), 0
    while True:
        try:
            piece = pieces.get(timeout=0.2)
        except queue.Empty:
            patience.saw(said)
            if patience.over:
                raise EngineError(
                    f"the machine inside has said nothing for {patience.seconds:.0f} s", hint=LONGER
                ) from None
            continue
        if piece is None:
            return
        said += len(piece)
        *lines, rest = (rest + piece).replace(b"\r", b"").split(b"\n")
        for line in lines:
            yield line.decode("utf-8", "replace")

"""Did two containers of the image course-demo/date print the time at which they ran?"""

import re
from collections.abc import Iterator

from course_magics.lessons import Finding, State, expect

DAY = 24 * 60


def check(state: State) -> Iterator[Finding]:
    image = state.image("course-demo/date")
    yield expect(
        image is not None,
        "the image course-demo/date is there",
        "there is no image called course-demo/date",
        hint="image",
    )
    if image is None:
        return
    for name in ("date-one", "date-two"):
        container = state.container(name)
        yield expect(
            container is not None,
            f"there is a container {name}",
            f"no container is called {name}",
            hint="run",
        )
        if container is None:
            return
        yield expect(
            container.raw["Image"] == image.id,
            f"{name} was made from course-demo/date",
            f"{name} was made from another image than course-demo/date is now",
            hint="again",
        )
        yield expect(
            _words(container.raw["Config"]) == _words(image.config),
            "the image itself says what to run",
            f"{name} was told what to run; the image should know",
            hint="command",
        )
        yield expect(
            container.exit_code == 0 and _tells(state.logs(name), container.raw["State"]),
            f"{name} has printed the time at which it ran, and ended",
            f"{name} has not printed the time at which it ran and ended with status 0",
            hint="command",
        )


def _words(config: dict) -> list[str]:
    """What a container starts: the entry point and its arguments."""
    return [*(config.get("Entrypoint") or ()), *(config.get("Cmd") or ())]


def _tells(text: str, run: dict) -> bool:
    """Whether a time of day in `text` is that of the run in UTC, give or take a minute."""
    hours, minutes = run["StartedAt"].partition("T")[2].split(":")[:2]
    began = int(hours) * 60 + int(minutes)
    said = [int(h) * 60 + int(m) for h, m in re.findall(r"(?<!\d)(\d\d?):(\d\d)", text)]
    return any((minute - began) % DAY in (0, 1, DAY - 1) for minute in said)

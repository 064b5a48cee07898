"""A container's panel: state, log, and buttons that show the docker line they stand for."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

from course_magics import engine
from course_magics.containers import lifecycle
from course_magics.containers.container import Container
from course_magics.display import Command, Facts, Line, Pre
from course_magics.errors import CourseError

#: Lines of the log that the panel shows.
_LOG_LINES = 8

_ACTIONS: dict[str, tuple[str, Callable[[str, str], object]]] = {
    "start": ("docker start", lambda name, line: lifecycle.start([name], line)),
    "stop": ("docker stop", lambda name, line: lifecycle.stop([name], line, None, None)),
    "restart": ("docker restart", lambda name, line: lifecycle.restart([name], line, None)),
    "remove": (
        "docker rm -f",
        lambda name, line: lifecycle.remove([name], line, force=True, volumes=False),
    ),
}
_ICONS = {"start": "play", "stop": "stop", "restart": "refresh", "remove": "trash"}


class Panel:
    """The panel of one container. Without a widget front end it shows the container as text."""

    def __init__(self, container: Container) -> None:
        import ipywidgets as w

        self.container = container
        self.facts = w.HTML()
        self.log = w.HTML()
        self.said = w.HTML()
        self.buttons = {
            name: w.Button(
                description=name,
                icon=_ICONS[name],
                tooltip=f"{line} {container.name}",
                layout=w.Layout(width="7.5em"),
            )
            for name, (line, _) in _ACTIONS.items()
        }
        refresh = w.Button(
            description="look again",
            icon="eye",
            tooltip=f"docker logs {container.name}",
            layout=w.Layout(width="8.5em"),
        )
        for name, button in self.buttons.items():
            button.on_click(lambda _, name=name: self.click(name))
        refresh.on_click(lambda _: self.click(""))
        row = w.HBox([*self.buttons.values(), refresh], layout=w.Layout(flex_flow="row wrap"))
        frame = "1px solid var(--jp-border-color2, #ccc)"
        self.box = w.VBox(
            [self.facts, row, self.said, self.log],
            layout=w.Layout(border=frame, padding="8px", max_width="44em"),
        )
        self.look()

    def click(self, name: str) -> None:
        """Do what the button `name` says, and show its docker line and what came of it.

        An exception in a widget's callback would vanish: it is shown instead.
        """
        if name:
            line = f"{_ACTIONS[name][0]} {self.container.name}"
            try:
                _ACTIONS[name][1](self.container.name, line)
                self.said.value = Command(line).html()
            except CourseError as error:
                self.said.value = Line(error.message, "bad").html() + Command(line).html()
        else:
            self.said.value = Command(f"docker logs {self.container.name}").html()
        self.look()

    def look(self) -> None:
        """Ask the engine again and show what it says."""
        try:
            state = self.container.state
            gone = state == "removed"
            log = "" if gone else self.container.logs(tail=_LOG_LINES)
        except CourseError as error:
            self.facts.value = Line(error.message, "bad").html()
            return
        name, image = self.container.name, self.container.image
        tone = "color:var(--jp-success-color1,#1b7f3b)" if state.startswith("running") else ""
        self.facts.value = (
            f'<b>{escape(name)}</b> from {escape(image)}: <b style="{tone}">{escape(state)}</b>'
        )
        self.log.value = Pre(log or "(nothing printed yet)").html() if not gone else ""
        running = state.startswith("running")
        self.buttons["start"].disabled = gone or running
        self.buttons["stop"].disabled = gone or not running
        self.buttons["restart"].disabled = self.buttons["remove"].disabled = gone

    def __str__(self) -> str:
        facts = [("container", self.container.name), ("image", self.container.image)]
        return Facts([*facts, ("state", self.container.state)]).text()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        bundle = dict(self.box._repr_mimebundle_() or {})
        bundle["text/plain"] = str(self)
        return bundle


def panel(container: Container) -> Panel | Container:
    """The panel of `container`; the container itself where ipywidgets is not installed."""
    try:
        return Panel(container)
    except ImportError:
        return container


def panel_of(name: str) -> Panel | Container:
    """The panel of the container called `name`. Raises EngineError when there is none."""
    with engine.talking(f"docker inspect {name}") as api:
        found = lifecycle.known(api, name)
    return panel(Container(found["Name"].lstrip("/"), found["Id"], found["Config"]["Image"]))

"""`%container panel --diagram`: the states of a container, a picture that follows the real one."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from html import escape
from typing import Any

from course_magics import engine
from course_magics.containers import change, lifecycle
from course_magics.containers.container import Container
from course_magics.containers.life import Life
from course_magics.display import Command, Line
from course_magics.display.lifecycle import Moment, moves, svg
from course_magics.errors import CourseError
from course_magics.text import clean

#: docker's words, in the order of the buttons.
_DO: dict[str, Callable[[str, str], object]] = {
    "start": lambda name, line: lifecycle.start([name], line),
    "pause": lambda name, line: change.pause([name], line),
    "unpause": lambda name, line: change.unpause([name], line),
    "stop": lambda name, line: lifecycle.stop([name], line, None, None),
    "kill": lambda name, line: lifecycle.kill([name], line, None),
    "restart": lambda name, line: lifecycle.restart([name], line, None),
    "rm": lambda name, line: lifecycle.remove([name], line, force=False, volumes=False),
    "rm -f": lambda name, line: lifecycle.remove([name], line, force=True, volumes=False),
}


class Diagram:
    """The live picture of one container's life, and a button for each of docker's words.

    It follows the engine's events, whoever causes them, until the container is removed. Several
    views of it show the same. Without a widget front end it is a picture, or text.
    """

    def __init__(self, container: Container) -> None:
        import ipywidgets as w

        self.life = Life(container)
        self.picture = w.HTML()
        self.said = w.HTML()
        self.buttons = {
            word: w.Button(description=word, layout=w.Layout(width="auto")) for word in _DO
        }
        for word, button in self.buttons.items():
            button.on_click(lambda _, word=word: self.click(word))
        row = w.HBox(list(self.buttons.values()), layout=w.Layout(flex_flow="row wrap"))
        self.box = w.VBox([self.picture, row, self.said], layout=w.Layout(max_width="740px"))
        self.paint()
        self.life.follow(self.paint)

    @property
    def now(self) -> Moment:
        """Where the container is in its life, as far as it has been heard."""
        return self.life.now

    def wait(self, state: str, seconds: float | None = None) -> Moment:
        """Wait until the picture shows this state.

        seconds: without a change (default: the setting `patience`); then EngineError.
        """
        return self.life.wait(state, seconds)

    def close(self) -> None:
        """Follow the container no longer; the picture stays as it is."""
        self.life.close()

    def click(self, word: str) -> None:
        """Do what a button says; the picture moves when the engine says that it was done.

        An exception in a widget's callback would vanish: it is shown instead.
        """
        name = self.now.name
        line = f"docker {word} {shlex.quote(name)}"
        told = ""
        try:
            if self.life.here:
                _DO[word](name, line)
            else:
                url = engine.current().url
                told = Line(f"the engine in use is another one now: {url}", "bad").html()
        except CourseError as error:
            told = Line(error.message, "bad").html()
        self.said.value = told + Command(line).html()

    def paint(self) -> None:
        """Show what is known now; called from a thread too."""
        now = self.now
        note = Line(now.note, "warn").html() if now.note else ""
        words = escape(clean(now.sentence))
        self.picture.value = f'{svg(now)}<div role="status">{words}</div>{note}'
        allowed = {word for word, _ in moves(now.state)}
        for word, button in self.buttons.items():
            button.disabled = word not in allowed
            button.tooltip = f"docker {word} {now.name}"

    def __str__(self) -> str:
        return str(self.life.asked())

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        still = self.life.asked()._repr_mimebundle_()
        return {**(self.box._repr_mimebundle_() or {}), **still}


def diagram_of(name: str) -> Diagram | Moment:
    """The picture of the container called `name`; a still one where ipywidgets is not installed.

    Raises EngineError when there is no such container.
    """
    with engine.talking(f"docker inspect {name}") as api:
        found = lifecycle.known(api, name)
    container = Container(found["Name"].lstrip("/"), found["Id"], found["Config"]["Image"])
    try:
        return Diagram(container)
    except ImportError:
        return Life(container).now

"""A quiz as widgets: choices, a button, and the reasons, for a keyboard and a screen reader too."""

from __future__ import annotations

from typing import Any

from course_magics.display import Line
from course_magics.display.markdown import inline
from course_magics.errors import CourseError
from course_magics.lessons import questions
from course_magics.lessons.questions import Sheet
from course_magics.lessons.quiz import Question, judge

#: ipywidgets cuts a long label off; here it goes on in the next line.
_STYLE = """<style>
.course-quiz .widget-radio, .course-quiz .widget-checkbox, .course-quiz .widget-radio-box
  { width: auto; height: auto; max-width: 100%; margin: 0; padding: 0 }
.course-quiz .widget-radio-box { overflow: visible; flex: 1 1 auto }
.course-quiz .widget-radio-box label, .course-quiz .widget-checkbox label
  { display: flex; gap: 8px; align-items: flex-start; justify-content: flex-end; margin: 2px 0;
    padding: 0; width: auto; height: auto; max-width: 60em; overflow: visible; white-space: normal;
    text-overflow: clip; line-height: 1.5 }
.course-quiz .widget-radio-box label { flex-direction: row-reverse }
.course-quiz .widget-checkbox label { justify-content: flex-start }
.course-quiz label input { margin: 3px 0 0; flex: none; position: static }
.course-quiz .widget-html-content { line-height: 1.5 }
.course-quiz .widget-button { margin-top: 6px }
.course-quiz input:focus-visible, .course-quiz button:focus-visible
  { outline: 2px solid var(--jp-brand-color1, #1976d2); outline-offset: 2px }
</style>"""


class Asked:
    """One question: its choices, its button, what is said of the answer."""

    def __init__(self, name: str, question: Question, number: int) -> None:
        import ipywidgets as w

        self.name, self.question = name, question
        head = f"<b>{number}. {inline(question.ask)}</b>"
        if question.many:
            head += " (any number may be right)"
        self.head = w.HTML(head)
        free = w.Layout(width="auto", height="auto", max_width="100%")
        # Each radio button is a group of its own. In one group only the arrow keys lead from one to
        # the next, and those JupyterLab takes for itself; so Tab reaches each.
        self.choices = [
            w.Checkbox(description=_label(c.text), indent=False, layout=free)
            if question.many
            else w.RadioButtons(options=[_label(c.text)], index=None, layout=free)
            for c in question.choices
        ]
        if not question.many:
            for one in self.choices:
                one.observe(self._only, "index")
        self.button = w.Button(
            description="Check", tooltip=f"Check the answer to question {number}"
        )
        self.button.on_click(self.check)
        self.said = w.HTML(_status(""))
        self.box = w.VBox(
            [self.head, *self.choices, self.button, self.said], layout=w.Layout(margin="0 0 14px 0")
        )

    def chosen(self) -> list[int]:
        """The numbers of the choices that are chosen, from 1."""
        return [
            n
            for n, choice in enumerate(self.choices, 1)
            if (choice.value if self.question.many else choice.index is not None)
        ]

    def _only(self, change: Any) -> None:
        """One of the radio buttons was chosen: the others are not."""
        if change["new"] is not None:
            for choice in self.choices:
                if choice is not change["owner"]:
                    choice.index = None

    def check(self, _: Any = None) -> None:
        """Say what the answer is worth, and keep it.

        An exception in a widget's callback would vanish: it is shown instead.
        """
        if not (numbers := self.chosen()):
            self.said.value = _status(Line("choose an answer first", "warn").html())
            return
        try:
            verdict = judge(self.question, numbers)
            note = questions.keep(self.name, [verdict])
        except CourseError as error:
            self.said.value = _status(Line(str(error), "bad").html())
            return
        # The question's id is for a line of text; here its number stands above.
        head = Line("Right." if verdict.right else "Not right.", "good" if verdict.right else "bad")
        lines = [head, *questions.marked(verdict)[1:], *([Line(note, "warn")] if note else [])]
        self.said.value = _status("".join(line.html() for line in lines))


class Quiz:
    """A quiz on the screen. Without a widget front end it shows the sheet."""

    def __init__(self, name: str, sheet: Sheet) -> None:
        import ipywidgets as w

        self.sheet = sheet
        self.asked = [Asked(name, q, n) for n, q in enumerate(sheet.quiz.questions, 1)]
        frame = "1px solid var(--jp-border-color2, #ccc)"
        self.box = w.VBox(
            [w.HTML(_STYLE), *(a.box for a in self.asked)],
            layout=w.Layout(border=frame, padding="8px 12px", max_width="100%"),
        )
        self.box.add_class("course-quiz")

    def __str__(self) -> str:
        return str(self.sheet)

    __repr__ = __str__

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return {**dict(self.box._repr_mimebundle_() or {}), **self.sheet._repr_mimebundle_()}


def shown(name: str) -> Quiz | Sheet:
    """The quiz `name`; on paper where ipywidgets is not installed."""
    sheet = questions.sheet(name)
    try:
        return Quiz(name, sheet)
    except ImportError:
        return sheet


def _label(text: str) -> str:
    """A choice as a widget's label, which is no HTML: the signs around `code` are left out."""
    return text.replace("`", "")


def _status(inner: str) -> str:
    """What a screen reader says by itself when it changes."""
    return f'<div role="status" aria-live="polite">{inner}</div>'

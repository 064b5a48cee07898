"""Results as text and as HTML, both from the same blocks, everything from outside escaped."""

from course_magics.display.blocks import Block, Command, Facts, Grid, Line, Link, Pre
from course_magics.display.markdown import Markdown, Numbered, Sentence
from course_magics.display.shown import Listed, Shown, Table
from course_magics.display.tree import Branch, Tree

__all__ = [
    "Block",
    "Branch",
    "Command",
    "Facts",
    "Grid",
    "Line",
    "Link",
    "Listed",
    "Markdown",
    "Numbered",
    "Pre",
    "Sentence",
    "Shown",
    "Table",
    "Tree",
]

"""Results as text and as HTML, both from the same blocks, everything from outside escaped."""

from course_magics.display.blocks import Block, Command, Facts, Grid, Line, Link, Pre
from course_magics.display.shown import Shown, Table

__all__ = ["Block", "Command", "Facts", "Grid", "Line", "Link", "Pre", "Shown", "Table"]

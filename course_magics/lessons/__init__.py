"""Exercises, their checks and hints, quizzes, and a learner's progress. Needs no IPython.

A check.py imports its three names from here.
"""

from course_magics.lessons.finding import Finding, expect
from course_magics.lessons.state import State

__all__ = ["Finding", "State", "expect"]

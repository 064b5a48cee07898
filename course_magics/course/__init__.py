"""The course as a whole: its notebooks are run, stored, read by checks, made into slides.

`run` writes executed copies and HTML pages and ends with a table; `store` puts the outputs into the
notebooks themselves, which is what nbval compares with later; `lint` reads without running.
"""

from course_magics.course.commands import main
from course_magics.course.lint import lint
from course_magics.course.proof import prove

__all__ = ["lint", "main", "prove"]

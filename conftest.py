"""Notebooks under nbval: each kernel knows its notebook."""

pytest_plugins = ["course_magics.course.session"]

"""Findings in a Dockerfile: our own rules, hadolint's and BuildKit's where they are present."""

from course_magics.containers.lint import files
from course_magics.containers.lint.finding import Finding, Lint
from course_magics.containers.lint.lint import lint, own

__all__ = ["Finding", "Lint", "files", "lint", "own"]

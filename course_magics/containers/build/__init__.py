"""`docker build` of a Dockerfile that is a text, with either of Docker's builders."""

from course_magics.containers.build.build import BuildOptions, build
from course_magics.containers.build.result import Build, Step

__all__ = ["Build", "BuildOptions", "Step", "build"]
